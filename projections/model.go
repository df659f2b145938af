package projections

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"docket/domain"
	"docket/eventstore/feed"

	"github.com/google/uuid"
)

// model is a read model: rows of type R by keys of type K.
type model[K comparable, R any] struct {
	// Name is also the name of the subscription that keeps the rows.
	Name string
	// FoldVersion is raised by each change of Fold that makes other rows of the same
	// events. An interrupted rebuild isn't resumed by another version.
	FoldVersion int
	Table       string
	// Keys says which row an event touches, for each type that touches one.
	Keys map[string]func(domain.Recorded) K
	// Touches narrows Keys to the events that change the row; nil: all do. The row isn't
	// loaded for other events.
	Touches func(domain.Recorded) bool
	// Ignores are the types that touch no row. A type in neither is an error.
	Ignores []string
	// Creates are the types whose row doesn't depend on a row that was there before: none
	// is loaded for them.
	Creates []string
	// Fold is pure: the row after an event, or nil if there is none. row is nil if there
	// was none. The event has no Meta: a build doesn't read it.
	Fold func(row *R, e domain.Recorded) (*R, error)
	// Key is the name of the key's column, and KeyOf its value.
	Key   string
	KeyOf func(*R) K
	// Complete fills the fields of a row that no column holds. It may be nil.
	Complete func(*R, domain.TenantID)
	// InsertOnly says that each event makes a row of its own, so none is loaded.
	InsertOnly bool
	Columns    []column[R]

	sql statements
	// keys is Keys, with nil for each ignored type.
	keys map[string]func(domain.Recorded) K
}

// statements are those of a model. Their first parameters are the tenant ($1) and the
// generation ($2).
type statements struct {
	// load reads the rows with some keys ($3).
	load string
	// write inserts rows, or overwrites those with the same keys ($3 their seqs,
	// then an array for each column).
	write string
	// remove deletes the rows with some keys ($3).
	remove string
}

// define completes a model with its statements.
func define[K comparable, R any](m model[K, R]) *model[K, R] {
	m.keys = maps.Clone(m.Keys)
	for _, t := range m.Ignores {
		m.keys[t] = nil
	}
	var params, updates []string
	for i, c := range m.Columns {
		params = append(params, fmt.Sprintf("$%d::%s[]", i+4, c.typ))
		if c.name != m.Key {
			updates = append(updates, fmt.Sprintf("%s = excluded.%s", c.name, c.name))
		}
	}
	keyType := m.keyType()
	// The limit makes the planner look each key up: without statistics it would read the
	// whole tenant.
	each := func(columns string) string {
		return "select r.* from unnest($3::" + keyType + "[]) as k (key), lateral (\n" +
			"  select " + columns + " from " + m.Table + " where tenant_id = $1 and generation = $2 and " + m.Key + " = k.key limit 1) as r"
	}
	m.sql = statements{
		load: each(m.columns("")),
		write: "insert into " + m.Table + " (tenant_id, generation, seq, " + m.columns("") + ")\n" +
			"select $1, $2, u.* from unnest($3::bigint[], " + strings.Join(params, ", ") + ") as u",
		remove: "delete from " + m.Table + " where ctid = any (array (\n" + each("ctid") + "))",
	}
	if !m.InsertOnly {
		m.sql.write += "\non conflict (tenant_id, generation, " + m.Key + ") do update set seq = excluded.seq, " +
			strings.Join(updates, ", ")
	}
	return &m
}

// keyType is the type of the key's column.
func (m *model[K, R]) keyType() string {
	if slices.ContainsFunc(m.Columns, func(c column[R]) bool { return c.name == m.Key }) {
		return "uuid"
	}
	return "bigint" // the seq, which every table has
}

// otherColumns are all that a fold writes but the key.
func (m *model[K, R]) otherColumns() []string {
	var names []string
	if m.Key != "seq" {
		names = append(names, "seq")
	}
	for _, c := range m.Columns {
		if c.name != m.Key {
			names = append(names, c.name)
		}
	}
	return names
}

// columns is the list of the model's columns, each with a prefix such as "p.".
func (m *model[K, R]) columns(prefix string) string {
	var list []string
	for _, c := range m.Columns {
		list = append(list, prefix+c.name)
	}
	return strings.Join(list, ", ")
}

// touched is the key of the row that an event touches; ok is false if it touches none.
func (m *model[K, R]) touched(e domain.Recorded) (key K, ok bool, err error) {
	of, known := m.keys[e.Event.EventType()]
	switch {
	case !known:
		return key, false, fmt.Errorf("%w: read model %s does not handle %s", domain.ErrUnknownEvent, m.Name, e.Event.EventType())
	case of == nil || m.Touches != nil && !m.Touches(e):
		return key, false, nil
	}
	return of(e), true, nil
}

// generation is the expression for the generation of the model's rows that a tenant, an
// expression too, reads.
func (m *model[K, R]) generation(tenant string) string {
	return feed.Checkpoints{}.Generation(m.Name, tenant)
}

// byStream is the key of a row that folds one stream.
func byStream(e domain.Recorded) uuid.UUID { return e.Stream.ID }

// streamKeys are the keys of a model that folds streams, by their types of events.
func streamKeys(types []string) map[string]func(domain.Recorded) uuid.UUID {
	keys := map[string]func(domain.Recorded) uuid.UUID{}
	for _, t := range types {
		keys[t] = byStream
	}
	return keys
}

// byEvolve is the fold of a model whose rows are an aggregate's state: the
// aggregate's own Evolve. exists says whether the state is a row.
func byEvolve[R any](evolve func(R, domain.Recorded) (R, error), exists func(R) bool) func(*R, domain.Recorded) (*R, error) {
	return func(row *R, e domain.Recorded) (*R, error) {
		var state R
		if row != nil {
			state = *row
		}
		next, err := evolve(state, e)
		if err != nil {
			return nil, err
		}
		if !exists(next) {
			return nil, nil
		}
		return &next, nil
	}
}
