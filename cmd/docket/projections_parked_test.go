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

// sqlPoison appends to a tenant's log ($1) an event that the read model of tasks can't
// fold, as there is no such task, and returns its seq.
const sqlPoison = `insert into events (tenant_id, seq, stream_type, stream_id, version, type, schema_version, occurred_at, command_id, data, meta)
select $1, h.seq + 1, e.stream_type, gen_random_uuid(), 1, e.type, e.schema_version, h.at + interval '1 microsecond', gen_random_uuid(), e.data, '{}'
from events e, (select max(seq) as seq, max(occurred_at) as at from events where tenant_id = $1) h
where e.tenant_id = $1 and e.type = 'task.updated' returning seq`

// listed is what projections list --json prints, by projection.
func listed(t *testing.T, environ map[string]string) map[string]projectionLine {
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

// An event that can't be folded parks one read model of one tenant; all others continue,
// and the server stays ready. The list, the log and the metric say so. An operator skips
// the event, and a rebuild leaves it out.
func TestParkedSubscription(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	environ := given(db, map[string]string{"DOCKET_OPS_ADDR": "127.0.0.1:0", "USER": "root", "SUDO_USER": "on-call"})
	s := serve(t, environ)
	ops := s.operationsURL(t)
	pool := db.Engine(t)
	ann := register(t, s.url, "Ann")
	try(t, environ, "tenants", "create", "--name", "Acme", "--slug", "acme", "--owner", ann.email)
	inParked, inOther := ann.in("default"), ann.in("acme")
	work := func(c caller) (project, task string) {
		t.Helper()
		project = c.post("/v1/projects", object("name", "Quay")).want(201).text("id")
		return project, c.post("/v1/projects/"+project+"/tasks", object("title", "Dredge")).want(201).text("id")
	}
	project, task := work(inParked)
	// The search ignores it.
	inParked.patch("/v1/tasks/"+task, object("priority", "high")).want(200)
	otherProject, _ := work(inOther)
	tenant := tenantOf(t, pool, "default")
	var poison int64
	if err := pool.QueryRow(t.Context(), sqlPoison, tenant.UUID()).Scan(&poison); err != nil {
		t.Fatal(err)
	}

	awaitSQL(t, pool, "tasks is parked", `select exists (select from checkpoints where subscription = 'tasks' and error is not null)`)
	parked := listed(t, environ)["tasks"].Parked
	if k := parked[0]; len(parked) != 1 || k.Tenant != "default" || k.TenantID != tenant || k.Seq != poison || k.Attempts == 0 || k.Since == nil ||
		!strings.Contains(k.Error, "there is no row that it could change") {
		t.Errorf("parked: %+v", parked)
	}
	after := inParked.post("/v1/projects/"+project+"/tasks", object("title", "After the poison")).want(201).text("id")
	added := inOther.post("/v1/projects/"+otherProject+"/tasks", object("title", "Beside it")).want(201).text("id")
	for _, name := range subscriptionNames() {
		awaitCheckpoint(t, pool, domain.Platform, name)
		awaitCheckpoint(t, pool, tenantOf(t, pool, "acme"), name)
		if name != "tasks" {
			awaitCheckpoint(t, pool, tenant, name)
		}
	}
	inOther.get("/v1/tasks/" + added).want(200)
	inParked.get("/v1/projects/" + project).want(200)
	inParked.get("/v1/tasks/" + after).want(404)
	anyone(t, s.url).get("/readyz").want(200)
	for name, l := range listed(t, environ) {
		if poisoned := name == "tasks"; len(l.Parked) > 0 != poisoned || l.LagEvents > 0 != poisoned || l.BehindTenants > 0 != poisoned || l.LagSeconds > 0 != poisoned {
			t.Errorf("%+v", l)
		}
		if l.Tenants != 3 || len(l.Generations) != 1 || l.Generations[0].Tenants != 3 || l.ReadModel != (l.FoldVersion != nil) {
			t.Errorf("%+v", l)
		}
	}
	await(t, "the metric has one parked tenant", func() bool {
		_, now := scrape(t, ops)
		if other := now[`docket_feed_parked_tenants{subscription="activity"}`]; other != 0 {
			t.Errorf("activity: %v parked", other)
		}
		return now[`docket_feed_parked_tenants{subscription="tasks"}`] == 1
	})
	if o := try(t, environ, "projections", "list"); o.status != cli.StatusDone || !regexp.MustCompile(fmt.Sprintf(`(?m)^tasks +default +%d +\d+ +.*there is no row`, poison)).MatchString(o.stdout) {
		t.Errorf("list: status %d\n%s", o.status, o.stdout)
	}

	skip := []string{"projections", "skip", "--projection", "tasks", "--tenant", "default", "--reason", "names no task"}
	again := try(t, environ, append(slices.Clone(skip), "--json")...)
	var done interventionLine
	if err := json.Unmarshal([]byte(again.stdout), &done); err != nil || again.status != cli.StatusDone || done.Seq != poison || done.Operator != "on-call" {
		t.Fatalf("skip: status %d, %s%s", again.status, again.stdout, again.stderr)
	}
	awaitCheckpoint(t, pool, tenant, "tasks")
	inParked.get("/v1/tasks/" + after).want(200)
	if o := try(t, environ, skip...); o.status != cli.StatusNo || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("skip of what isn't parked: status %d, %s", o.status, o.stderr)
	}
	l := listed(t, environ)["tasks"]
	if len(l.Parked) != 0 || len(l.Skipped) != 1 || l.Skipped[0].Seq != poison || l.Skipped[0].Recorded != done.Recorded ||
		l.Skipped[0].Operator != "on-call" || l.Skipped[0].Reason != "names no task" {
		t.Errorf("after the skip: %+v", l)
	}
	// The tenant's log records the skip; a rebuild leaves the event out too.
	replayed := try(t, environ, "audit", "replay", "--tenant", "default").stdout
	if !strings.Contains(replayed, "subscription.event_skipped") || !strings.Contains(replayed, `as the operator "on-call" asked: "names no task"`) {
		t.Errorf("replay:\n%s", replayed)
	}
	inParked.get("/v1/admin/activity?entity_type=subscription").want(200)
	if o := try(t, environ, "projections", "rebuild", "--projection", "tasks"); o.status != cli.StatusDone {
		t.Errorf("rebuild: status %d, %s", o.status, o.stderr)
	}
	inParked.get("/v1/tasks/" + after).want(200)
	if g := listed(t, environ)["tasks"].Generations; len(g) != 1 || g[0].Generation != 2 || g[0].FoldVersion == nil {
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

// A failed background build is listed with its error.
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
	for name, l := range listed(t, environ) {
		if failed := l.FailedBuilds; (len(failed) == 1) != (name == "tasks") {
			t.Errorf("%s: %+v", name, failed)
		}
	}
	if b := listed(t, environ)["tasks"].FailedBuilds[0]; b.Tenant != "default" || b.TenantID != tenant || b.Generation != 7 || b.FoldVersion != 9 ||
		b.Attempts != 3 || b.Head != 1 || !strings.Contains(b.Error, "there is no row") {
		t.Errorf("%+v", b)
	}
	if o := try(t, environ, "projections", "list"); !regexp.MustCompile(`(?m)^BUILD FAILED +TENANT .*\ntasks +default +0 +1 +9 +3 .*event 512: there is no row$`).MatchString(o.stdout) {
		t.Errorf("list: status %d\n%s", o.status, o.stdout)
	}
	// A restore of some tables may have left a log shorter than its checkpoints say.
	if _, err := pool.Exec(t.Context(), `insert into checkpoints (tenant_id, subscription, generation, seq, fold_version) values ($1, 'members', 1, 9, 1)
on conflict on constraint checkpoints_pk do update set seq = excluded.seq`, tenant.UUID()); err != nil {
		t.Fatal(err)
	}
	if a := listed(t, environ)["members"].Ahead; len(a) != 1 || a[0].TenantID != tenant || a[0].Seq != 9 || a[0].Head != 1 {
		t.Errorf("ahead: %+v", a)
	}
	if o := try(t, environ, "projections", "list"); !regexp.MustCompile(`(?m)^AHEAD OF ITS LOG +TENANT .*\nmembers +default +at event 9 of a log that ends at 1$`).MatchString(o.stdout) {
		t.Errorf("list: status %d\n%s", o.status, o.stdout)
	}
	// A start finds it also if the event that records a new epoch would bring the log there.
	if _, err := pool.Exec(t.Context(), `update checkpoints set seq = 2 where tenant_id = $1 and subscription = 'members'`, tenant.UUID()); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), `update epochs set timeline = 0`); err != nil {
		t.Fatal(err)
	}
	if o := try(t, environ, "serve"); o.status != cli.StatusDone || !strings.Contains(o.stderr, "a checkpoint was ahead of its log") {
		t.Errorf("serve: status %d\n%s", o.status, o.stderr)
	}
}

// An intervention without a parked subscription is refused with one line, and nothing is
// written.
func TestInterventionRefused(t *testing.T) {
	t.Parallel()
	environ := given(pgtest.New(t), map[string]string{"USER": "root"})
	serve(t, environ).stop()
	for _, verb := range []string{"skip", "resume"} {
		for _, c := range []struct {
			projection, tenant, reason string
			status                     int
			message                    string
		}{
			{"nonesuch", "default", "x", cli.StatusFailed, `there is no "nonesuch"`},
			{"tasks", "nonesuch", "x", cli.StatusFailed, `no tenant with the slug or id "nonesuch"`},
			{"tasks", "default", "x", cli.StatusNo, "tasks isn't parked in default"},
			{"renames", domain.Platform.String(), "x", cli.StatusNo, "isn't parked"},
			{"members", "(platform)", "x", cli.StatusNo, "members isn't parked in (platform)"},
		} {
			o := try(t, environ, "projections", verb, "--projection", c.projection, "--tenant", c.tenant, "--reason", c.reason)
			if o.status != c.status || strings.Count(o.stderr, "\n") != 1 || !strings.Contains(o.stderr, c.message) || o.stdout != "" {
				t.Errorf("%s %+v: status %d, %s%s", verb, c, o.status, o.stdout, o.stderr)
			}
		}
		try(t, environ, "projections", verb, "--projection", "tasks", "--tenant", "default").refused(t, `"reason" not set`)
		try(t, environ, "projections", verb, "--projection", "tasks", "--tenant", "default", "--reason", " ").refused(t, "--reason: ")
		try(t, environ, "projections", verb, "--projection", "tasks", "--tenant", "default", "--reason", "x", "--operator", "").refused(t, "--operator: ")
		noUser := given(pgtest.New(t), nil)
		try(t, noUser, "projections", verb, "--projection", "tasks", "--tenant", "default", "--reason", "x").refused(t, "--operator is needed")
	}
	if o := try(t, environ, "audit", "replay", "--tenant", "default"); strings.Contains(o.stdout, "subscription.") {
		t.Errorf("written:\n%s", o.stdout)
	}
}
