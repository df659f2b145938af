package projections

import (
	"context"
	"fmt"

	"docket/domain"
	"docket/eventstore"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// readModel is a model without its types: what the feed and a rebuild need.
type readModel struct {
	name        string
	foldVersion int
	table       string
	ignores     []string
	meta        bool
	// key is the name of the key's column, lowest the key before all others, and
	// compared are the other columns.
	key, lowest string
	compared    []string
	// compare is the statement that compares two generations.
	compare string
	// fill folds a page into the rows of its generation, through its transaction.
	fill func(context.Context, *eventstore.Page) error
	// wants reports whether an event touches a row, or can't be judged.
	wants func(domain.Recorded) bool
}

// erase forgets the types of a model.
func (m *model[K, R]) erase() readModel {
	return readModel{
		name: m.Name, foldVersion: m.FoldVersion, table: m.Table, ignores: m.Ignores, meta: m.Meta,
		key: m.Key, lowest: m.lowest(), compared: m.compared(), compare: m.sql.compare,
		fill: m.fill,
		wants: func(e domain.Recorded) bool {
			_, ok, err := m.touched(e)
			return ok || err != nil
		},
	}
}

// readModels are all there are, in the order in which they are rebuilt.
func readModels() []readModel {
	return []readModel{tenants.erase(), members.erase(), projects.erase(), tasks.erase(), comments.erase(), search.erase(), summaries.erase(), cycles.erase(), activity.erase()}
}

// Models are the names of the read models, which are those of their
// subscriptions too.
func Models() []string {
	var names []string
	for _, m := range readModels() {
		names = append(names, m.name)
	}
	return names
}

// Tables are the tables of the read models' rows, by read model.
func Tables() map[string]string {
	tables := map[string]string{}
	for _, m := range readModels() {
		tables[m.name] = m.table
	}
	return tables
}

// FoldVersions are the versions of the folds that this program has, by read model.
func FoldVersions() map[string]int {
	versions := map[string]int{}
	for _, m := range readModels() {
		versions[m.name] = m.foldVersion
	}
	return versions
}

// Subscriptions are the handlers that keep the read models, by the names of
// their subscriptions. The caller adds them to a Watermill Router that
// subscribes to an eventstore.Feed.
func Subscriptions() map[string]message.NoPublishHandlerFunc {
	handlers := map[string]message.NoPublishHandlerFunc{}
	for _, m := range readModels() {
		handlers[m.name] = eventstore.Handle(m.fill)
	}
	return handlers
}

// Wants says of each subscription which events touch its rows.
func Wants() map[string]func(domain.Recorded) bool {
	wants := map[string]func(domain.Recorded) bool{}
	for _, m := range readModels() {
		wants[m.name] = m.wants
	}
	return wants
}

// work is the rows that a page touches: the present ones, and in order of the
// first touch what becomes of them.
type work[K comparable, R any] struct {
	rows  map[K]*R
	seqs  map[K]int64
	order []K
}

func (m *model[K, R]) fill(ctx context.Context, p *eventstore.Page) error {
	keys, events, err := m.relevant(p.Events)
	if err != nil || len(events) == 0 {
		return err
	}
	rows := map[K]*R{}
	if !m.InsertOnly {
		if rows, err = m.load(ctx, p, keys); err != nil {
			return fmt.Errorf("read model %s: load rows: %w", m.Name, err)
		}
	}
	done, err := m.foldAll(rows, events)
	if err != nil {
		return err
	}
	if err := m.save(ctx, p, done); err != nil {
		return fmt.Errorf("read model %s: write rows: %w", m.Name, err)
	}
	return nil
}

// relevant are the events that touch a row, and the keys of those rows, each once.
func (m *model[K, R]) relevant(page []domain.Recorded) (keys []K, events []domain.Recorded, err error) {
	seen := map[K]bool{}
	for _, e := range page {
		key, ok, err := m.touched(e)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			continue
		}
		events = append(events, e)
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	return keys, events, nil
}

// foldAll folds events in order over rows, in memory. rows is changed.
func (m *model[K, R]) foldAll(rows map[K]*R, events []domain.Recorded) (work[K, R], error) {
	w := work[K, R]{rows: rows, seqs: map[K]int64{}}
	for _, e := range events {
		key, ok, err := m.touched(e)
		if err != nil {
			return w, err
		}
		if !ok {
			continue
		}
		row, err := m.step(w.rows[key], key, e)
		if err != nil {
			return w, err
		}
		if _, touched := w.seqs[key]; !touched {
			w.order = append(w.order, key)
		}
		w.rows[key], w.seqs[key] = row, e.Seq
	}
	return w, nil
}

// step folds one event over the row with its key.
func (m *model[K, R]) step(row *R, key K, e domain.Recorded) (*R, error) {
	next, err := m.Fold(row, e)
	if err != nil {
		return nil, fmt.Errorf("read model %s: fold event %d (%s) of tenant %s: %w", m.Name, e.Seq, e.Event.EventType(), e.Tenant, err)
	}
	// An event of something that never began folds into a row without a key.
	if next != nil && m.KeyOf(next) != key {
		return nil, fmt.Errorf("read model %s: event %d (%s) of tenant %s: there is no row that it could change",
			m.Name, e.Seq, e.Event.EventType(), e.Tenant)
	}
	return next, nil
}

func (m *model[K, R]) load(ctx context.Context, p *eventstore.Page, keys []K) (map[K]*R, error) {
	rows, err := p.Tx.Query(ctx, m.sql.load, p.Tenant.UUID(), p.Generation, pgtype.FlatArray[K](keys))
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, m.scan(p.Tenant))
	if err != nil {
		return nil, err
	}
	byKey := make(map[K]*R, len(list))
	for i := range list {
		byKey[m.KeyOf(&list[i])] = &list[i]
	}
	return byKey, nil
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

// targets are what the model's columns are scanned into, and more behind them.
func (m *model[K, R]) targets(r *R, more ...any) []any {
	targets := make([]any, 0, len(m.Columns)+len(more))
	for _, c := range m.Columns {
		targets = append(targets, c.target(r))
	}
	return append(targets, more...)
}

// save writes each touched row once, in one round trip.
func (m *model[K, R]) save(ctx context.Context, p *eventstore.Page, w work[K, R]) error {
	var (
		gone []K
		kept []*R
		seqs []int64
	)
	for _, key := range w.order {
		if row := w.rows[key]; row != nil {
			kept, seqs = append(kept, row), append(seqs, w.seqs[key])
		} else {
			gone = append(gone, key)
		}
	}
	b := &pgx.Batch{}
	if len(kept) > 0 {
		args := []any{p.Tenant.UUID(), p.Generation, seqs}
		for _, c := range m.Columns {
			args = append(args, c.array(kept))
		}
		b.Queue(m.sql.write, args...)
	}
	if len(gone) > 0 {
		b.Queue(m.sql.remove, p.Tenant.UUID(), p.Generation, pgtype.FlatArray[K](gone))
	}
	return p.Tx.SendBatch(ctx, b).Close()
}
