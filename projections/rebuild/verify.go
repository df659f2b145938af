package rebuild

import (
	"context"
	"errors"
	"fmt"

	"docket/domain"
	"docket/eventstore/feed"

	"github.com/jackc/pgx/v5"
)

// compareRows is how many rows of either side are compared in one statement.
const compareRows = 2_000

// Verdict is the result of verifying one read model of one tenant.
type Verdict struct {
	Tenant domain.TenantID
	Model  string
	// Seq is the last event that both sides had folded at the end, and Head the log's head
	// at the start: events after the live checkpoint aren't compared.
	Seq, Head int64
	// Rows is how many rows were compared, and Differing how many of them differ from a
	// fresh fold of the log.
	Rows, Differing int64
	// Repaired says that queries read the fresh rows.
	Repaired bool
	// Err is why the comparison or the repair failed, an *Error. After Repaired its Op is
	// OpDeleteOldRows.
	Err error
}

// Verification says what a Verify does and reports to. The functions are never called
// concurrently; each may be nil.
type Verification struct {
	// Repair makes the fresh rows the live ones if some differ.
	Repair bool
	// Difference receives each row that differs, in the order of a read model's keys.
	Difference func(Difference)
	// Verdict receives the result of each read model of each tenant.
	Verdict func(Verdict)
	// Progress receives how far the fresh fold is.
	Progress func(Progress)
}

// Verify compares the live rows of read models with a fresh fold of the log: all models
// if models is empty, all tenants if tenants is empty. It changes no row that is read,
// unless asked to repair rows that differ.
//
//	build generation g+1, never ahead of the live subscription
//	  ─▶ compare the rows, a chunk of keys at a time ─▶ same: delete g+1
//	                                                  └▶ repair: switch to g+1, delete g
//
// The live subscription continues meanwhile. A chunk that differs is compared again in a
// transaction that pauses the live subscription, with the same events on both sides, so a
// reported row does differ; a chunk without differences had none at some seq after the
// call. A parked subscription is compared up to its checkpoint. Neither side has skipped
// events.
//
// An interrupted call leaves at most a build that the next Verify or Rebuild resumes.
//
// Errors: *UnknownModelError before anything is done; else, joined, an *Error for each read
// model that couldn't be compared (OpVerify, with the causes of Rebuild), or that was
// repaired and whose old rows couldn't be deleted. An unreachable
// database ends the call with an *UnreachableError; other failures end one read model.
func (r *Rebuilder) Verify(ctx context.Context, tenants []domain.TenantID, models []string, v Verification) error {
	chosen, err := chooseModels(models)
	if err != nil {
		return err
	}
	var failures []error
	reports := &reporter{}
	reports.report = func(p Progress) {
		var failure *Error
		switch {
		case errors.As(p.Err, &failure) && failure.Op == OpDeleteOldRows: // a verdict follows
			failures = append(failures, failure)
		case failure != nil:
			verdict := abortedVerdict(failure)
			failures = append(failures, verdict.Err)
			if v.Verdict != nil {
				v.Verdict(verdict)
			}
		case v.Progress != nil:
			v.Progress(p)
		}
	}
	err = r.eachTenant(ctx, tenants, func(t domain.TenantID) error {
		return r.rebuildTenant(ctx, t, chosen, reports, (*feed.Builds).StartLimited, v.verify)
	})
	return errors.Join(append(failures, err)...)
}

// abortedError is why a verification failed, with the verdict until then.
type abortedError struct {
	cause   error
	verdict Verdict
}

func (e *abortedError) Error() string { return e.cause.Error() }

func (e *abortedError) Unwrap() error { return e.cause }

// abortedVerdict is the verdict of a verification that failed.
func abortedVerdict(failure *Error) Verdict {
	aborted := &abortedError{cause: failure.Cause, verdict: Verdict{Tenant: failure.Tenant, Model: failure.Model}}
	errors.As(failure.Cause, &aborted)
	aborted.verdict.Err = &Error{Op: OpVerify, Tenant: failure.Tenant, Model: failure.Model, Cause: aborted.cause}
	return aborted.verdict
}

// verify builds fresh rows of one read model, compares them with the live ones, and
// deletes the fresh or, after a repair, the old rows.
func (v *Verification) verify(b *builder, ctx context.Context) error {
	verdict := Verdict{Tenant: b.tenant, Model: b.model.Name, Head: b.head}
	err := v.compareAndRepair(ctx, b, &verdict)
	switch {
	case verdict.Repaired:
		verdict.Err = b.dropOld(ctx)
	case ctx.Err() == nil: // an interrupted build is left for the next call
		err = errors.Join(err, b.abandon(ctx))
	}
	if err != nil {
		return &abortedError{err, verdict}
	}
	if v.Verdict != nil {
		b.reports.exclusively(func() { v.Verdict(verdict) })
	}
	return nil
}

func (v *Verification) compareAndRepair(ctx context.Context, b *builder, verdict *Verdict) error {
	if err := b.foldShared(ctx); err != nil {
		return err
	}
	if err := v.compare(ctx, b, verdict); err != nil {
		return err
	}
	if !v.Repair || verdict.Differing == 0 {
		return nil
	}
	if err := b.catchUp(ctx); err != nil {
		return err
	}
	if err := b.switchRows(ctx); err != nil {
		return err
	}
	verdict.Repaired = true
	return nil
}

// compare compares all rows, chunk by chunk.
func (v *Verification) compare(ctx context.Context, b *builder, verdict *Verdict) error {
	var at feed.PausedPositions
	withLivePaused := func(do func(context.Context, querier) error) error {
		if err := b.catchUp(ctx); err != nil {
			return err
		}
		return b.steps.run(ctx, func() error {
			return b.build.WithLivePaused(ctx, firstPage, b.model.Apply, func(ctx context.Context, tx pgx.Tx, p feed.PausedPositions) error {
				if !p.Even {
					return fmt.Errorf("the fresh rows are at event %d, and the live ones at %d", p.NextSeq, p.LiveSeq)
				}
				at, verdict.Seq, verdict.Head = p, p.NextSeq, max(verdict.Head, p.NextSeq)
				return do(ctx, tx)
			})
		})
	}
	if err := withLivePaused(func(context.Context, querier) error { return nil }); err != nil {
		return err
	}
	most := b.rebuilder.compareRows
	if most == 0 {
		most = compareRows
	}
	after, limit := "", min(firstPage, most)
	for {
		var found chunk
		compareNext := func(ctx context.Context, q querier) (err error) {
			found, err = compareChunk(ctx, q, b.tenant, b.model, at, after, limit)
			return err
		}
		if err := b.steps.run(ctx, func() error { return compareNext(ctx, b.rebuilder.engine) }); err != nil {
			return err
		}
		if len(found.differences) > 0 {
			// The reason may be that the live subscription has advanced: compare with both paused.
			if err := b.build.AwaitLive(ctx); err != nil {
				return err
			}
			if err := withLivePaused(compareNext); err != nil {
				return err
			}
		}
		verdict.Rows += found.rows
		verdict.Differing += int64(len(found.differences))
		if v.Difference != nil && len(found.differences) > 0 {
			b.reports.exclusively(func() {
				for _, d := range found.differences {
					v.Difference(d)
				}
			})
		}
		if found.last == "" {
			return nil
		}
		after, limit = found.last, nextPage(limit, found.bytes, most)
	}
}

// catchUp folds what the live subscription has folded, but for a few events that one
// transaction has room for.
func (b *builder) catchUp(ctx context.Context) error {
	for {
		live, err := b.build.LimitToLive(ctx)
		if err != nil || live-b.build.Seq() < firstPage {
			return err
		}
		if err := b.foldRest(ctx); err != nil {
			return err
		}
	}
}

// abandon deletes the build's rows, and those of builds that other processes abandoned.
func (b *builder) abandon(ctx context.Context) error {
	return b.build.Abandon(ctx, func(ctx context.Context, live, last int) error {
		return b.rebuilder.drop(ctx, b.tenant, b.model, generations{live, last + 1}, b.steps)
	})
}
