package projections

import (
	"context"
	"fmt"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Reads of the past fold the log anew, stream by stream: of each only the state is
// kept, and of a list only one page of states, so memory doesn't grow with the log.
const (
	// AsOfTime is how long a read of the past may take, waiting for its turn included.
	AsOfTime = 5 * time.Second
	// asOfAtOnce is how many reads of the past fold at the same time.
	asOfAtOnce = 4
	// asOfPage is how many events one statement reads.
	asOfPage = 5_000
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
)

// pastStreamSQL reads a stream ($2 id, $3 type) of a tenant ($1) up to a seq ($4).
const pastStreamSQL = `select ` + eventstore.Columns + ` from events
where tenant_id = $1 and stream_id = $2 and stream_type = $3 and seq <= $4 order by version`

// pastPageSQL reads up to $6 events of a tenant's ($1) streams of a type ($4) up to
// a seq ($5), stream by stream, after a stream and version ($2, $3).
const pastPageSQL = `select ` + eventstore.Columns + ` from events
where tenant_id = $1 and (stream_id, version) > ($2::uuid, $3::integer) and stream_type = $4 and seq <= $5
order by stream_id, version limit $6`

// inPast runs a read of the past when it is its turn. One that takes too long is
// domain.CodeOverloaded.
func inPast[R any](ctx context.Context, q *Queries, read func(context.Context) (R, error)) (R, error) {
	bounded, cancel := context.WithTimeout(ctx, q.AsOfTime)
	defer cancel()
	var (
		r   R
		err error
	)
	select {
	case q.folding <- struct{}{}:
		defer func() { <-q.folding }()
		r, err = read(bounded)
	case <-bounded.Done():
		err = bounded.Err()
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
		b.Queue(pastStreamSQL, s.Tenant().UUID(), id, string(p.stream), seq).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				e, err := eventstore.Scan(rows)
				if err != nil {
					return err
				}
				if row, err = p.step(row, e); err != nil {
					return err
				}
			}
			return rows.Err()
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read %s as of %d: %w", p.stream, seq, err)
	}
	return row, nil
}

// each visits the rows that there were after a seq, by their ids.
func (p past[R]) each(ctx context.Context, q *Queries, s domain.Scope, seq int64, visit func(uuid.UUID, *R)) error {
	var (
		at      uuid.UUID
		version int
		row     *R
	)
	end := func() {
		if row != nil {
			visit(at, row)
		}
	}
	for {
		read := 0
		err := q.scoped(ctx, s, func(b *pgx.Batch) {
			b.Queue(pastPageSQL, s.Tenant().UUID(), at, version, string(p.stream), seq, q.asOfPage).Query(func(rows pgx.Rows) error {
				for rows.Next() {
					e, err := eventstore.Scan(rows)
					if err != nil {
						return err
					}
					if e.Stream.ID != at {
						end()
						at, row = e.Stream.ID, nil
					}
					if row, err = p.step(row, e); err != nil {
						return err
					}
					version = e.Version
					read++
				}
				return rows.Err()
			})
		})
		if err != nil {
			return fmt.Errorf("list %s streams as of %d: %w", p.stream, seq, err)
		}
		if read < q.asOfPage {
			end()
			return nil
		}
	}
}

func (p past[R]) step(row *R, e domain.Recorded) (*R, error) {
	key, ok, err := p.model.touched(e)
	if err != nil || !ok {
		return row, err
	}
	return p.model.step(row, key, e)
}
