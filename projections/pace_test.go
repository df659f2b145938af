package projections

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"docket/domain"
)

// A rebuild that gives way rests after each page and each flip;
// at full speed it never does. Both make the same rows.
func TestRebuildGivesWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := fillCompany(t, w, 10)
	var rests atomic.Int64
	w.rebuild.rest = func(_ context.Context, d time.Duration) bool {
		if d <= 0 {
			t.Errorf("a rest of %s", d)
		}
		rests.Add(1)
		return true
	}
	w.rebuild.pageSize = 5
	for _, full := range []bool{true, false} {
		w.rebuild.FullSpeed = full
		if err := w.rebuild.Rebuild(t.Context(), []domain.TenantID{c.id}, []string{"tasks", "activity"}, nil); err != nil {
			t.Fatal(err)
		}
		pages := 2 * c.head() / 5
		if got := rests.Load(); full && got > 0 || !full && got < pages+2 {
			t.Errorf("at full speed: %t, and %d rests where there are %d pages and 2 flips", full, got, pages)
		}
		inMemory(t, w, tasks, c)
		inMemory(t, w, activity, c)
	}
}

// One that gives way never writes twice at a time.
func TestTurns(t *testing.T) {
	t.Parallel()
	for full, most := range map[bool]int64{true: writers, false: 1} {
		inTurn := (&Rebuilder{FullSpeed: full, rest: pause}).turns()
		var now, peak atomic.Int64
		var all sync.WaitGroup
		failed := errors.New("failed")
		for range 50 {
			all.Go(func() {
				err := inTurn.take(func() error {
					defer now.Add(-1)
					at := now.Add(1)
					for before := peak.Load(); at > before && !peak.CompareAndSwap(before, at); before = peak.Load() {
					}
					runtime.Gosched()
					return inTurn.step(t.Context(), func() error { return failed })
				})
				if !errors.Is(err, failed) {
					t.Errorf("a turn that failed gave %v", err)
				}
			})
		}
		all.Wait()
		if peak.Load() > most {
			t.Errorf("at full speed: %t, and %d at a time", full, peak.Load())
		}
	}
}

// A rest ends with what it is part of.
func TestRestEnds(t *testing.T) {
	t.Parallel()
	ctx, end := context.WithCancel(t.Context())
	var asked atomic.Int64
	inTurn := (&Rebuilder{rest: func(ctx context.Context, _ time.Duration) bool {
		asked.Add(1)
		end()
		return pause(ctx, time.Hour)
	}}).turns()
	if err := inTurn.step(ctx, func() error { return nil }); err != nil || asked.Load() != 1 {
		t.Errorf("%v after %d rests", err, asked.Load())
	}
}
