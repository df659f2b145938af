package feed_test

import (
	"slices"
	"strings"
	"testing"

	"docket/eventstore"
	"docket/internal/pgtest"
)

// apiStatements are the SQL constants that run as the api role; all others run
// as the engine role.
var apiStatements = []string{"positionsSQL", "incompleteSQL"}

// unplanned are the SQL constants that can't be explained alone: the append
// function's call hides its statements, which TestAppendFunctionPlans counts, and
// the others are parts of statements.
var unplanned = []string{"followedSQL", "pendingBuildsJoinSQL", "pendingBuildsSelectSQL", "pageFromSQL", "sweepJoinSQL", "sweepSelectSQL"}

// Plans that are made on empty tables are cached for long: on connections as the
// pools make them none may scan a table.
func TestStatementsPlanWithoutScans(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for name, sql := range sqlConstants(t) {
		if slices.Contains(unplanned, name) {
			continue
		}
		pool := f.Engine
		if slices.Contains(apiStatements, name) {
			pool = f.API
		}
		plan, err := pgtest.GenericPlan(t, pool, sql)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(plan, "Seq Scan") {
			t.Errorf("%s:\n%s", name, plan)
		}
	}
}

// A page's events are found by the log's key alone, and come in its order.
func TestPagesPlanByTheLogsKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	all := sqlConstants(t)
	for _, name := range []string{"pageSQL", "pageNoMetaSQL"} {
		plan, err := pgtest.GenericPlan(t, f.Engine, all[name])
		if err != nil || strings.Contains(plan, "Sort") || !strings.Contains(plan, "Index Scan using events_pk") ||
			!strings.Contains(plan, "Index Cond: ((tenant_id = $1) AND (seq > $2) AND (seq <= $3))") {
			t.Errorf("%s: %v\n%s", name, err, plan)
		}
	}
}

// A tenant's positions are found by the key of the checkpoints, in one step.
func TestPositionsPlanByTheCheckpointsKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	plan, err := pgtest.GenericPlan(t, f.API, sqlConstants(t)["positionsSQL"])
	if err != nil || !strings.Contains(plan, "checkpoints_pk") || strings.Contains(plan, "Sort") || strings.Contains(plan, "Bitmap") {
		t.Errorf("want a plan by checkpoints_pk without a sort or a bitmap: %v\n%s", err, plan)
	}
}

// sqlConstants are the package's constants whose names end in SQL.
func sqlConstants(t *testing.T) map[string]string {
	t.Helper()
	out := pgtest.SQLConstants(t, map[string]string{
		"eventstore.Columns": eventstore.Columns, "eventstore.FoldColumns": eventstore.FoldColumns, "eventstore.ScopeSQL": eventstore.ScopeSQL,
	})
	for _, name := range slices.Concat(apiStatements, unplanned) {
		if _, ok := out[name]; !ok {
			t.Errorf("there is no constant %s any more", name)
		}
	}
	return out
}
