package rebuild

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"docket/domain"
	"docket/internal/wait"
)

// A throttled rebuild pauses after each page and each flip, a throttled verification after
// each page and each comparison. At full speed neither ever pauses. The rows are the same.
func TestRebuildThrottled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.Company(t, 10)
	var pauses atomic.Int64
	w.rebuild.pause = func(_ context.Context, d time.Duration) bool {
		if d <= 0 || d > maxPause {
			t.Errorf("a pause of %s", d)
		}
		pauses.Add(1)
		return true
	}
	w.rebuild.PageSize, w.rebuild.compareRows = 5, 5
	for _, full := range []bool{true, false} {
		w.rebuild.FullSpeed = full
		if err := w.rebuild.Rebuild(t.Context(), []domain.TenantID{c.ID}, []string{"tasks", "activity"}, nil); err != nil {
			t.Fatal(err)
		}
		pages := (c.Head() + 4) / 5
		// Each of the two has its pages, a flip and a deletion.
		if got := pauses.Swap(0); full && got > 0 || !full && got != 2*(pages+2) {
			t.Errorf("at full speed: %t, and %d pauses of two rebuilds of %d pages", full, got, pages)
		}
		if _, _, err := verify(t, w.rebuild, []domain.TenantID{c.ID}, []string{"activity"}, false); err != nil {
			t.Fatal(err)
		}
		// The activity log has a row for each event, so as many comparisons as pages.
		if got := pauses.Swap(0); full && got > 0 || !full && got < 2*pages {
			t.Errorf("at full speed: %t, and %d pauses of a verification of %d pages and as many comparisons", full, got, pages)
		}
		w.isFoldOfLog(t, c, "tasks")
		w.isFoldOfLog(t, c, "activity")
	}
}

// A throttled rebuild never runs two writes at a time, and none while it pauses. At full
// speed it runs two.
func TestLimiter(t *testing.T) {
	t.Parallel()
	for full, most := range map[bool]int64{true: fullSpeedWriters, false: 1} {
		var now, peak atomic.Int64
		enter := func() {
			for at, before := now.Add(1), peak.Load(); at > before && !peak.CompareAndSwap(before, at); before = peak.Load() {
			}
			runtime.Gosched()
		}
		in := (&Rebuilder{FullSpeed: full, pause: func(context.Context, time.Duration) bool {
			enter()
			now.Add(-1)
			return true
		}}).newLimiter()
		if cap(in.slots) != int(most) {
			t.Errorf("at full speed: %t, and %d slots", full, cap(in.slots))
		}
		failed := errors.New("failed")
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				err := in.run(t.Context(), func() error {
					enter()
					now.Add(-1)
					if i%2 == 0 {
						return failed
					}
					return nil
				})
				if errors.Is(err, failed) != (i%2 == 0) {
					t.Errorf("turn %d gave %v", i, err)
				}
			})
		}
		all.Wait()
		if peak.Load() > most {
			t.Errorf("at full speed: %t, and %d at a time", full, peak.Load())
		}
	}
}

// A pause ends with what it is part of.
func TestBreathEnds(t *testing.T) {
	t.Parallel()
	ctx, end := context.WithCancel(t.Context())
	whole := true
	in := (&Rebuilder{pause: func(ctx context.Context, _ time.Duration) bool {
		end()
		whole = wait.Sleep(ctx, time.Minute)
		return whole
	}}).newLimiter()
	if err := in.run(ctx, func() error { return nil }); err != nil || whole {
		t.Errorf("%v, and the pause was whole: %t", err, whole)
	}
}
