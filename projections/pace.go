package projections

import (
	"context"
	"time"
)

const (
	// writers is how many read models of one tenant are written at the same time at full
	// speed. It is one where a rebuild gives way.
	writers = 2
	// breathShare is how long each use of a turn is followed by nothing where a rebuild
	// gives way, of the time that it took. On two cores, with one worker, and with a
	// write-ahead log whose files are there already, the p99 of the API came to 1.6 times
	// that without, and to more where the disk was slow to flush: docs/performance.md,
	// "Beside the API".
	breathShare = 0.3
	// breathMost bounds that: what takes longer than three of it has mostly waited, as a
	// flip does for the page that the live subscription handles.
	breathMost = time.Second
)

// turns are those in which the read models of one tenant are written:
//
//	gives way:   tasks: page ─ nothing ─ search: page ─ nothing ─ …
//	full speed:  tasks: page ── comments: page ── …
//	             search: page ── activity: page ── …
//
// The database does most of a rebuild's work, where no priority can be set from here: what
// others have of it is what this leaves. A turn is a page, a flip, a comparison, or a chunk
// of old rows, so that a flip never waits for all of another's deletion.
type turns struct {
	slots chan struct{}
	// breathe is nil at full speed.
	breathe func(context.Context, time.Duration) bool
}

// newTurns makes those of one tenant.
func (r *Rebuilder) newTurns() *turns {
	if r.FullSpeed {
		return &turns{slots: make(chan struct{}, writers)}
	}
	return &turns{slots: make(chan struct{}, 1), breathe: r.breathe}
}

// use waits for a turn, and has do use it. It has the error of do only: what comes next
// finds out that ctx has ended.
func (t *turns) use(ctx context.Context, do func() error) error {
	t.slots <- struct{}{}
	defer func() { <-t.slots }()
	began := time.Now()
	err := do()
	if t.breathe != nil && err == nil {
		t.breathe(ctx, min(breathMost, time.Duration(breathShare*float64(time.Since(began)))))
	}
	return err
}
