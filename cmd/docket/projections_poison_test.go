package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"docket/domain"
	"docket/internal/cli"
	"docket/internal/pgtest"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

// sqlPoison writes, at the end of a tenant's log ($1), an event that only the read
// model of tasks can't fold, as there is no such task: it returns its seq.
const sqlPoison = `insert into events (tenant_id, seq, stream_type, stream_id, version, type, schema_version, occurred_at, command_id, data, meta)
select $1, h.seq + 1, e.stream_type, gen_random_uuid(), 1, e.type, e.schema_version, h.at + interval '1 microsecond', gen_random_uuid(), e.data, '{}'
from events e, (select max(seq) as seq, max(occurred_at) as at from events where tenant_id = $1) h
where e.tenant_id = $1 and e.type = 'task.updated' returning seq`

// standings are what projections list --json prints, by projection.
func standings(t *testing.T, environ map[string]string) map[string]projectionLine {
	t.Helper()
	o := try(t, environ, "projections", "list", "--json")
	if o.status != cli.StatusDone || o.stderr != "" {
		t.Fatalf("list: status %d, %s", o.status, o.stderr)
	}
	lines := map[string]projectionLine{}
	for text := range strings.Lines(o.stdout) {
		var l projectionLine
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		lines[l.Projection] = l
	}
	if len(lines) != len(subscriptionNames()) {
		t.Fatalf("listed are %v", lines)
	}
	return lines
}

// settled waits until a subscription of a tenant has read its log to the end.
func settled(t *testing.T, pool *pgxpool.Pool, tenant domain.TenantID, subscription string) {
	t.Helper()
	for there := false; !there; {
		if err := pool.QueryRow(t.Context(), `select exists (select from checkpoints c where c.tenant_id = $1 and c.subscription = $2
  and c.generation = coalesce((select g.current from generations g where g.tenant_id = $1 and g.subscription = $2), 1)
  and c.seq = (select max(e.seq) from events e where e.tenant_id = $1))`, tenant.UUID(), subscription).Scan(&there); err != nil {
			t.Fatal(err)
		}
	}
}

// An event that can't be folded, through a real server: one read model of one tenant
// stands still, everybody else goes on and the server stays ready; list, log and
// metric say so; an operator has it left out, and it stays left out.
func TestPoisonedServer(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	environ := given(db, map[string]string{"DOCKET_OPS_ADDR": "127.0.0.1:0", "USER": "root", "SUDO_USER": "on-call"})
	s := serve(t, environ)
	ops := s.operationsURL(t)
	pool := db.Engine(t)
	ann := register(t, s.url, "Ann")
	try(t, environ, "tenants", "create", "--name", "Acme", "--slug", "acme", "--owner", ann.email)
	ill, well := ann.in("default"), ann.in("acme")
	work := func(c caller) (project, task string) {
		t.Helper()
		project = c.post("/v1/projects", object("name", "Quay")).want(201).text("id")
		return project, c.post("/v1/projects/"+project+"/tasks", object("title", "Dredge")).want(201).text("id")
	}
	project, task := work(ill)
	// Of no use to search, whose words it leaves alone.
	ill.patch("/v1/tasks/"+task, object("priority", "high")).want(200)
	wellProject, _ := work(well)
	tenant := tenantOf(t, pool, "default")
	var poison int64
	if err := pool.QueryRow(t.Context(), sqlPoison, tenant.UUID()).Scan(&poison); err != nil {
		t.Fatal(err)
	}

	var parked []parkedLine
	for len(parked) == 0 {
		parked = standings(t, environ)["tasks"].Parked
	}
	if k := parked[0]; len(parked) != 1 || k.Tenant != "default" || k.TenantID != tenant || k.Seq != poison || k.Attempts == 0 || k.Since == nil ||
		!strings.Contains(k.Error, "there is no row that it could change") {
		t.Errorf("parked: %+v", parked)
	}
	after := ill.post("/v1/projects/"+project+"/tasks", object("title", "After the poison")).want(201).text("id")
	added := well.post("/v1/projects/"+wellProject+"/tasks", object("title", "Beside it")).want(201).text("id")
	for _, name := range subscriptionNames() {
		settled(t, pool, domain.Platform, name)
		settled(t, pool, tenantOf(t, pool, "acme"), name)
		if name != "tasks" {
			settled(t, pool, tenant, name)
		}
	}
	well.get("/v1/tasks/" + added).want(200)
	ill.get("/v1/projects/" + project).want(200)
	ill.get("/v1/tasks/" + after).want(404)
	anyone(t, s.url).get("/readyz").want(200)
	for name, l := range standings(t, environ) {
		if poisoned := name == "tasks"; len(l.Parked) > 0 != poisoned || l.LagEvents > 0 != poisoned || l.BehindTenants > 0 != poisoned || l.LagSeconds > 0 != poisoned {
			t.Errorf("%+v", l)
		}
		if l.Tenants != 3 || len(l.Generations) != 1 || l.Generations[0].Tenants != 3 || l.ReadModel != (l.FoldVersion != nil) {
			t.Errorf("%+v", l)
		}
	}
	for gauge := 0.0; gauge != 1; {
		_, now := scrape(t, ops)
		gauge = now[`docket_feed_parked_tenants{subscription="tasks"}`]
		if other := now[`docket_feed_parked_tenants{subscription="activity"}`]; other != 0 {
			t.Errorf("activity: %v parked", other)
		}
	}
	if o := try(t, environ, "projections", "list"); o.status != cli.StatusDone || !regexp.MustCompile(fmt.Sprintf(`(?m)^tasks +default +%d +\d+ +.*there is no row`, poison)).MatchString(o.stdout) {
		t.Errorf("list: status %d\n%s", o.status, o.stdout)
	}

	skip := []string{"projections", "skip", "--projection", "tasks", "--tenant", "default", "--reason", "names no task"}
	again := try(t, environ, append(slices.Clone(skip), "--json")...)
	var done unparked
	if err := json.Unmarshal([]byte(again.stdout), &done); err != nil || again.status != cli.StatusDone || done.Seq != poison || done.Operator != "on-call" {
		t.Fatalf("skip: status %d, %s%s", again.status, again.stdout, again.stderr)
	}
	settled(t, pool, tenant, "tasks")
	ill.get("/v1/tasks/" + after).want(200)
	if o := try(t, environ, skip...); o.status != cli.StatusNo || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("skip of what isn't parked: status %d, %s", o.status, o.stderr)
	}
	l := standings(t, environ)["tasks"]
	if len(l.Parked) != 0 || len(l.Skipped) != 1 || l.Skipped[0].Seq != poison || l.Skipped[0].Recorded != done.Recorded ||
		l.Skipped[0].Operator != "on-call" || l.Skipped[0].Reason != "names no task" {
		t.Errorf("after the skip: %+v", l)
	}
	// It is in the tenant's log and told there; a rebuild leaves the event out too.
	replayed := try(t, environ, "audit", "replay", "--tenant", "default").stdout
	if !strings.Contains(replayed, "subscription.event_skipped") || !strings.Contains(replayed, `as the operator "on-call" asked: "names no task"`) {
		t.Errorf("replay:\n%s", replayed)
	}
	ill.get("/v1/admin/activity?entity_type=subscription").want(200)
	if o := try(t, environ, "projections", "rebuild", "--projection", "tasks"); o.status != cli.StatusDone {
		t.Errorf("rebuild: status %d, %s", o.status, o.stderr)
	}
	ill.get("/v1/tasks/" + after).want(200)
	if g := standings(t, environ)["tasks"].Generations; len(g) != 1 || g[0].Generation != 2 || g[0].FoldVersion == nil {
		t.Errorf("generations after the rebuild: %+v", g)
	}
	o := s.stop()
	if o.status != cli.StatusDone || !strings.Contains(o.stderr, "page failed") || strings.Contains(o.stderr, `"subscription":"activity"`) {
		t.Errorf("status %d, logged %s", o.status, o.stderr)
	}
}

// tenantOf is the id of a tenant.
func tenantOf(t *testing.T, pool *pgxpool.Pool, slug string) domain.TenantID {
	t.Helper()
	var id uuid.UUID
	if err := pool.QueryRow(t.Context(), `select holder from claims where kind = 'slug' and value = $1`, slug).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return domain.TenantID(id)
}

// What couldn't be built in the background is listed, with why.
func TestFailedBuildIsListed(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	environ := given(db, nil)
	serve(t, environ).stop()
	pool := db.Engine(t)
	tenant := tenantOf(t, pool, "default")
	if _, err := pool.Exec(t.Context(), `insert into checkpoints (tenant_id, subscription, generation, fold_version, failures, failed_at, error)
values ($1, 'tasks', 7, 9, 3, now(), e'event 512:\nthere is no row')`, tenant.UUID()); err != nil {
		t.Fatal(err)
	}
	for name, l := range standings(t, environ) {
		if failed := l.FailedBuilds; (len(failed) == 1) != (name == "tasks") {
			t.Errorf("%s: %+v", name, failed)
		}
	}
	if b := standings(t, environ)["tasks"].FailedBuilds[0]; b.Tenant != "default" || b.TenantID != tenant || b.Generation != 7 || b.FoldVersion != 9 ||
		b.Attempts != 3 || b.Head != 1 || !strings.Contains(b.Error, "there is no row") {
		t.Errorf("%+v", b)
	}
	if o := try(t, environ, "projections", "list"); !regexp.MustCompile(`(?m)^BUILD FAILED +TENANT .*\ntasks +default +0 +1 +9 +3 .*event 512: there is no row$`).MatchString(o.stdout) {
		t.Errorf("list: status %d\n%s", o.status, o.stdout)
	}
}

// What can't be unparked is refused with one line, and nothing is written.
func TestUnparkingRefused(t *testing.T) {
	t.Parallel()
	environ := given(pgtest.New(t), map[string]string{"USER": "root"})
	serve(t, environ).stop()
	for _, verb := range []string{"skip", "resume"} {
		for _, c := range []struct {
			projection, tenant, reason string
			status                     int
			said                       string
		}{
			{"nonesuch", "default", "x", cli.StatusFailed, `there is no "nonesuch"`},
			{"tasks", "nonesuch", "x", cli.StatusFailed, `no tenant with the slug or id "nonesuch"`},
			{"tasks", "default", "x", cli.StatusNo, "tasks isn't parked in default"},
			{"renames", domain.Platform.String(), "x", cli.StatusNo, "isn't parked"},
			{"members", "(platform)", "x", cli.StatusNo, "members isn't parked in (platform)"},
		} {
			o := try(t, environ, "projections", verb, "--projection", c.projection, "--tenant", c.tenant, "--reason", c.reason)
			if o.status != c.status || strings.Count(o.stderr, "\n") != 1 || !strings.Contains(o.stderr, c.said) || o.stdout != "" {
				t.Errorf("%s %+v: status %d, %s%s", verb, c, o.status, o.stdout, o.stderr)
			}
		}
		try(t, environ, "projections", verb, "--projection", "tasks", "--tenant", "default").refused(t, `"reason" not set`)
		try(t, environ, "projections", verb, "--projection", "tasks", "--tenant", "default", "--reason", " ").refused(t, "--reason: ")
		try(t, environ, "projections", verb, "--projection", "tasks", "--tenant", "default", "--reason", "x", "--operator", "").refused(t, "--operator: ")
		nobody := given(pgtest.New(t), nil)
		try(t, nobody, "projections", verb, "--projection", "tasks", "--tenant", "default", "--reason", "x").refused(t, "--operator is needed")
	}
	if o := try(t, environ, "audit", "replay", "--tenant", "default"); strings.Contains(o.stdout, "subscription.") {
		t.Errorf("written:\n%s", o.stdout)
	}
}
