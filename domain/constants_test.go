package domain_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"docket/domain"
)

// source is the package's files without its tests.
func source(t *testing.T) map[string]*ast.File {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = f
		}
	}
	if len(files) == 0 {
		t.Fatal("no source found")
	}
	return files
}

// constants are the values of the source's constants of a named string type.
func constants(t *testing.T, typeName string) []string {
	t.Helper()
	var out []string
	for name, f := range source(t) {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				if id, ok := v.Type.(*ast.Ident); !ok || id.Name != typeName {
					continue
				}
				for _, e := range v.Values {
					text, ok := e.(*ast.BasicLit)
					if !ok {
						t.Fatalf("%s: a %s isn't written as a literal", name, typeName)
					}
					value, err := strconv.Unquote(text.Value)
					if err != nil {
						t.Fatal(err)
					}
					out = append(out, value)
				}
			}
		}
	}
	if len(out) == 0 {
		t.Fatalf("the source has no constant of type %s", typeName)
	}
	slices.Sort(out)
	return out
}

// sameNames fails unless the names are exactly the source's constants of the type.
func sameNames[T ~string](t *testing.T, typeName string, names []T) {
	t.Helper()
	var got []string
	for _, n := range names {
		got = append(got, string(n))
	}
	slices.Sort(got)
	if want := constants(t, typeName); !slices.Equal(got, want) {
		t.Errorf("a table has %v, want the constants of %s: %v", got, typeName, want)
	}
}

func TestEveryConstantIsInItsTable(t *testing.T) {
	t.Parallel()
	var statuses []domain.Status
	for _, s := range domain.Statuses() {
		statuses = append(statuses, s.Name)
	}
	sameNames(t, "Status", statuses)
	sameNames(t, "Role", domain.Roles())
	sameNames(t, "Action", domain.Actions())
	sameNames(t, "TaskStatus", domain.TaskStatuses())
	var streams []domain.StreamType
	for _, d := range domain.Definitions() {
		if !slices.Contains(streams, d.Stream) {
			streams = append(streams, d.Stream)
		}
	}
	sameNames(t, "StreamType", streams)
}

// The lists of the other types aren't exported, so the test tries which values a
// command accepts. They are those of API.md.
func TestEveryConstantIsAccepted(t *testing.T) {
	t.Parallel()
	active := projectAt(t, domain.Active)
	task := fold[domain.Task](t, tasks.stream, tasks.author, taskCreated())
	tenant := fold[domain.Tenant](t, tenants.stream, tenants.author, tenantCreated())
	kinds := []struct {
		name   string
		values []string
		decide func(string) error
	}{
		{"TaskStatus", []string{"todo", "in_progress", "done"}, func(v string) error {
			_, err := domain.DecideTask(task, actor(4, domain.Member), domain.EditTask{Project: active, Status: domain.To(domain.TaskStatus(v))})
			return err
		}},
		{"Priority", []string{"low", "normal", "high", "urgent"}, func(v string) error {
			_, err := domain.DecideTask(task, actor(4, domain.Member), domain.EditTask{Project: active, Priority: domain.To(domain.Priority(v))})
			return err
		}},
		{"Priority", []string{"low", "normal", "high", "urgent"}, func(v string) error {
			_, err := domain.DecideTask(domain.Task{}, actor(4, domain.Member), domain.CreateTask{Project: active, Title: "T", Priority: domain.Priority(v)})
			return err
		}},
		{"Visibility", []string{"private", "public"}, func(v string) error {
			_, err := domain.DecideProject(active, actor(2, domain.Manager), domain.EditProject{Visibility: domain.To(domain.Visibility(v))})
			return err
		}},
		{"Registration", []string{"open", "closed"}, func(v string) error {
			_, err := domain.DecideTenant(tenant, actor(1, domain.Owner), domain.EditTenant{Registration: domain.To(domain.Registration(v))})
			return err
		}},
		{"Channel", []string{"in_app", "email", "slack"}, func(v string) error {
			_, err := domain.DecideTenant(tenant, actor(1, domain.Owner), domain.EditTenant{
				Channel: domain.To(domain.Channel(v)), SlackWebhook: domain.To(ptr(webhookID)),
			})
			return err
		}},
		{"Role", []string{"owner", "manager", "member", "viewer", "auditor"}, func(v string) error {
			_, err := domain.DecideMembership(membership(1, domain.Member), actor(9, domain.Owner), domain.ChangeRole{Role: domain.To(domain.Role(v))})
			return err
		}},
	}
	for _, k := range kinds {
		sameNames(t, k.name, k.values)
		for _, v := range k.values {
			if err := k.decide(v); err != nil {
				t.Errorf("%s %s: %v", k.name, v, err)
			}
		}
		for _, v := range []string{"", strings.ToUpper(k.values[0]), k.values[0] + " ", "null"} {
			if domain.CodeOf(k.decide(v)) != domain.CodeValidationFailed {
				t.Errorf("%s %q was accepted", k.name, v)
			}
		}
	}
}

func TestCodesAreWellFormed(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	codes := constants(t, "Code")
	for i, c := range codes {
		if !form.MatchString(c) || i > 0 && codes[i-1] == c {
			t.Errorf("code %q is malformed or duplicated", c)
		}
	}
}
