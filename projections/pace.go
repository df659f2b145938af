package projections

import (
	"context"
	"time"
)

const (
	// writers is how many read models of one tenant are written at the same time at full
	// speed. It is one where a rebuild gives way.
	writers = 2
	// restShare is how long each writing of a rebuild that gives way is followed by
	// nothing, of the time that the writing took. On two cores it keeps the p99 of the API
	// within twice that of before: docs/performance.md, "Beside the API".
	restShare = 0.3
	// restMost bounds a rest: what took longer than three of it has mostly waited, as a flip
	// does for the page that the live subscription handles.
	restMost = time.Second
)

// turns are those in which the read models of one tenant are written:
//
//	gives way:   write tasks ─ rest ─ write search ─ rest ─ …
//	full speed:  write tasks ── write comments ── …
//	             write search ── write activity ── …
//
// The database does most of a rebuild's work, where no priority can be set from here: what
// others have of it is what this leaves.
type turns struct {
	slots chan struct{}
	// rest is nil at full speed.
	rest func(context.Context, time.Duration) bool
}

// turns makes those of one tenant.
func (r *Rebuilder) turns() *turns {
	if r.FullSpeed {
		return &turns{slots: make(chan struct{}, writers)}
	}
	return &turns{slots: make(chan struct{}, 1), rest: r.rest}
}

// take waits for a turn, and has do use it. Where do is long, it rests by itself in
// between (step).
func (t *turns) take(do func() error) error {
	t.slots <- struct{}{}
	defer func() { <-t.slots }()
	return do()
}

// step does something of a turn, and rests. It has the error of do only: what comes
// next finds out that ctx has ended.
func (t *turns) step(ctx context.Context, do func() error) error {
	began := time.Now()
	err := do()
	if t.rest != nil && err == nil {
		t.rest(ctx, min(restMost, time.Duration(restShare*float64(time.Since(began)))))
	}
	return err
}
