package projections

import (
	"context"
	"time"

	"docket/domain"
)

// OwnWait is how long a read waits for what the caller itself wrote; after that
// it answers what there is.
const OwnWait = 250 * time.Millisecond

// MinWait is how long a read waits for a seq that it must have seen; after that
// it is refused.
const MinWait = 2 * time.Second

// Fresh says how much of the log a read must have seen; the zero value asks for
// nothing.
type Fresh struct {
	// Seq is the last seq that was acknowledged to the caller in this tenant. The
	// read waits for it up to 250 ms and then answers what there is.
	Seq int64
	// Min is a seq that the answer must have seen, whichever replica wrote it. The
	// read is refused as AtLeast says.
	Min int64
}

// await waits until the read models have seen what the reader wants. A new one that
// hasn't been folded from the beginning of the log to its end yet is refused, as
// AtLeast says.
func (q *Queries) await(ctx context.Context, s domain.Scope, f Fresh, models ...string) error {
	if err := q.AtLeast(ctx, s, f.Min, models...); err != nil {
		return err
	}
	if f.Seq > f.Min {
		ctx, cancel := context.WithTimeout(ctx, q.OwnWait)
		defer cancel()
		q.positions.Await(ctx, s.Tenant(), f.Seq, models...)
	}
	return nil
}

// requireComplete refuses read models whose first build is incomplete: new ones over an
// old log, until they have come to its end once. The database is asked once for each
// tenant and read model. The rows of an older fold are complete.
func (q *Queries) requireComplete(ctx context.Context, s domain.Scope, subscriptions []string) error {
	if q.positions == nil {
		return nil
	}
	complete, err := q.positions.BuildComplete(ctx, s.Tenant(), subscriptions...)
	if err == nil && !complete {
		err = domain.Refuse(domain.CodeReadModelLagging, "the read model is being made from the beginning of the log")
	}
	return err
}

// AtLeast waits until subscriptions have come to a seq of the scope's tenant, up to
// 2 s; after that it returns domain.CodeReadModelLagging, as it does at once for a read
// model whose first build is incomplete. A seq that the log doesn't have yet is
// domain.CodeUnsupportedCombination at once. Where this replica knows that they are
// there, nothing is asked of the database.
func (q *Queries) AtLeast(ctx context.Context, s domain.Scope, seq int64, subscriptions ...string) error {
	if err := q.requireComplete(ctx, s, subscriptions); err != nil {
		return err
	}
	if seq <= 0 || q.positions.Reached(s.Tenant(), seq, subscriptions...) {
		return nil
	}
	head, err := q.SeqHead(ctx, s)
	if err != nil {
		return err
	}
	if seq > head {
		return domain.Refuse(domain.CodeUnsupportedCombination, "min_seq %d lies above the log's head, which is %d", seq, head)
	}
	waiting, cancel := context.WithTimeout(ctx, q.MinWait)
	defer cancel()
	if q.positions.Await(waiting, s.Tenant(), seq, subscriptions...) {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return domain.Refuse(domain.CodeReadModelLagging, "the read model hasn't come to seq %d yet", seq)
}
