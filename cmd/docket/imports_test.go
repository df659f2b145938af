package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "docket"

// arrows are the directions of imports: for each folder the folders of ours that
// it may import. A folder that isn't here may not exist.
var arrows = map[string][]string{
	"domain":               {},
	"eventstore":           {"domain", "internal/wait"},
	"eventstore/feed":      {"domain", "eventstore", "internal/wait"},
	"accounts":             {"domain", "eventstore", "internal/seal"},
	"commands":             {"domain", "eventstore", "eventstore/feed"},
	"projections":          {"domain", "eventstore", "eventstore/feed", "projections/fulltext"},
	"projections/fulltext": {"domain"},
	"projections/rebuild":  {"domain", "eventstore", "eventstore/feed", "projections", "internal/wait"},
	"notify":               {"domain", "eventstore", "eventstore/feed", "internal/seal"},
	"httpapi":              {"domain", "accounts", "commands", "projections", "notify", "httpapi/edge"},
	"httpapi/edge":         {"domain", "accounts", "commands"},
	"internal/apitest":     {},
	"internal/cli":         {},
	"internal/postgres":    {},
	"internal/seal":        {},
	"internal/tenanttest":  {"domain", "eventstore", "eventstore/feed", "internal/pgtest", "internal/postgres"},
	"internal/wait":        {},
	"migrations":           {"internal/postgres"},
	"internal/pgtest":      {"internal/postgres", "migrations"},
	// Nothing but tests, and the program that breaks the code to try them.
	"internal/faults":         {},
	"internal/faults/mutants": {},
	"internal/released":       {"domain"},
	"internal/vocabulary":     {},
	"cmd/docket": {"domain", "eventstore", "eventstore/feed", "accounts", "commands", "projections", "projections/rebuild", "notify",
		"httpapi", "httpapi/edge", "internal/cli", "internal/postgres", "migrations"},
	"cmd/docketbench": {"domain", "eventstore", "internal/cli", "internal/postgres", "migrations"},
}

// testArrows are what test files may import beside those.
var testArrows = map[string][]string{
	"*": {"internal/apitest", "internal/pgtest", "internal/postgres", "internal/tenanttest"},
	// Its tests go through the real router down to Postgres, so they wire it all.
	"httpapi": {"eventstore", "eventstore/feed", "projections/rebuild"},
	// Its tests register users and log them in.
	"commands": {"accounts"},
	// Its tests compare the live rows with those of a rebuild.
	"projections": {"projections/rebuild"},
	// It holds the whole program against what it promises.
	"internal/faults": {"domain", "eventstore", "eventstore/feed", "accounts", "commands", "projections", "projections/rebuild", "notify", "migrations"},
}

// confined are the modules of others that only some folders may import, with
// those folders.
var confined = map[string][]string{
	"github.com/gin-gonic/gin":      {"httpapi/edge"},
	"github.com/danielgtaylor/huma": {"httpapi", "httpapi/edge"},
	"github.com/golang-jwt/jwt":     {"accounts"},
	"github.com/jackc/pgx": {"eventstore", "eventstore/feed", "accounts", "projections", "projections/fulltext", "projections/rebuild",
		"notify", "migrations", "internal/postgres", "internal/pgtest", "internal/tenanttest", "cmd/docket", "cmd/docketbench"},
	"github.com/ThreeDotsLabs/watermill":     {"eventstore/feed", "projections", "notify", "internal/tenanttest", "cmd/docket"},
	"github.com/ThreeDotsLabs/watermill-sql": {"notify"},
	"github.com/wneessen/go-mail":            {"notify"},
	"code.dny.dev/ssrf":                      {"notify"},
	"github.com/pressly/goose":               {"migrations"},
	"github.com/pb33f":                       {"internal/apitest"},
	"github.com/prometheus/client_golang":    {"eventstore", "eventstore/feed", "commands", "notify", "httpapi", "httpapi/edge", "internal/tenanttest", "cmd/docket"},
	"github.com/spf13/cobra":                 {"internal/cli", "cmd/docket", "cmd/docketbench"},
	"github.com/caarlos0/env":                {"cmd/docket", "cmd/docketbench"},
}

// impure are packages of the standard library that a pure package has no use
// for: contexts, I/O, logs, randomness.
var impure = map[string][]string{
	"domain": {"context", "crypto/rand", "database/sql", "io", "io/fs", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http", "os", "sync"},

	"projections/fulltext": {"context", "crypto/rand", "database/sql", "io", "log/slog", "math/rand/v2", "net", "os", "sync"},
}

// imported is one import of one file.
type imported struct {
	file   string // from the root of the repository
	folder string
	path   string
	inTest bool
}

func TestImportsFollowTheDesign(t *testing.T) {
	t.Parallel()
	imports, folders := readImports(t, filepath.Join("..", ".."))
	for _, f := range folders {
		if _, ok := arrows[f]; !ok {
			t.Errorf("%s has Go files, but no word in the table of arrows", f)
		}
	}
	for _, i := range imports {
		if why := i.refuse(); why != "" {
			t.Errorf("%s imports %s: %s", i.file, i.path, why)
		}
	}
}

// refuse says what is wrong with an import, or nothing.
func (i imported) refuse() string {
	if own, ok := strings.CutPrefix(i.path, module+"/"); ok {
		allowed := slices.Contains(arrows[i.folder], own)
		if i.inTest {
			// A test of another package's face (package x_test) imports x.
			allowed = allowed || own == i.folder || slices.Contains(testArrows["*"], own) || slices.Contains(testArrows[i.folder], own)
		}
		if !allowed {
			return i.folder + " may import of ours only " + strings.Join(arrows[i.folder], ", ")
		}
		return ""
	}
	if !i.inTest && slices.Contains(impure[i.folder], i.path) {
		return i.folder + " is pure"
	}
	if i.inTest {
		return ""
	}
	for name, folders := range confined {
		if (i.path == name || strings.HasPrefix(i.path, name+"/")) && !slices.Contains(folders, i.folder) {
			return "only for " + strings.Join(folders, ", ")
		}
	}
	return ""
}

// TestTheTableOfArrowsBites tries imports that must be refused, and some that
// must not.
func TestTheTableOfArrowsBites(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		folder, path string
		inTest, ok   bool
	}{
		{"domain", "docket/eventstore", false, false},
		{"domain", "context", false, false},
		{"domain", "time", false, true},
		{"domain", "github.com/jackc/pgx/v5", false, false},
		{"eventstore", "docket/commands", false, false},
		{"commands", "docket/projections", false, false},
		{"commands", "docket/accounts", false, false},
		{"accounts", "docket/commands", false, false},
		{"accounts", "docket/httpapi", false, false},
		{"projections", "docket/notify", false, false},
		{"notify", "docket/commands", false, false},
		{"httpapi", "docket/eventstore", false, false},
		{"httpapi", "github.com/jackc/pgx/v5/pgxpool", false, false},
		{"httpapi/edge", "github.com/gin-gonic/gin", false, true},
		{"httpapi", "github.com/gin-gonic/gin", false, false},
		{"domain", "github.com/prometheus/client_golang/prometheus", false, false},
		{"projections", "github.com/gin-gonic/gin", false, false},
		{"eventstore", "docket/internal/pgtest", false, false},
		{"eventstore", "docket/internal/pgtest", true, true},
		{"projections", "docket/commands", true, false},
		{"domain", "docket/domain", true, true},
		{"cmd/docket", "docket/httpapi", false, true},
	} {
		i := imported{folder: tc.folder, path: tc.path, inTest: tc.inTest}
		if why := i.refuse(); (why == "") != tc.ok {
			t.Errorf("%s imports %s (in a test: %t): %q", tc.folder, tc.path, tc.inTest, why)
		}
	}
}

// readImports reads what every Go file below root imports.
func readImports(t *testing.T, root string) (imports []imported, folders []string) {
	t.Helper()
	seen := map[string]bool{}
	err := fs.WalkDir(os.DirFS(root), ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && file != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || path.Ext(file) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder := path.Dir(file)
		seen[folder] = true
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, imported{file: file, folder: folder, path: name, inTest: strings.HasSuffix(file, "_test.go")})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(imports) == 0 {
		t.Fatal("no imports found")
	}
	return imports, slices.Sorted(maps.Keys(seen))
}

// TestThePictureShowsTheArrows compares the picture of docs/architecture.md with the table:
// it shows no other arrow, and leaves out only those that lead where its own lead too.
func TestThePictureShowsTheArrows(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "flowchart TD\n")
	picture, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/architecture.md has no flowchart of the packages")
	}
	shown := readPicture(picture)
	for from, targets := range shown {
		for _, to := range targets {
			if !slices.Contains(arrows[from], to) {
				t.Errorf("the picture has an arrow %s -> %s, and the table has none", from, to)
			}
		}
	}
	for from, targets := range arrows {
		if strings.HasPrefix(from, "internal/") || strings.HasPrefix(from, "cmd/docketbench") {
			continue
		}
		for _, to := range targets {
			if !strings.HasPrefix(to, "internal/") && to != "migrations" && !leads(shown, from, to) {
				t.Errorf("the table has an arrow %s -> %s, and in the picture no way leads there", from, to)
			}
		}
	}
}

// readPicture reads the arrows of a flowchart: lines such as a & b["name"] --> c.
func readPicture(picture string) map[string][]string {
	names, shown := map[string]string{}, map[string][]string{}
	read := func(list string) (nodes []string) {
		for node := range strings.SplitSeq(list, " & ") {
			id, label, labelled := strings.Cut(strings.TrimSpace(node), "[")
			if labelled {
				names[id] = strings.Trim(label, `"]`)
			}
			name, ok := names[id]
			if !ok {
				name = id
			}
			nodes = append(nodes, name)
		}
		return nodes
	}
	for line := range strings.Lines(picture) {
		from, to, ok := strings.Cut(line, "-->")
		if !ok {
			continue
		}
		targets := read(to)
		for _, f := range read(from) {
			shown[f] = append(shown[f], targets...)
		}
	}
	return shown
}

// leads reports whether a way of arrows leads from one package to another.
func leads(shown map[string][]string, from, to string) bool {
	return slices.ContainsFunc(shown[from], func(next string) bool { return next == to || leads(shown, next, to) })
}
