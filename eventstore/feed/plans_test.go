package feed_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"docket/eventstore"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
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
		pool := f.engine
		if slices.Contains(apiStatements, name) {
			pool = f.api
		}
		plan, err := genericPlan(t, pool, name, sql)
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
		plan, err := genericPlan(t, f.engine, name, all[name])
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
	plan, err := genericPlan(t, f.api, "positionsSQL", sqlConstants(t)["positionsSQL"])
	if err != nil || !strings.Contains(plan, "checkpoints_pk") || strings.Contains(plan, "Sort") || strings.Contains(plan, "Bitmap") {
		t.Errorf("want a plan by checkpoints_pk without a sort or a bitmap: %v\n%s", err, plan)
	}
}

// genericPlan is the plan of a statement that is cached for whatever parameters.
func genericPlan(t *testing.T, pool *pgxpool.Pool, name, sql string) (plan string, err error) {
	err = pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `set local plan_cache_mode = force_generic_plan`); err != nil {
			return err
		}
		d, err := tx.Prepare(t.Context(), name, sql)
		if err != nil {
			return err
		}
		call := pgx.Identifier{name}.Sanitize()
		if n := len(d.ParamOIDs); n > 0 {
			call += "(" + strings.TrimSuffix(strings.Repeat("null,", n), ",") + ")"
		}
		rows, err := tx.Query(t.Context(), "explain execute "+call, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			return err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		plan = strings.Join(lines, "\n")
		return err
	})
	return plan, err
}

// sqlConstants are the package's constants whose names end in SQL.
func sqlConstants(t *testing.T) map[string]string {
	t.Helper()
	files, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]ast.Expr{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == len(spec.Values) {
				for i, name := range spec.Names {
					all[name.Name] = spec.Values[i]
				}
			}
			return true
		})
	}
	out := map[string]string{}
	for name, value := range all {
		if strings.HasSuffix(strings.ToLower(name), "sql") {
			out[name] = text(t, all, value)
		}
	}
	for _, name := range slices.Concat(apiStatements, unplanned) {
		if _, ok := out[name]; !ok {
			t.Errorf("there is no constant %s any more", name)
		}
	}
	return out
}

// text is the value of a constant made of literals and other constants.
func text(t *testing.T, all map[string]ast.Expr, e ast.Expr) string {
	t.Helper()
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		if err != nil {
			t.Fatal(err)
		}
		return s
	case *ast.BinaryExpr:
		return text(t, all, e.X) + text(t, all, e.Y)
	case *ast.Ident:
		return text(t, all, all[e.Name])
	case *ast.SelectorExpr: // of the event store
		return map[string]string{"Columns": eventstore.Columns, "FoldColumns": eventstore.FoldColumns, "ScopeSQL": eventstore.ScopeSQL}[e.Sel.Name]
	}
	t.Fatalf("a constant of %T can't be read", e)
	return ""
}
