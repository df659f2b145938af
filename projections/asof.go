package projections

import (
	"context"
	"fmt"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Reads of the past fold the log anew. They page by (tenant_id, seq), the log's key, so no
// plan has to sort it. They keep only the state of each stream, and for a list at most
// asOfStreams states at once, so memory doesn't grow with the log.
const (
	// AsOfTime is how long a read of the past may take, waiting for its turn included.
	AsOfTime = 5 * time.Second
	// asOfAtOnce is how many lists of the past are folded at the same time, and apart from
	// them how many single things; asOfTenant is how many of these are one tenant's.
	asOfAtOnce = 4
	asOfTenant = 2
	// asOfPage is how many events of the log one statement looks at.
	asOfPage = 5_000
	// asOfStreams is how many streams are folded at once. A list of more reads the log
	// again from where they became so many.
	asOfStreams = 10_000
)

// past is a read model as it was: its own fold over the streams of one type, one row
// for each of them.
type past[R any] struct {
	model  *model[uuid.UUID, R]
	stream domain.StreamType
}

var (
	pastMembers  = past[domain.Membership]{members, domain.MemberStream}
	pastProjects = past[domain.Project]{projects, domain.ProjectStream}
	pastTasks    = past[domain.Task]{tasks, domain.TaskStream}
	pastComments = past[domain.Comment]{comments, domain.CommentStream}
	pastTenants  = past[domain.Tenant]{tenants, domain.TenantStream}
	// These two fold nothing of tasks and comments.
	pastSummaries = past[Summary]{summaries, domain.ProjectStream}
	pastCycles    = past[projectCycles]{cycles, domain.ProjectStream}
)

// notSkipped leaves out what an operator had the subscription ($2) leave out, as the
// read model itself and every rebuild of it do.
var notSkipped = ` and ` + feed.Checkpoints{}.NotSkipped("seq", "$1", "$2")

// pastStreamSQL reads a stream ($3 id, $4 type) of a tenant ($1) up to a seq ($5).
var pastStreamSQL = `select ` + eventstore.FoldColumns + ` from events
where tenant_id = $1 and stream_id = $3 and stream_type = $4 and seq <= $5` + notSkipped + ` order by version`

// pastPageSQL reads the events of a tenant's ($1) streams of a type ($3) after a seq
// ($4) up to another ($5).
var pastPageSQL = `select ` + eventstore.FoldColumns + ` from events
where tenant_id = $1 and seq > $4 and seq <= $5 and stream_type = $3` + notSkipped + ` order by seq`

// inPast runs a read of the past when it is the tenant's turn. One that takes too long is
// domain.CodeOverloaded.
func inPast[R any](ctx context.Context, q *Queries, t *fairSemaphore, tenant domain.TenantID, read func(context.Context) (R, error)) (R, error) {
	bounded, cancel := context.WithTimeout(ctx, q.AsOfTime)
	defer cancel()
	var r R
	err := t.acquire(bounded, tenant)
	if err == nil {
		defer t.release(tenant)
		r, err = read(bounded)
	}
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", domain.Refuse(domain.CodeOverloaded,
			"reading the past took longer than %s; it is quicker for one thing than for a list", q.AsOfTime), err)
	}
	return r, err
}

// row is the row that a stream had after a seq; nil where there was none.
func (p past[R]) row(ctx context.Context, q *Queries, s domain.Scope, id uuid.UUID, seq int64) (*R, error) {
	var row *R
	err := q.scoped(ctx, s, func(b *pgx.Batch) {
		b.Queue(pastStreamSQL, s.Tenant().UUID(), p.model.Name, id, string(p.stream), seq).Query(func(rows pgx.Rows) error {
			return scanEach(rows, func(e domain.Recorded) (err error) {
				row, err = p.step(row, e)
				return err
			})
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read %s as of %d: %w", p.stream, seq, err)
	}
	return row, nil
}

// each visits the rows that there were after a seq, in any order. If only some can be
// wanted, and what a stream begins with tells which, ours does: the others aren't kept
// while they are folded. It is nil where all are wanted.
func (p past[R]) each(ctx context.Context, q *Queries, s domain.Scope, seq int64, ours func(*R) bool, visit func(*R)) error {
	for begun := int64(0); ; {
		rows, full, err := p.begunAfter(ctx, q, s, begun, seq, ours)
		if err != nil {
			return fmt.Errorf("list %s streams as of %d: %w", p.stream, seq, err)
		}
		for _, row := range rows {
			if row != nil {
				visit(row)
			}
		}
		if begun = full; begun == 0 {
			return nil
		}
	}
}

// begunAfter folds up to a seq the streams that begin after another. Where they are
// more than may be folded at once, full is after which seq the others begin, else 0.
func (p past[R]) begunAfter(ctx context.Context, q *Queries, s domain.Scope, after, seq int64, ours func(*R) bool) (rows map[uuid.UUID]*R, full int64, err error) {
	rows = map[uuid.UUID]*R{} // nil is one that has no row now
	take := func(e domain.Recorded) error {
		row, known := rows[e.Stream.ID]
		switch {
		case known:
		case after > 0 && e.Version > 1: // begun before, and visited
			return nil
		case ours != nil && e.Version > 1: // begun as none of ours
			return nil
		case full > 0:
			return nil
		}
		row, err := p.step(row, e)
		switch {
		case err != nil:
			return err
		case known:
		case ours != nil && (row == nil || !ours(row)):
			return nil
		case len(rows) == q.asOfStreams:
			full = e.Seq - 1
			return nil
		}
		rows[e.Stream.ID] = row
		return nil
	}
	for from := after; from < seq; from += q.asOfPage {
		err := q.scoped(ctx, s, func(b *pgx.Batch) {
			to := min(from+q.asOfPage, seq)
			b.Queue(pastPageSQL, s.Tenant().UUID(), p.model.Name, string(p.stream), from, to).Query(func(rows pgx.Rows) error {
				return scanEach(rows, take)
			})
		})
		if err != nil {
			return nil, 0, err
		}
	}
	return rows, full, nil
}

// scanEach takes the events of a query one by one.
func scanEach(rows pgx.Rows, take func(domain.Recorded) error) error {
	for rows.Next() {
		e, err := eventstore.Scan(rows)
		if err != nil {
			return err
		}
		if err := take(e); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (p past[R]) step(row *R, e domain.Recorded) (*R, error) {
	key, ok, err := p.model.touched(e)
	if err != nil || !ok {
		return row, err
	}
	return p.model.step(row, key, e)
}
