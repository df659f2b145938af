package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"docket/commands"
	"docket/domain"
	"docket/internal/cli"
	"docket/internal/pgtest"
)

// answeredNo checks that a run answered no, with one line.
func (o outcome) answeredNo(t *testing.T, want string) {
	t.Helper()
	if o.status != cli.StatusNo || o.stdout != "" || !strings.HasPrefix(o.stderr, "docket: ") ||
		strings.Count(o.stderr, "\n") != 1 || !strings.Contains(o.stderr, want) {
		t.Errorf("status %d, %q, %q; want %d and a line with %q", o.status, o.stdout, o.stderr, cli.StatusNo, want)
	}
}

// lines are the JSON objects that a run printed.
func lines[T any](t *testing.T, o outcome) []T {
	t.Helper()
	if o.status != cli.StatusDone {
		t.Fatalf("status %d, %q, %q", o.status, o.stdout, o.stderr)
	}
	var out []T
	for line := range strings.Lines(o.stdout) {
		var one T
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		out = append(out, one)
	}
	return out
}

func TestTenantsCreate(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	environ := given(db, nil)
	create := func(name, slug, owner string, more ...string) outcome {
		return try(t, environ, append([]string{"tenants", "create", "--name", name, "--slug", slug, "--owner", owner}, more...)...)
	}
	s := serve(t, environ)
	defer s.stop()
	ann := register(t, s.url, "Ann")

	o := create("Acme Ltd", "acme", "ANN@example.org")
	if o.status != cli.StatusDone || !strings.HasPrefix(o.stdout, "created acme (") || o.stderr != "" {
		t.Fatalf("status %d, %q, %q", o.status, o.stdout, o.stderr)
	}
	// She is its owner at once, also at a server that was running before; no other user
	// has access.
	ann.in("acme").post("/v1/projects", object("name", "Website")).want(http.StatusCreated)
	pool := db.Engine(t)
	awaitCheckpoint(t, pool, tenantOf(t, pool, "acme"), "tenants") // the server finds the tenant by its sweep
	owned := ann.in("acme").get("/v1/admin/tenant").want(http.StatusOK)
	if owned.text("registration") != "closed" || owned.text("name") != "Acme Ltd" {
		t.Error(owned.body)
	}
	register(t, s.url, "Bob").in("acme").get("/v1/projects").refused(http.StatusForbidden, "tenant-access-denied")

	made := lines[tenantLine](t, create("Bolt <&> Söhne", "bolt", "ann@example.org", "--json"))
	if len(made) != 1 || made[0].Slug != "bolt" || made[0].Name != "Bolt <&> Söhne" || made[0].Events != 2 ||
		made[0].Version != 1 || made[0].AwaitsFounder || made[0].CreatedAt.IsZero() || made[0].ID.IsZero() {
		t.Errorf("%+v", made)
	}
	listed := lines[tenantLine](t, try(t, environ, "tenants", "list", "--json"))
	if !slices.Contains(listed, made[0]) {
		t.Errorf("%+v isn't in %+v", made[0], listed)
	}

	create("Another", "acme", "ann@example.org").answeredNo(t, `--slug: another tenant has the slug "acme"`)
	create("Another", "another", "cleo@example.org").answeredNo(t, `--owner: no user is registered as "cleo@example.org"`)
	create("Another", "another", "").answeredNo(t, `no user is registered as ""`)
	create("Another", "An Other", "ann@example.org").answeredNo(t, "--slug: ")
	create("", "-", "ann@example.org").answeredNo(t, "--name: ")
	create("", "-", "ann@example.org").answeredNo(t, "; --slug: ")
	try(t, environ, "tenants", "create", "--name", "Another", "--slug", "another").refused(t, `"owner" not set`)
	if after := lines[tenantLine](t, try(t, environ, "tenants", "list", "--json")); len(after) != len(listed) {
		t.Errorf("a refused tenant was created: %+v", after)
	}
}

func TestTenantsListPagesThroughAll(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	environ := given(db, nil)
	if o := try(t, environ, "tenants", "list", "--json"); o.status != cli.StatusDone || o.stdout != "" {
		t.Errorf("of none: status %d, %q, %q", o.status, o.stdout, o.stderr)
	}
	s := serve(t, environ)
	ann := register(t, s.url, "Ann")
	s.stop()
	user, err := domain.ParseID[any](ann.id)
	if err != nil {
		t.Fatal(err)
	}
	cmds, err := offlineCommands(&pools{Engine: db.Engine(t), API: db.API(t)})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"default"}
	for i := range 2*tenantsPage + 1 {
		n := commands.NewTenant{Name: "Two\nlines", Slug: fmt.Sprintf("t%03d", (i*7)%(2*tenantsPage+1))}
		if _, err := cmds.CreateTenant(t.Context(), domain.UserID(user), commands.Origin{}, n); err != nil {
			t.Fatal(err)
		}
		want = append(want, n.Slug)
	}
	slices.Sort(want)
	var got []string
	for _, l := range lines[tenantLine](t, try(t, environ, "tenants", "list", "--json")) {
		got = append(got, l.Slug)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}

	o := try(t, environ, "tenants", "list")
	if o.status != cli.StatusDone || strings.Count(o.stdout, "\n") != len(want)+1 || strings.Count(o.stdout, "SLUG") != 1 {
		t.Errorf("status %d, %d lines: %q", o.status, strings.Count(o.stdout, "\n"), o.stdout[:200])
	}
	if strings.Contains(o.stdout, "\x1b") {
		t.Error("there are colours where there is no terminal")
	}
	if !strings.Contains(o.stdout, "  Two lines  ") || !strings.Contains(o.stdout, got[200]) {
		t.Errorf("%q", o.stdout[:500])
	}
}

func TestTenantsListShowsTenantsWithoutOwner(t *testing.T) {
	t.Parallel()
	environ := given(pgtest.New(t), nil)
	serve(t, environ).stop()
	o := try(t, environ, "tenants", "list")
	if o.status != cli.StatusDone || !strings.Contains(o.stdout, "open, no owner yet") {
		t.Errorf("status %d, %q, %q", o.status, o.stdout, o.stderr)
	}
	if listed := lines[tenantLine](t, try(t, environ, "tenants", "list", "--json")); len(listed) != 1 || !listed[0].AwaitsFounder {
		t.Errorf("%+v", listed)
	}
}

func TestRebuildForMachines(t *testing.T) {
	t.Parallel()
	environ := given(pgtest.New(t), nil)
	serve(t, environ).stop()
	o := try(t, environ, "projections", "rebuild", "--tenant", "default", "--projection", "tenants", "--projection", "tasks", "--json")
	models := lines[rebuiltLine](t, o)
	if len(models) != 3 {
		t.Fatalf("%q", o.stdout)
	}
	printed := map[string]bool{}
	for _, m := range models[:2] { // in the order of their end
		printed[m.Projection] = true
		if !m.Done || m.Tenant != "default" || m.Events != 1 || m.Error != "" || m.TenantID.IsZero() {
			t.Errorf("%+v", m)
		}
	}
	if !printed["tenants"] || !printed["tasks"] {
		t.Errorf("%v", printed)
	}
	if totals := lines[rebuildTotals](t, o)[2]; totals.Rebuilt != 2 || totals.Failed != 0 || totals.Events != 1 { // of the log, not of each model
		t.Errorf("%+v", totals)
	}
}
