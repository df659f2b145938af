package accounts

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestRefusalsAreHeldBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refusal := errors.New("refused")
		h := newHeldRefusals(time.Minute)
		hold := func(ctx context.Context) time.Duration {
			begin := time.Now()
			if err := h.hold(ctx, refusal); !errors.Is(err, refusal) {
				t.Error(err)
			}
			return time.Since(begin)
		}
		if took := hold(t.Context()); took != time.Minute {
			t.Errorf("held back for %v", took)
		}
		gone, leave := context.WithCancel(t.Context())
		for range maxHeld {
			go hold(gone)
		}
		synctest.Wait()
		if took := hold(t.Context()); took != 0 {
			t.Errorf("without a place it is held back for %v", took)
		}
		leave()
		synctest.Wait()
		if len(h.held) != 0 {
			t.Errorf("%d places are taken after the requests have ended", len(h.held))
		}
	})
}
