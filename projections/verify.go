package projections

import (
	"context"
	"errors"
	"fmt"

	"docket/domain"
	"docket/eventstore/feed"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// compareRows is how many rows of either side are compared in one statement.
const compareRows = 2_000

// VerifyError says that one read model of one tenant couldn't be compared, and why.
// Its rows are what they were.
type VerifyError struct {
	Tenant domain.TenantID
	Model  string
	Cause  error
}

func (e *VerifyError) Error() string {
	return fmt.Sprintf("verify %s of tenant %s: %v", e.Model, e.Tenant, e.Cause)
}

func (e *VerifyError) Unwrap() error { return e.Cause }

// Verdict is how one read model of one tenant was found.
type Verdict struct {
	Tenant domain.TenantID
	Model  string
	// Seq is the last event that both sides had folded at the end, and Head the log's last
	// when it began: what the live subscription lacks isn't compared.
	Seq, Head int64
	// Rows is how many were compared, and Differing how many of them weren't as a fresh
	// fold of the log has them.
	Rows, Differing int64
	// Repaired: the fresh rows are the ones that are read.
	Repaired bool
	// Err is why it couldn't be found out, or not repaired: a *VerifyError. Of what is
	// Repaired it is an *OldRowsError.
	Err error
}

// Verification says what a Verify does, and whom it tells. None of the functions is
// called while another is; each may be nil.
type Verification struct {
	// Repair has the fresh rows take the place of the live ones where they differ.
	Repair bool
	// Difference is told each row that differs, in the order of a read model's keys.
	Difference func(Difference)
	// Verdict is told the end of each read model of each tenant.
	Verdict func(Verdict)
	// Progress is told how far the fresh fold is.
	Progress func(Progress)
}

// Verify compares the live rows of read models with a fresh fold of the log: all models
// if none is named, all tenants if none is given. It changes nothing that is read,
// unless asked to repair what differs.
//
//	build generation g+1, never ahead of the live subscription
//	  ─▶ compare the rows, a run of keys at a time ─▶ same: drop g+1
//	                                                └▶ repair: flip to g+1, drop g
//
// The live subscription goes on meanwhile. A run that differs is compared again in a
// transaction in which it stands still and both sides have the same events, so what
// is named does differ; a run that is the same was so at some seq after the call. A
// parked subscription is compared as far as it has come. Events that are skipped are
// on neither side.
//
// It may be broken off at any point, and then leaves at most a build that the next
// Verify or Rebuild goes on with.
//
// Errors: *UnknownModelError before anything is done, and then a *VerifyError for each
// that couldn't be compared, joined; the others go on, unless the database is gone
// (*UnreachableError). Causes are those of Rebuild. An *OldRowsError is for what was
// repaired, as Rebuild says.
func (r *Rebuilder) Verify(ctx context.Context, tenants []domain.TenantID, models []string, v Verification) error {
	chosen, err := choose(models)
	if err != nil {
		return err
	}
	if len(tenants) == 0 {
		if tenants, err = feed.Logs(ctx, r.engine); err != nil {
			return err
		}
	}
	var failures []error
	told := &reporter{}
	told.report = func(p Progress) {
		var failure *RebuildError
		switch {
		case errors.As(p.Err, &failure):
			cause := failure.Cause
			var ended *endedError
			if !errors.As(cause, &ended) {
				ended = &endedError{cause: cause, verdict: Verdict{Tenant: p.Tenant, Model: p.Model}}
			}
			ended.verdict.Err = &VerifyError{Tenant: p.Tenant, Model: p.Model, Cause: ended.cause}
			failures = append(failures, ended.verdict.Err)
			if v.Verdict != nil {
				v.Verdict(ended.verdict)
			}
		case p.Err != nil: // an *OldRowsError, and a verdict follows
			failures = append(failures, p.Err)
		case v.Progress != nil:
			v.Progress(p)
		}
	}
	hands, going := errgroup.WithContext(ctx)
	hands.SetLimit(max(1, r.Workers))
	for _, t := range tenants {
		if going.Err() != nil {
			break
		}
		hands.Go(func() error {
			if going.Err() != nil {
				return nil
			}
			return r.pass(ctx, t, chosen, told, (*feed.Builds).StartLimited, v.verify)
		})
	}
	gone := hands.Wait()
	return errors.Join(append(failures, gone, ctx.Err())...)
}

// endedError is why a comparison came to nothing, with what was found before.
type endedError struct {
	cause   error
	verdict Verdict
}

func (e *endedError) Error() string { return e.cause.Error() }

func (e *endedError) Unwrap() error { return e.cause }

// verify makes fresh rows of one read model, compares them with the live ones, and
// drops them, or those.
func (v *Verification) verify(f *follower, ctx context.Context) error {
	verdict := Verdict{Tenant: f.tenant, Model: f.model.name, Head: f.head}
	err := f.follow(ctx)
	if err == nil {
		err = v.compare(ctx, f, &verdict)
	}
	if err == nil && v.Repair && verdict.Differing > 0 {
		if err = f.catchUp(ctx); err == nil {
			err = f.turns.use(ctx, func() error { return f.build.Switch(ctx, firstPage, f.model.fill) })
		}
		verdict.Repaired = err == nil
	}
	switch {
	case verdict.Repaired:
		verdict.Err = f.dropOld(ctx)
	case ctx.Err() == nil: // else it is left to whoever comes next
		err = errors.Join(err, f.abandon(ctx))
	}
	if err != nil {
		return &endedError{err, verdict}
	}
	if v.Verdict != nil {
		f.told.alone(func() { v.Verdict(verdict) })
	}
	return nil
}

// compare compares all rows.
func (v *Verification) compare(ctx context.Context, f *follower, verdict *Verdict) error {
	var side feed.PausedPositions
	beside := func(do func(context.Context, querier) error) error {
		if err := f.catchUp(ctx); err != nil {
			return err
		}
		return f.turns.use(ctx, func() error {
			return f.build.WithLivePaused(ctx, firstPage, f.model.fill, func(ctx context.Context, tx pgx.Tx, s feed.PausedPositions) error {
				if !s.Even {
					return fmt.Errorf("the fresh rows are at event %d, and the live ones at %d", s.NextSeq, s.LiveSeq)
				}
				side, verdict.Seq, verdict.Head = s, s.NextSeq, max(verdict.Head, s.NextSeq)
				return do(ctx, tx)
			})
		})
	}
	if err := beside(func(context.Context, querier) error { return nil }); err != nil {
		return err
	}
	most := f.rebuilder.compareRows
	if most == 0 {
		most = compareRows
	}
	after, limit := "", min(firstPage, most)
	for {
		var found run
		look := func(ctx context.Context, q querier) (err error) {
			found, err = f.model.compareRun(ctx, q, f.tenant, side, after, limit)
			return err
		}
		err := f.turns.use(ctx, func() error { return look(ctx, f.rebuilder.engine) })
		if err == nil && len(found.differences) > 0 {
			// Perhaps only because the live subscription has gone on: let both stand still.
			if err = f.build.AwaitLive(ctx); err == nil {
				err = beside(look)
			}
		}
		if err != nil {
			return err
		}
		verdict.Rows += found.rows
		verdict.Differing += int64(len(found.differences))
		if v.Difference != nil && len(found.differences) > 0 {
			f.told.alone(func() {
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

// catchUp folds what the live subscription has folded, up to a few events that one
// transaction has room for.
func (f *follower) catchUp(ctx context.Context) error {
	for {
		live, err := f.build.LimitToLive(ctx)
		if err != nil || live-f.build.Seq() < firstPage {
			return err
		}
		if err := f.rest(ctx); err != nil {
			return err
		}
	}
}

// abandon drops the build, and whatever others have left lying.
func (f *follower) abandon(ctx context.Context) error {
	return f.build.Abandon(ctx, func(ctx context.Context, live, last int) error {
		return f.rebuilder.drop(ctx, f.tenant, f.model, span{live, last + 1}, f.turns)
	})
}
