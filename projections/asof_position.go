package projections

import (
	"context"
	"fmt"
	"time"

	"docket/domain"

	"github.com/jackc/pgx/v5"
)

// Moment is a point of a tenant's log: after a seq or, where Time isn't zero, at a time.
type Moment struct {
	Seq  int64
	Time time.Time
}

// momentSQL is the last seq of a tenant's log ($1) at a time ($2), and whether that
// time has come. It is the database's clock that events are dated by, and they may
// run a little ahead of it.
const momentSQL = `select seq_at($1, $2), $2::timestamptz <= greatest(clock_timestamp(),
  (select e.occurred_at from events e where e.tenant_id = $1 order by e.seq desc limit 1))`

// SeqOf is the last seq of the log at a moment, 0 before the first event. A moment
// that hasn't come is domain.CodeUnsupportedCombination.
//
// Of a time within the last second or so the answer may grow: an append that is
// under way has its time already. A seq means the same for ever.
func (q *Queries) SeqOf(ctx context.Context, s domain.Scope, m Moment) (int64, error) {
	if m.Time.IsZero() {
		head, err := q.SeqHead(ctx, s)
		if err == nil && m.Seq > head {
			err = domain.Refuse(domain.CodeUnsupportedCombination, "as_of %d lies above the log's head, which is %d", m.Seq, head)
		}
		return m.Seq, err
	}
	var (
		seq  int64
		past bool
	)
	err := q.scoped(ctx, s, func(b *pgx.Batch) {
		b.Queue(momentSQL, s.Tenant().UUID(), m.Time).QueryRow(func(row pgx.Row) error { return row.Scan(&seq, &past) })
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("read seq of %s: %w", m.Time, err)
	case !past:
		return 0, domain.Refuse(domain.CodeUnsupportedCombination, "as_of lies in the future")
	}
	return seq, nil
}

// eventTimeSQL is when an event ($2) of a tenant ($1) happened.
const eventTimeSQL = `select e.occurred_at from events e where e.tenant_id = $1 and e.seq = $2`

// TimeOf is when the event with a seq happened; the beginning of 1970 for seq 0, which no
// event has.
func (q *Queries) TimeOf(ctx context.Context, s domain.Scope, seq int64) (time.Time, error) {
	at := time.Unix(0, 0).UTC()
	if seq == 0 {
		return at, nil
	}
	err := q.scoped(ctx, s, func(b *pgx.Batch) {
		b.Queue(eventTimeSQL, s.Tenant().UUID(), seq).QueryRow(func(row pgx.Row) error { return row.Scan(instantTarget{&at}) })
	})
	if err != nil {
		return at, fmt.Errorf("read time of %d: %w", seq, err)
	}
	return at, nil
}
