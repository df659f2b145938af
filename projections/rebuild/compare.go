package rebuild

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/projections"

	"github.com/jackc/pgx/v5"
)

// Kind is how a live row differs from a fresh fold of the log.
type Kind string

// The kinds of differences.
const (
	// Missing: only the fresh fold has the row.
	Missing Kind = "missing"
	// Extra: only the live rows have it.
	Extra Kind = "extra"
	// Changed: both have it, and some columns differ.
	Changed Kind = "changed"
)

// Difference is a row that isn't what a fold of the log makes.
type Difference struct {
	Tenant domain.TenantID
	Model  string
	Key    string
	Kind   Kind
	// Columns are those that differ; all of a row that is missing or extra.
	Columns []ColumnDifference
}

// ColumnDifference is a column of a row, as JSON. Live is nil if the row is missing, and
// Fresh if it is extra.
type ColumnDifference struct {
	Name        string
	Live, Fresh json.RawMessage
}

// lowestKey is the least value of a read model's key.
func lowestKey(m projections.ReadModel) string {
	if m.KeyType == "uuid" {
		return "00000000-0000-0000-0000-000000000000"
	}
	return "-9223372036854775808"
}

// compareSQL compares a chunk of the rows of two generations ($2 the live one, $3 the
// fresh one): those after a key ($4; that one too if $5), up to the $6-th row of
// either. It gives the last key of the chunk (null: there are no more), how many live
// rows it has, and each row that differs, both sides as JSON; one line without a row
// if none differs.
func compareSQL(m projections.ReadModel) string {
	var live, fresh []string
	for _, name := range m.Columns {
		live, fresh = append(live, "l."+name), append(fresh, "f."+name)
	}
	side := func(generation string) string {
		return "select " + m.Key + " as key, " + strings.Join(m.Columns, ", ") + " from " + m.Table + "\n" +
			"  where tenant_id = $1 and generation = " + generation + " and " + m.Key + " >= $4::" + m.KeyType +
			" and ($5::bool or " + m.Key + " > $4::" + m.KeyType + ") order by " + m.Key + " limit $6"
	}
	within := func(side string) string {
		return "(select r.* from " + side + " r, chunk where chunk.last is null or r.key <= chunk.last)"
	}
	return "with live as materialized (" + side("$2") + "),\n" +
		"fresh as materialized (" + side("$3") + "),\n" +
		"chunk as materialized (select least((select key from live order by key offset $6 - 1 limit 1),\n" +
		"  (select key from fresh order by key offset $6 - 1 limit 1)) as last)\n" +
		"select chunk.last::text, (select count(*) from " + within("live") + " s), d.key::text, d.live, d.fresh\n" +
		"from chunk left join (\n" +
		"  select coalesce(l.key, f.key) as key,\n" +
		"    case when l.key is not null then to_json(l) end as live, case when f.key is not null then to_json(f) end as fresh\n" +
		"  from " + within("live") + " l full join " + within("fresh") + " f on f.key = l.key\n" +
		"  where l.key is null or f.key is null\n" +
		"    or (" + strings.Join(live, ", ") + ") is distinct from (" + strings.Join(fresh, ", ") + ")) d on true\n" +
		"order by d.key"
}

// chunk is the result of comparing some rows.
type chunk struct {
	// last is the last key; empty if there are no more rows.
	last string
	// rows are those on either side.
	rows        int64
	differences []Difference
	// bytes is the size of the rows that differ.
	bytes int
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// compareChunk compares the rows after a key ("": from the first) of the live and the
// fresh generation, up to limit of either.
func compareChunk(ctx context.Context, q querier, t domain.TenantID, m projections.ReadModel, at feed.PausedPositions, after string, limit int) (chunk, error) {
	from := after
	if after == "" {
		from = lowestKey(m)
	}
	var c chunk
	rows, err := q.Query(ctx, compareSQL(m), t.UUID(), at.Live, at.Next, from, after == "", limit)
	if err != nil {
		return c, fmt.Errorf("compare rows: %w", err)
	}
	var last, key *string
	var live, fresh []byte
	_, err = pgx.ForEachRow(rows, []any{&last, &c.rows, &key, &live, &fresh}, func() error {
		if last != nil {
			c.last = *last
		}
		if key == nil {
			return nil
		}
		d, err := difference(t, m, *key, live, fresh)
		if err != nil {
			return err
		}
		c.differences = append(c.differences, d)
		c.bytes += len(live) + len(fresh)
		return nil
	})
	if err != nil {
		return c, fmt.Errorf("compare rows: %w", err)
	}
	for _, d := range c.differences {
		if d.Kind == Missing {
			c.rows++
		}
	}
	return c, nil
}

// difference is how two rows with a key differ; one of them may be missing.
func difference(t domain.TenantID, m projections.ReadModel, key string, live, fresh []byte) (Difference, error) {
	d := Difference{Tenant: t, Model: m.Name, Key: key, Kind: Changed}
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
	for _, name := range m.Columns {
		c := ColumnDifference{Name: name, Live: slices.Clone(sides[0][name]), Fresh: slices.Clone(sides[1][name])}
		if d.Kind != Changed || !bytes.Equal(c.Live, c.Fresh) {
			d.Columns = append(d.Columns, c)
		}
	}
	return d, nil
}
