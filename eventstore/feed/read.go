package feed

import (
	"context"
	"errors"
	"fmt"

	"docket/domain"
	"docket/eventstore"

	"github.com/jackc/pgx/v5"
)

const (
	// farPages bounds how far a page of a tenant that is far behind advances, in PageSizes:
	// four took a fifth less processor time than one. A fold gets all those events, as it
	// writes a row once, however many of a page's events change it. Other handlers do work
	// for each event, and get one PageSize of events.
	farPages = 4
	// pageBytes is the size of stored events at which a page reads no further statement.
	pageBytes = 4 << 20
	// readBytes is the size at which the rest of one statement's events is discarded. Events
	// have up to MaxEventSize, and their size isn't known before they are read.
	readBytes = 8 << 20
)

// pageSQL reads the first events ($6: how many) of a tenant ($1) after a seq ($2) up to
// another ($3). It leaves out events of some types ($4), up to a schema version of each
// ($7), and skipped ones ($5).
const pageSQL = `select ` + eventstore.Columns + pageFromSQL

// pageNoMetaSQL is pageSQL for subscriptions and builds that don't use the events' Meta.
const pageNoMetaSQL = `select ` + eventstore.FoldColumns + pageFromSQL

const pageFromSQL = ` from events
where tenant_id = $1 and seq > $2 and seq <= $3
  and schema_version > coalesce(($7::integer[])[array_position($4::text[], type)], 0)
  and seq <> all (coalesce($5::bigint[], '{}'))
order by seq limit $6`

// errDamaged says that no version can read an event's stored form.
var errDamaged = errors.New("damaged event")

// furthest is the last seq that the page after a checkpoint may reach. Inside a page that
// failed it is that of the next event, whether or not the event is of interest. So the event
// after a checkpoint with a failure is the failing one, even if it can't be read.
func (w *worker) furthest(at checkpoint) int64 {
	if at.seq < at.carefulTo {
		return min(at.head, at.seq+1)
	}
	return min(at.head, at.seq+int64(farPages*w.feed.cfg.PageSize))
}

// read reads the events after a checkpoint as readPage does. It takes them from the
// recent-events cache first, and the rest from the log, as other replicas append to it too.
func (w *worker) read(ctx context.Context, tx pgx.Tx, t domain.TenantID, at checkpoint) (Range, error) {
	through, most := w.furthest(at), w.feed.cfg.PageSize
	if w.interest.FoldVersion != 0 {
		most *= farPages
	}
	s := Range{After: at.seq, Through: at.seq}
	if through > at.seq {
		recent, _ := w.feed.recent.after(t, at.seq, min(most, int(through-at.seq)))
		s.Events, s.Through = at.skipped.without(w.interest.of(recent)), at.seq+int64(len(recent))
	}
	s.Through = at.skipped.past(s.Through) // skipped events may be unreadable
	// In steps, as the events' size isn't known before they are read.
	var err error
	for err == nil && s.Through < through && len(s.Events) < most && s.Bytes < pageBytes {
		step := max(1, min(w.feed.cfg.PageSize, most-len(s.Events), pageBytes/max(1, w.eventBytes)))
		var more Range
		more, err = readPage(ctx, tx, t, s.Through, through, step, w.interest, at.skipped)
		if n := len(more.Events); n > 0 {
			w.eventBytes = more.Bytes / n
		}
		s.Events, s.Through, s.Bytes = append(s.Events, more.Events...), more.Through, s.Bytes+more.Bytes
	}
	return s, err
}

// querier is a pool, connection or transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// readPage reads the first events after a seq, up to another one in the log, that are of
// interest and not skipped: limit at most, or fewer where they have readBytes. The range
// ends with the last of them, or at through if there are no more.
//
// It always ends before the first event that can't be read, and comes with an error then:
// domain.ErrUnknownEvent for an event that this version doesn't know, errDamaged for a
// damaged one.
func readPage(ctx context.Context, q querier, t domain.TenantID, after, through int64, limit int, of Interest, but skipped) (Range, error) {
	s := Range{After: after, Through: after}
	sql := pageSQL
	if of.NoMeta {
		sql = pageNoMetaSQL
	}
	rows, err := q.Query(ctx, sql, t.UUID(), after, through, of.Ignores, []int64(but), limit, of.reads())
	if err != nil {
		return s, fmt.Errorf("read page: %w", err)
	}
	defer rows.Close()
	var events []domain.Recorded
	for s.Bytes < readBytes && rows.Next() {
		r, err := eventstore.Scan(rows)
		if err != nil {
			if !errors.Is(err, domain.ErrUnknownEvent) {
				err = fmt.Errorf("%w: %w", errDamaged, err)
			}
			s.Events, s.Through = events, r.Seq-1
			return s, err
		}
		for _, raw := range rows.RawValues() {
			s.Bytes += len(raw)
		}
		events = append(events, r)
	}
	rows.Close() // the rows after readBytes may fail as well, and the transaction with them
	if err := rows.Err(); err != nil {
		return s, fmt.Errorf("read page: %w", err)
	}
	s.Events, s.Through = events, through
	if n := len(events); n == limit || s.Bytes >= readBytes {
		s.Through = events[n-1].Seq
	}
	return s, nil
}
