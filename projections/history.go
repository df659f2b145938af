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

// historySQL reads up to $5 events of a stream ($2) of a tenant ($1), and what ended it, after
// a seq ($3) and before another ($4), oldest first; newestHistorySQL newest first.
var (
	historySQL       = streamSQL("$2", "$3", "$4", "$5", direction(false), "")
	newestHistorySQL = streamSQL("$2", "$3", "$4", "$5", direction(true), "")
)

// streamThereSQL says whether a tenant ($1) has a stream ($2 id, $3 type).
const streamThereSQL = `select exists (select from events e
where e.tenant_id = $1 and e.stream_id = $2 and e.version = 1 and e.stream_type = $3)`

// History lists the events of one stream within a span, up to limit items (DefaultLimit if
// 0), also when what it is about was deleted. The deletion of what a task or comment belonged
// to is the last of its events. The span's ends are those of pages: seqs of the history. more
// says whether there are others after the last. It reads the log itself, so there is nothing
// to wait for. A stream that was never begun is domain.NotFound.
func (q *Queries) History(ctx context.Context, s domain.Scope, stream domain.StreamID, span Span, limit int) (items []HistoryItem, more bool, err error) {
	sql := historySQL
	if span.Descending {
		sql = newestHistorySQL
	}
	var (
		there bool
		rows  pageRows[HistoryItem]
	)
	err = q.scoped(ctx, s, func(b *pgx.Batch) {
		t := s.Tenant().UUID()
		b.Queue(streamThereSQL, t, stream.ID, string(stream.Type)).QueryRow(func(row pgx.Row) error { return row.Scan(&there) })
		b.Queue(sql, t, stream.ID, span.AfterSeq, span.before(), limited(limit)+1).Query(rows.into(scanHistory))
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
