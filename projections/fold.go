package projections

import (
	"context"
	"fmt"
	"slices"

	"docket/domain"
	"docket/eventstore/feed"

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
	// key is the name of the key's column, keyType its type, lowest the key before all
	// others, and compared are the other columns.
	key, keyType, lowest string
	compared             []string
	// compare is the statement that compares two generations.
	compare string
	// fill folds a page into the rows of its generation, through its transaction.
	fill func(context.Context, *feed.Page) error
	// wants reports whether an event touches a row, or can't be judged.
	wants func(domain.Recorded) bool
}

// erase forgets the types of a model.
func (m *model[K, R]) erase() readModel {
	return readModel{
		name: m.Name, foldVersion: m.FoldVersion, table: m.Table, ignores: m.Ignores,
		key: m.Key, keyType: m.keyType(), lowest: m.lowest(), compared: m.compared(), compare: m.sql.compare,
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
// subscribes to an feed.Feed.
func Subscriptions() map[string]message.NoPublishHandlerFunc {
	handlers := map[string]message.NoPublishHandlerFunc{}
	for _, m := range readModels() {
		handlers[m.name] = feed.Handle(m.fill)
	}
	return handlers
}

// Interests say of each subscription which events touch its rows.
func Interests() map[string]feed.Interest {
	interests := map[string]feed.Interest{}
	for _, m := range readModels() {
		interests[m.name] = m.interest()
	}
	return interests
}

func (m readModel) interest() feed.Interest {
	return feed.Interest{Ignores: m.ignores, NoMeta: true, Handles: m.wants, FoldVersion: m.foldVersion}
}

// work is what a page does to the rows of a model.
type work[K comparable, R any] struct {
	// rows are those that it touches, in order of the first touch, and at where each
	// stands among them.
	rows []worked[K, R]
	at   map[K]int
	// steps are the events that touch one.
	steps []step
}

// worked is a row in work.
type worked[K comparable, R any] struct {
	key K
	// begins: what there was before counts for nothing.
	begins bool
	// row is nil where there is none, and seq the last event that touched it.
	row *R
	seq int64
}

// step is an event and the row that it touches, by their places in page and work.
type step struct{ event, row int }

func (m *model[K, R]) fill(ctx context.Context, p *feed.Page) error {
	w, err := m.plan(p.Events)
	if err != nil || len(w.rows) == 0 {
		return err
	}
	if err := m.load(ctx, p, w); err != nil {
		return fmt.Errorf("read model %s: load rows: %w", m.Name, err)
	}
	if err := m.foldAll(w, p.Events); err != nil {
		return err
	}
	m.save(p, w)
	return nil
}

// plan finds what a page touches.
func (m *model[K, R]) plan(page []domain.Recorded) (*work[K, R], error) {
	w := &work[K, R]{at: map[K]int{}}
	for i, e := range page {
		key, ok, err := m.touched(e)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		row, there := w.at[key]
		if !there {
			row = len(w.rows)
			w.rows = append(w.rows, worked[K, R]{key: key, begins: slices.Contains(m.Begins, e.Event.EventType())})
			if !m.InsertOnly { // each of those has a key of its own
				w.at[key] = row
			}
		}
		w.steps = append(w.steps, step{i, row})
	}
	return w, nil
}

// foldAll folds a page in order over the rows that it touches, in memory.
func (m *model[K, R]) foldAll(w *work[K, R], page []domain.Recorded) error {
	for _, s := range w.steps {
		e, at := page[s.event], &w.rows[s.row]
		row, err := m.step(at.row, at.key, e)
		if err != nil {
			return err
		}
		at.row, at.seq = row, e.Seq
	}
	return nil
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

// load reads the rows that a page touches and doesn't begin.
func (m *model[K, R]) load(ctx context.Context, p *feed.Page, w *work[K, R]) error {
	if m.InsertOnly {
		return nil
	}
	var keys pgtype.FlatArray[K]
	for _, at := range w.rows {
		if !at.begins {
			keys = append(keys, at.key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	rows, err := p.Tx.Query(ctx, m.sql.load, p.Tenant.UUID(), p.Generation, keys)
	if err != nil {
		return err
	}
	list, err := pgx.CollectRows(rows, m.scan(p.Tenant))
	if err != nil {
		return err
	}
	for i := range list {
		w.rows[w.at[m.KeyOf(&list[i])]].row = &list[i]
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

// targets are what the model's columns are scanned into, and more behind them.
func (m *model[K, R]) targets(r *R, more ...any) []any {
	targets := make([]any, 0, len(m.Columns)+len(more))
	for _, c := range m.Columns {
		targets = append(targets, c.target(r))
	}
	return append(targets, more...)
}

// save writes each touched row once, with the checkpoint.
func (m *model[K, R]) save(p *feed.Page, w *work[K, R]) {
	var (
		gone pgtype.FlatArray[K]
		kept = make([]*R, 0, len(w.rows))
		seqs = make([]int64, 0, len(w.rows))
	)
	for _, at := range w.rows {
		if at.row != nil {
			kept, seqs = append(kept, at.row), append(seqs, at.seq)
		} else {
			gone = append(gone, at.key)
		}
	}
	if len(kept) > 0 {
		args := []any{p.Tenant.UUID(), p.Generation, seqs}
		for _, c := range m.Columns {
			args = append(args, c.array(kept))
		}
		p.Queue(m.sql.write, args...)
	}
	if len(gone) > 0 {
		p.Queue(m.sql.remove, p.Tenant.UUID(), p.Generation, gone)
	}
}
