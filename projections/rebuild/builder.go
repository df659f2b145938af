package rebuild

import (
	"context"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/projections"
)

// builder builds one read model of one tenant.
type builder struct {
	rebuilder *Rebuilder
	tenant    domain.TenantID
	model     projections.ReadModel
	builds    *feed.Builds
	build     *feed.Build
	reports   *reporter
	head      int64 // of the log, at the start
	steps     *limiter
	ranges    chan feed.Range
	// left is closed when the builder takes no more ranges.
	left  chan struct{}
	leave func()
}

// rebuild builds new rows and switches to them.
func (b *builder) rebuild(ctx context.Context) error {
	if err := b.foldShared(ctx); err != nil {
		return err
	}
	if err := b.foldRest(ctx); err != nil {
		return err
	}
	if err := b.switchRows(ctx); err != nil {
		return err
	}
	b.reports.send(b.done(nil))
	_ = b.dropOld(ctx) // reports its own error
	return nil
}

// foldShared folds the ranges of the shared reading.
func (b *builder) foldShared(ctx context.Context) error {
	defer b.leave()
	for events := range b.ranges {
		if events.Through <= b.build.Seq() || b.build.Seq() >= b.build.Through() {
			continue // resumed further on than the other builds, or limited to less
		}
		if err := b.steps.run(ctx, func() error { return b.build.Apply(ctx, events, b.model.Apply) }); err != nil {
			return err
		}
		b.report()
	}
	return ctx.Err()
}

// maxRounds is how often foldRest continues to a head that has moved meanwhile. Each
// round is shorter than the one before, unless the log grows faster than it can be
// folded; the switch folds the remainder while the live subscription is paused.
const maxRounds = 5

// foldRest folds what the shared reading has left.
func (b *builder) foldRest(ctx context.Context) error {
	limit := min(firstPage, b.rebuilder.PageSize) // the size of these events isn't known
	for range maxRounds {
		head, err := b.rebuilder.head(ctx, b.tenant)
		if err != nil {
			return err
		}
		if b.build.Seq() >= head {
			return nil
		}
		for b.build.Seq() < head {
			n := 0
			err := b.steps.run(ctx, func() (err error) {
				n, err = b.build.Page(ctx, limit, b.model.Apply)
				return err
			})
			if err != nil {
				return err
			}
			b.report()
			if n == 0 {
				return nil
			}
			limit = nextPage(n, b.build.Bytes(), b.rebuilder.PageSize)
		}
		if b.build.Seq() >= b.build.Through() {
			return nil
		}
	}
	return nil
}

// switchRows makes the new rows the ones that are read.
func (b *builder) switchRows(ctx context.Context) error {
	return b.steps.run(ctx, func() error { return b.build.Switch(ctx, firstPage, b.model.Apply) })
}

func (b *builder) report() { b.reports.send(b.progress()) }

func (b *builder) progress() Progress {
	return Progress{Tenant: b.tenant, Model: b.model.Name, Seq: b.build.Seq(), Head: max(b.head, b.build.Seq())}
}

// done is the progress after the switch.
func (b *builder) done(err error) Progress {
	p := b.progress()
	p.Done, p.Err = true, err
	return p
}

// dropOld deletes the rows that the switch has left. It reports its error: the new rows
// are read nevertheless.
func (b *builder) dropOld(ctx context.Context) error {
	err := b.rebuilder.dropOld(ctx, b.builds, b.tenant, b.model, b.steps)
	if err != nil {
		err = &Error{Op: OpDeleteOldRows, Tenant: b.tenant, Model: b.model.Name, Cause: err}
		b.reports.send(b.done(err))
	}
	return err
}
