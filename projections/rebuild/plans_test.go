package rebuild

import (
	"slices"
	"strings"
	"testing"

	"docket/eventstore"
	"docket/internal/pgtest"
	"docket/projections"
)

// statement is one of the package, and the index by which it finds its rows.
type statement struct {
	name, sql, index string
	// chunks is how many chunks of rows it reads by the index.
	chunks int
	// sorts: it sorts the rows of its chunks, once it has them.
	sorts bool
}

// statements are all of the package: its constants, and what its functions make for each
// read model.
func statements() []statement {
	list := []statement{
		{name: "head", sql: eventstore.HeadSQL, index: "events_pk", chunks: 1},
		{name: "eventsSumSQL", sql: eventsSumSQL, index: "events_pk", chunks: 1},
	}
	for _, m := range projections.ReadModels() {
		list = append(list,
			statement{name: "dropSQL " + m.Name, sql: dropSQL(m), index: m.Table + "_pk", chunks: 1},
			statement{name: "compareSQL " + m.Name, sql: compareSQL(m), index: m.Table + "_pk", chunks: 2, sorts: true},
		)
	}
	return list
}

// A plan that is made on empty tables is cached for long: on connections as the pools make
// them none may scan a table, and a chunk comes by the key in its order, without a sort of
// the rows after it.
func TestStatementsPlanWithoutScans(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, s := range statements() {
		plan, err := pgtest.GenericPlan(t, w.Engine, s.sql)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if n := strings.Count(plan, "using "+s.index); n != s.chunks {
			t.Errorf("%s: the plan reads %d times by %s, want %d:\n%s", s.name, n, s.index, s.chunks, plan)
		}
		bad := []string{"Seq Scan", "Bitmap"}
		if !s.sorts {
			bad = append(bad, "Sort")
		}
		for _, bad := range bad {
			if strings.Contains(plan, bad) {
				t.Errorf("%s: the plan has a %s:\n%s", s.name, bad, plan)
			}
		}
	}
}

// Every constant and function whose name ends in SQL is in the list above.
func TestPlansKnowEveryStatement(t *testing.T) {
	t.Parallel()
	names := pgtest.SQLFunctions(t)
	for name := range pgtest.SQLConstants(t, nil) {
		names = append(names, name)
	}
	for _, name := range names {
		if !slices.ContainsFunc(statements(), func(s statement) bool { return s.name == name || strings.HasPrefix(s.name, name+" ") }) {
			t.Errorf("TestStatementsPlanWithoutScans doesn't plan %s", name)
		}
	}
	if len(names) < 3 {
		t.Fatalf("found only %v", names)
	}
}
