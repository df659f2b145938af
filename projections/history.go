package projections

import (
	"context"
	"errors"
	"fmt"

	"docket/domain"
	"docket/eventstore"

	"github.com/jackc/pgx/v5"
)

// HistoryItem is an event and the line that describes it.
type HistoryItem struct {
	Event
	ActorName string
	Line
}

// historySQL reads up to $5 events of a stream ($2 id, $3 type) of a tenant ($1)
// after a version ($4).
const historySQL = `select ` + eventstore.Columns + ` from events
where tenant_id = $1 and stream_id = $2 and stream_type = $3 and version > $4 order by version limit $5`

// streamThereSQL says whether a tenant ($1) has a stream ($2 id, $3 type).
const streamThereSQL = `select exists (select from events e
where e.tenant_id = $1 and e.stream_id = $2 and e.version = 1 and e.stream_type = $3)`

// History lists the events of one stream, oldest first, after a version, up to
// limit items (DefaultLimit if 0), also when what it is about was deleted. more
// says whether there are others after the last. It reads the log itself, so
// there is nothing to wait for. A stream that was never begun is domain.NotFound.
func (q *Queries) History(ctx context.Context, s domain.Scope, stream domain.StreamID, after, limit int) (items []HistoryItem, more bool, err error) {
	var (
		there bool
		rows  pageRows[HistoryItem]
	)
	err = q.scoped(ctx, s, func(b *pgx.Batch) {
		t := s.Tenant().UUID()
		b.Queue(streamThereSQL, t, stream.ID, string(stream.Type)).QueryRow(func(row pgx.Row) error { return row.Scan(&there) })
		b.Queue(historySQL, t, stream.ID, string(stream.Type), after, limited(limit)+1).Query(rows.into(scanHistory))
	})
	switch {
	case err != nil:
		return nil, false, fmt.Errorf("history of %s: %w", stream, err)
	case !there:
		return nil, false, domain.NotFound(string(stream.Type))
	}
	items, more = rows.cut(limit)
	return items, more, nil
}

// scanHistory reads a row of a query that selects eventstore.Columns. An event
// that a newer version of Docket wrote, or which no version can read, is shown as it is
// stored, and its line is its type alone: a history has no holes.
func scanHistory(row pgx.CollectableRow) (HistoryItem, error) {
	var (
		item HistoryItem
		err  error
	)
	if item.Event, err = scanEvent(row); err != nil {
		return item, err
	}
	recorded, err := eventstore.Scan(row)
	if err == nil {
		item.ActorName = recorded.ActorName()
		item.Line, err = Describe(recorded)
	}
	if err != nil {
		item.Line = Line{Summary: item.Type, Changes: []domain.Change{}}
		if !errors.Is(err, domain.ErrUnknownEvent) {
			item.Summary += ", whose stored data makes no sense"
		}
	}
	return item, nil
}
