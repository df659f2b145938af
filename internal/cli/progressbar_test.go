package cli

import (
	"testing"
	"time"
)

func TestTimeLeft(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		done, total int64
		took        time.Duration
		want        string
	}{
		{1, 1_000_000, time.Millisecond, ""},
		{1, 1_000_000, estimateAfter - 1, ""},
		{0, 1_000_000, time.Minute, ""},
		{100, 100, time.Minute, ""},
		{100, 400, 10 * time.Second, "30s left"},
		{1, 1000, 10 * time.Second, "2h46m left"},
	} {
		if got := timeLeft(tc.done, tc.total, tc.took); got != tc.want {
			t.Errorf("%d of %d after %s: %q, want %q", tc.done, tc.total, tc.took, got, tc.want)
		}
	}
}
