package projections

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"docket/domain"
	"docket/eventstore/feed"

	"github.com/jackc/pgx/v5"
)

// Kind is how a live row differs from a fresh fold of the log.
type Kind string

const (
	// Missing: the fresh fold has the row, and the live rows haven't.
	Missing Kind = "missing"
	// Extra: the live rows have it, and the fresh fold hasn't.
	Extra Kind = "extra"
	// Changed: both have it, and some columns differ.
	Changed Kind = "changed"
)

// Difference is a row that isn't what the log makes of it.
type Difference struct {
	Tenant domain.TenantID
	Model  string
	Key    string
	Kind   Kind
	// Columns are those that differ; all of a row that is missing or extra.
	Columns []ColumnDifference
}

// ColumnDifference is a column of a row, as JSON. Live is nil where the row is missing,
// and Fresh where it is extra.
type ColumnDifference struct {
	Name        string
	Live, Fresh json.RawMessage
}

// compared are the columns in which two generations are compared: all but the key.
func (m *model[K, R]) compared() []string {
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

// lowest is the least key that there can be.
func (m *model[K, R]) lowest() string {
	if m.keyType() == "uuid" {
		return "00000000-0000-0000-0000-000000000000"
	}
	return "-9223372036854775808"
}

// compareSQL compares a run of the rows of two generations ($2 the live one, $3 the
// fresh one): those after a key ($4; that one too if $5), up to the $6-th row of
// either. It gives the last key of the run (null: there are no more), how many live
// rows it has, and each row that differs, both sides as JSON; one line without a row
// where none differs.
func (m *model[K, R]) compareSQL() string {
	var live, fresh []string
	for _, name := range m.compared() {
		live, fresh = append(live, "l."+name), append(fresh, "f."+name)
	}
	side := func(generation string) string {
		return "select " + m.Key + " as key, " + strings.Join(m.compared(), ", ") + " from " + m.Table + "\n" +
			"  where tenant_id = $1 and generation = " + generation + " and " + m.Key + " >= $4::" + m.keyType() +
			" and ($5::bool or " + m.Key + " > $4::" + m.keyType() + ") order by " + m.Key + " limit $6"
	}
	within := func(side string) string {
		return "(select r.* from " + side + " r, run where run.last is null or r.key <= run.last)"
	}
	return "with live as materialized (" + side("$2") + "),\n" +
		"fresh as materialized (" + side("$3") + "),\n" +
		"run as materialized (select least((select key from live order by key offset $6 - 1 limit 1),\n" +
		"  (select key from fresh order by key offset $6 - 1 limit 1)) as last)\n" +
		"select run.last::text, (select count(*) from " + within("live") + " s), d.key::text, d.live, d.fresh\n" +
		"from run left join (\n" +
		"  select coalesce(l.key, f.key) as key,\n" +
		"    case when l.key is not null then to_json(l) end as live, case when f.key is not null then to_json(f) end as fresh\n" +
		"  from " + within("live") + " l full join " + within("fresh") + " f on f.key = l.key\n" +
		"  where l.key is null or f.key is null\n" +
		"    or (" + strings.Join(live, ", ") + ") is distinct from (" + strings.Join(fresh, ", ") + ")) d on true\n" +
		"order by d.key"
}

// run is a run of rows that was compared.
type run struct {
	// last is its last key; empty where there are no more.
	last string
	// rows are those on either side.
	rows        int64
	differences []Difference
	// bytes is how long the rows that differ are.
	bytes int
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// compareRun compares the rows after a key ("": from the first) of two generations, up
// to limit of either.
func (m readModel) compareRun(ctx context.Context, q querier, t domain.TenantID, s feed.PausedPositions, after string, limit int) (run, error) {
	from := after
	if after == "" {
		from = m.lowest
	}
	var r run
	rows, err := q.Query(ctx, m.compare, t.UUID(), s.Live, s.Next, from, after == "", limit)
	if err != nil {
		return r, fmt.Errorf("compare rows: %w", err)
	}
	var last, key *string
	var live, fresh []byte
	_, err = pgx.ForEachRow(rows, []any{&last, &r.rows, &key, &live, &fresh}, func() error {
		if last != nil {
			r.last = *last
		}
		if key == nil {
			return nil
		}
		d, err := m.difference(t, *key, live, fresh)
		if err != nil {
			return err
		}
		r.differences = append(r.differences, d)
		r.bytes += len(live) + len(fresh)
		return nil
	})
	if err != nil {
		return r, fmt.Errorf("compare rows: %w", err)
	}
	for _, d := range r.differences {
		if d.Kind == Missing {
			r.rows++
		}
	}
	return r, nil
}

// difference tells in what two rows differ, of which one may be missing.
func (m readModel) difference(t domain.TenantID, key string, live, fresh []byte) (Difference, error) {
	d := Difference{Tenant: t, Model: m.name, Key: key, Kind: Changed}
	switch {
	case live == nil:
		d.Kind = Missing
	case fresh == nil:
		d.Kind = Extra
	}
	var sides [2]map[string]json.RawMessage
	for i, row := range [][]byte{live, fresh} {
		if row == nil {
			continue
		}
		if err := json.Unmarshal(row, &sides[i]); err != nil {
			return d, fmt.Errorf("row %s: %w", key, err)
		}
	}
	for _, name := range m.compared {
		c := ColumnDifference{Name: name, Live: slices.Clone(sides[0][name]), Fresh: slices.Clone(sides[1][name])}
		if d.Kind != Changed || !bytes.Equal(c.Live, c.Fresh) {
			d.Columns = append(d.Columns, c)
		}
	}
	return d, nil
}
