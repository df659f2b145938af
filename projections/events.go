package projections

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Event is an event as it stands in the log, not decoded: Data and Meta are the
// bytes that were stored.
type Event struct {
	Seq           int64
	At            time.Time
	Stream        domain.StreamID
	Version       int
	Type          string
	SchemaVersion int
	// ActorID is nil where the system acted.
	ActorID   *domain.UserID
	CommandID domain.CommandID
	Data      json.RawMessage
	Meta      json.RawMessage
}

// eventsSQL reads up to $3 events of a tenant ($1) after a seq ($2).
const eventsSQL = `select ` + eventstore.Columns + ` from events
where tenant_id = $1 and seq > $2 order by seq limit $3`

// newestEventsSQL reads up to $4 events of a tenant ($1) after a seq ($2) and before another
// ($3), newest first.
const newestEventsSQL = `select ` + eventstore.Columns + ` from events
where tenant_id = $1 and seq > $2 and seq < $3 order by seq desc limit $4`

// Events lists a tenant's log within a span, up to limit events (DefaultLimit if 0). more
// says whether there are others after the last. It reads the log itself, so there is nothing
// to wait for. An AfterSeq above the log's head is domain.CodeUnsupportedCombination.
func (q *Queries) Events(ctx context.Context, s domain.Scope, span Span, limit int) (events []Event, more bool, err error) {
	var (
		rows pageRows[Event]
		head int64
	)
	err = q.scoped(ctx, s, func(b *pgx.Batch) {
		span.checked(b, s.Tenant(), &head)
		t, most := s.Tenant().UUID(), limited(limit)+1
		if span.Descending {
			b.Queue(newestEventsSQL, t, span.AfterSeq, span.before(), most).Query(rows.into(scanEvent))
			return
		}
		b.Queue(eventsSQL, t, span.AfterSeq, most).Query(rows.into(scanEvent))
	})
	if err != nil {
		return nil, false, fmt.Errorf("list events: %w", err)
	}
	if err := span.aboveHead(head); err != nil {
		return nil, false, err
	}
	events, more = rows.cut(limit)
	return events, more, nil
}

// cut is paged for lists whose items say themselves where they stand.
func cut[R any](items []R, limit int) ([]R, bool) {
	n := limited(limit)
	return items[:min(n, len(items))], len(items) > n
}

// scanEvent reads a row of a query that selects eventstore.Columns.
func scanEvent(row pgx.CollectableRow) (Event, error) {
	var (
		e              Event
		tenant, stream uuid.UUID
		command        uuid.UUID
		schema         int16
	)
	err := row.Scan(&tenant, &e.Seq, textTarget[domain.StreamType]{&e.Stream.Type}, &stream, &e.Version, &e.Type, &schema,
		instantTarget{&e.At}, toOptionalID(&e.ActorID), &command, &e.Data, &e.Meta)
	e.Stream.ID, e.CommandID, e.SchemaVersion = stream, domain.CommandID(command), int(schema)
	return e, err
}

// SeqHead is the last seq of the tenant's log; 0 for an empty one.
func (q *Queries) SeqHead(ctx context.Context, s domain.Scope) (int64, error) {
	return q.seq(ctx, s, eventstore.HeadSQL, s.Tenant().UUID())
}

// seqAtSQL is the last seq of a tenant's log ($1) at a time ($2).
const seqAtSQL = `select seq_at($1, $2)`

// SeqAt is the seq of the last event that happened at or before a time; 0 if none did.
func (q *Queries) SeqAt(ctx context.Context, s domain.Scope, at time.Time) (int64, error) {
	return q.seq(ctx, s, seqAtSQL, s.Tenant().UUID(), at)
}

func (q *Queries) seq(ctx context.Context, s domain.Scope, sql string, args ...any) (int64, error) {
	var seq int64
	err := q.scoped(ctx, s, func(b *pgx.Batch) {
		b.Queue(sql, args...).QueryRow(func(row pgx.Row) error { return row.Scan(&seq) })
	})
	if err != nil {
		return 0, fmt.Errorf("read seq: %w", err)
	}
	return seq, nil
}
