package projections

import (
	"context"
	"fmt"
	"slices"

	"docket/domain"
	"docket/eventstore/feed"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// work is what some events do to the rows of a model.
type work[K comparable, R any] struct {
	// rows are the touched rows in the order of their first events, and index their
	// places by key.
	rows  []touchedRow[K, R]
	index map[K]int
	// steps are the events that touch a row.
	steps []step
}

// touchedRow is a row that is folded.
type touchedRow[K comparable, R any] struct {
	key K
	// created: the first event makes the row, whatever row there was.
	created bool
	// row is nil if there is none; seq is the last event that touched it.
	row *R
	seq int64
}

// step is an event and the row that it touches, by their indexes.
type step struct{ event, row int }

// rowSet is the rows of a model that one generation has for a tenant.
type rowSet struct {
	tenant     domain.TenantID
	generation int
}

// queue takes a statement that is run later in the same transaction.
type queue func(sql string, args ...any)

// applyPage is apply for a page of the feed or of a build.
func (m *model[K, R]) applyPage(ctx context.Context, p *feed.Page) error {
	return m.apply(ctx, p.Tx, rowSet{p.Tenant, p.Generation}, p.Events, p.Queue)
}

// apply folds events of one tenant, in order, into the rows of a generation. It loads the
// touched rows through tx and queues the writes: one statement for all rows that change
// and one for all that are deleted.
func (m *model[K, R]) apply(ctx context.Context, tx pgx.Tx, rows rowSet, events []domain.Recorded, write queue) error {
	w, err := m.plan(events)
	if err != nil || len(w.rows) == 0 {
		return err
	}
	if err := m.load(ctx, tx, rows, w); err != nil {
		return fmt.Errorf("read model %s: load rows: %w", m.Name, err)
	}
	if err := m.foldAll(w, events); err != nil {
		return err
	}
	m.save(rows, w, write)
	return nil
}

// plan finds the rows that events touch.
func (m *model[K, R]) plan(events []domain.Recorded) (*work[K, R], error) {
	w := &work[K, R]{index: map[K]int{}}
	for i, e := range events {
		key, ok, err := m.touched(e)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		row, found := w.index[key]
		if !found {
			row = len(w.rows)
			w.rows = append(w.rows, touchedRow[K, R]{key: key, created: slices.Contains(m.Creates, e.Event.EventType())})
			if !m.InsertOnly { // its keys are unique
				w.index[key] = row
			}
		}
		w.steps = append(w.steps, step{i, row})
	}
	return w, nil
}

// foldAll folds events, in order and in memory, into the rows that they touch.
func (m *model[K, R]) foldAll(w *work[K, R], events []domain.Recorded) error {
	for _, s := range w.steps {
		e, touched := events[s.event], &w.rows[s.row]
		row, err := m.step(touched.row, touched.key, e)
		if err != nil {
			return err
		}
		touched.row, touched.seq = row, e.Seq
	}
	return nil
}

// step folds one event into the row with its key.
func (m *model[K, R]) step(row *R, key K, e domain.Recorded) (*R, error) {
	next, err := m.Fold(row, e)
	if err != nil {
		return nil, fmt.Errorf("read model %s: fold event %d (%s) of tenant %s: %w", m.Name, e.Seq, e.Event.EventType(), e.Tenant, err)
	}
	// An event of something that was never created folds into a row without a key.
	if next != nil && m.KeyOf(next) != key {
		return nil, fmt.Errorf("read model %s: event %d (%s) of tenant %s: there is no row that it could change",
			m.Name, e.Seq, e.Event.EventType(), e.Tenant)
	}
	return next, nil
}

// load reads the touched rows, but for those that are created.
func (m *model[K, R]) load(ctx context.Context, tx pgx.Tx, set rowSet, w *work[K, R]) error {
	if m.InsertOnly {
		return nil
	}
	var keys pgtype.FlatArray[K]
	for _, t := range w.rows {
		if !t.created {
			keys = append(keys, t.key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, m.sql.load, set.tenant.UUID(), set.generation, keys)
	if err != nil {
		return err
	}
	list, err := pgx.CollectRows(rows, m.scan(set.tenant))
	if err != nil {
		return err
	}
	for i := range list {
		w.rows[w.index[m.KeyOf(&list[i])]].row = &list[i]
	}
	return nil
}

// scan reads a row of a query that selects the model's columns.
func (m *model[K, R]) scan(t domain.TenantID) pgx.RowToFunc[R] {
	return func(row pgx.CollectableRow) (R, error) {
		var r R
		if err := row.Scan(m.targets(&r)...); err != nil {
			return r, err
		}
		if m.Complete != nil {
			m.Complete(&r, t)
		}
		return r, nil
	}
}

// targets are what the model's columns are scanned into, followed by more.
func (m *model[K, R]) targets(r *R, more ...any) []any {
	targets := make([]any, 0, len(m.Columns)+len(more))
	for _, c := range m.Columns {
		targets = append(targets, c.target(r))
	}
	return append(targets, more...)
}

// save queues the writes of all touched rows.
func (m *model[K, R]) save(set rowSet, w *work[K, R], write queue) {
	var (
		deleted pgtype.FlatArray[K]
		kept    = make([]*R, 0, len(w.rows))
		seqs    = make([]int64, 0, len(w.rows))
	)
	for _, t := range w.rows {
		if t.row == nil {
			deleted = append(deleted, t.key)
			continue
		}
		kept, seqs = append(kept, t.row), append(seqs, t.seq)
	}
	if len(kept) > 0 {
		args := []any{set.tenant.UUID(), set.generation, seqs}
		for _, c := range m.Columns {
			args = append(args, c.array(kept))
		}
		write(m.sql.write, args...)
	}
	if len(deleted) > 0 {
		write(m.sql.remove, set.tenant.UUID(), set.generation, deleted)
	}
}
