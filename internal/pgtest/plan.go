package pgtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// GenericPlan is the plan of a statement that a session keeps for whatever parameters.
func GenericPlan(t testing.TB, pool *pgxpool.Pool, sql string) (plan string, err error) {
	t.Helper()
	err = pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `set local plan_cache_mode = force_generic_plan`); err != nil {
			return err
		}
		const name = "planned"
		d, err := tx.Prepare(t.Context(), name, sql)
		if err != nil {
			return err
		}
		call := name
		if n := len(d.ParamOIDs); n > 0 {
			call += "(" + strings.TrimSuffix(strings.Repeat("null,", n), ",") + ")"
		}
		rows, err := tx.Query(t.Context(), "explain execute "+call, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			return err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		plan = strings.Join(lines, "\n")
		return tx.Conn().Deallocate(t.Context(), name)
	})
	return plan, err
}

// SQLConstants are the constants of the package under test whose names end in SQL. known
// are the values of other packages' constants that they are made of, by the names as they
// stand in the code, such as eventstore.Columns.
func SQLConstants(t testing.TB, known map[string]string) map[string]string {
	t.Helper()
	values, _ := declarations(t)
	out := map[string]string{}
	for name := range values {
		if isSQL(name) {
			out[name] = text(t, values, known, values[name])
		}
	}
	return out
}

// SQLFunctions are the functions of the package under test whose names end in SQL.
func SQLFunctions(t testing.TB) (names []string) {
	t.Helper()
	_, functions := declarations(t)
	for _, name := range functions {
		if isSQL(name) {
			names = append(names, name)
		}
	}
	return names
}

func isSQL(name string) bool { return strings.HasSuffix(strings.ToLower(name), "sql") }

// declarations are the values and the functions of the package under test.
func declarations(t testing.TB) (values map[string]ast.Expr, functions []string) {
	t.Helper()
	files, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	values = map[string]ast.Expr{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if len(n.Names) == len(n.Values) {
					for i, name := range n.Names {
						values[name.Name] = n.Values[i]
					}
				}
			case *ast.FuncDecl:
				functions = append(functions, n.Name.Name)
			}
			return true
		})
	}
	return values, functions
}

// text is the value of a constant made of literals and other constants.
func text(t testing.TB, values map[string]ast.Expr, known map[string]string, e ast.Expr) string {
	t.Helper()
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		if err != nil {
			t.Fatal(err)
		}
		return s
	case *ast.BinaryExpr:
		return text(t, values, known, e.X) + text(t, values, known, e.Y)
	case *ast.Ident:
		return text(t, values, known, values[e.Name])
	case *ast.SelectorExpr: // of another package
		if of, ok := e.X.(*ast.Ident); ok {
			if value, ok := known[of.Name+"."+e.Sel.Name]; ok {
				return value
			}
		}
	}
	t.Fatalf("a constant of %T can't be read", e)
	return ""
}

// WantIndexes checks that the plan of each statement uses an index and scans no table: the
// map's keys are statements, its values the indexes' names or what they begin with.
func WantIndexes(t testing.TB, pool *pgxpool.Pool, statements map[string]string) {
	t.Helper()
	for sql, index := range statements {
		plan, err := GenericPlan(t, pool, sql)
		if err != nil || strings.Contains(plan, "Seq Scan") || !strings.Contains(plan, index) {
			t.Errorf("%s, %v:\n%s", index, err, plan)
		}
	}
}
