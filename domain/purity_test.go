package domain_test

import (
	"go/ast"
	"slices"
	"strconv"
	"testing"
)

// allowed are the imports that the package may have. None of them reads a clock, a
// random source or the outside world, except through the names that usable excludes.
var allowed = []string{
	"bytes", "encoding", "encoding/json", "errors", "fmt", "net/mail", "reflect", "regexp", "slices", "strconv", "strings", "time",
	"unicode", "unicode/utf8",
	"github.com/google/uuid", "golang.org/x/net/idna", "golang.org/x/text/cases", "golang.org/x/text/unicode/norm", "golang.org/x/text/unicode/runenames",
	"github.com/yuin/goldmark/ast", "github.com/yuin/goldmark/parser", "github.com/yuin/goldmark/text", "github.com/yuin/goldmark/util",
}

// usable are the allowed names of packages that also have a clock or randomness.
var usable = map[string][]string{
	"time": {"Time", "Duration", "Hour", "Parse", "DateOnly", "RFC3339Nano"},
	"uuid": {"UUID", "Nil", "Parse", "ParseBytes"},
}

func TestDomainIsPure(t *testing.T) {
	t.Parallel()
	for name, f := range source(t) {
		for _, i := range f.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(allowed, path) || i.Name != nil {
				t.Errorf("%s imports %s, which isn't allowed, or imports it under another name", name, path)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				pkg, ok := n.X.(*ast.Ident)
				if !ok {
					break
				}
				if names, limited := usable[pkg.Name]; limited && !slices.Contains(names, n.Sel.Name) {
					t.Errorf("%s uses %s.%s", name, pkg.Name, n.Sel.Name)
				}
				if pkg.Name == "fmt" && (n.Sel.Name[0] == 'P' || n.Sel.Name[0] == 'F') {
					t.Errorf("%s writes with fmt.%s", name, n.Sel.Name)
				}
			case *ast.GoStmt, *ast.ChanType, *ast.SelectStmt:
				t.Errorf("%s uses concurrency", name)
			}
			return true
		})
	}
}
