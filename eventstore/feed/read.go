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
	// farPages is how much of the log a page goes past at most, in PageSizes, where the
	// tenant is far behind: four took a fifth less processor time than one. Folds get all
	// of it, as they write a row once, however many of a page's events change it. Who
	// has something to do for each event still gets one PageSize of them.
	farPages = 4
	// pageBytes is how many bytes of stored events a page has before it gets no more
	// statements.
	pageBytes = 4 << 20
	// readBytes is how many bytes one statement's events have before the rest of them is
	// thrown away unread. Events have up to MaxEventSize, and nobody knows before.
	readBytes = 8 << 20
)

// pageSQL reads the first events ($6: how many) of a tenant ($1) after a seq ($2) up to
// another ($3), but those of some types ($4), up to a schema version of each ($7), and
// those that are skipped ($5).
const pageSQL = `select ` + eventstore.Columns + pageFromSQL

// pageNoMetaSQL is pageSQL for those who don't look at the events' Meta.
const pageNoMetaSQL = `select ` + eventstore.FoldColumns + pageFromSQL

const pageFromSQL = ` from events
where tenant_id = $1 and seq > $2 and seq <= $3
  and schema_version > coalesce(($7::integer[])[array_position($4::text[], type)], 0)
  and seq <> all (coalesce($5::bigint[], '{}'))
order by seq limit $6`

// errDamaged says that an event's stored form makes no sense to any version.
var errDamaged = errors.New("damaged event")

// furthest is the last seq that the page after a checkpoint may come to. Inside a page that
// failed it is that of the next event, whether or not it is of interest: so the event after
// a checkpoint that failed is the one that did, also where it can't even be read.
func (w *worker) furthest(at checkpoint) int64 {
	if at.seq < at.carefulTo {
		return min(at.head, at.seq+1)
	}
	return min(at.head, at.seq+int64(farPages*w.feed.cfg.PageSize))
}

// read is what follows a checkpoint, as readPage reads it: what the tail has of it, and
// the rest from the log, to which other replicas may have added.
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
	s.Through = at.skipped.past(s.Through) // those may be unreadable
	// In steps, as nobody knows how large the events are.
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

// readPage reads what of the log after a seq, and up to another that is in it, is of
// interest and not skipped: the first such events, limit at most, or fewer where they have
// readBytes. The stretch ends with the last of them, or where there are no more, where it
// was to end; and in any case before the first that can't be read: one that this version
// doesn't know (domain.ErrUnknownEvent) or a damaged one (errDamaged). Then the error comes
// beside it.
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
	rows.Close() // what comes after readBytes may fail as well, and the transaction with it
	if err := rows.Err(); err != nil {
		return s, fmt.Errorf("read page: %w", err)
	}
	s.Events, s.Through = events, through
	if n := len(events); n == limit || s.Bytes >= readBytes {
		s.Through = events[n-1].Seq
	}
	return s, nil
}
