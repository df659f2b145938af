package main

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"docket/internal/cli"
	"docket/internal/pgtest"

	"github.com/jackc/pgx/v5/pgxpool"
)

// TestUpgradeBesideAnOlderReplica runs this program beside a future release, on one
// database: the newer writes member.joined in a schema version that the older can't read.
// The older stays ready, parks nothing, decides nothing on what it can't read, and leaves
// it to the newer.
func TestUpgradeBesideAnOlderReplica(t *testing.T) {
	t.Parallel()
	up := newUpgrade(t)
	older, newer := up.older.serve("--log-format", "json"), up.newer.serve()
	ann := register(t, older.url, "Ann")
	ann.post("/v1/tenants", object("name", "Acme", "slug", "acme")).want(201)
	cem := register(t, older.url, "Cem")
	cem.delete("/v1/members/" + cem.id).want(204)
	bob := register(t, newer.url, "Bob")
	up.caughtUp()
	if got := up.schemaVersions(); !slices.Equal(got, []int{2, 2, 2, 3}) {
		t.Fatalf("member.joined was written in the schema versions %v", got)
	}
	up.whileBothRun(ann.at(older.url), bob.at(older.url), bob.at(newer.url))

	// The older is alone with what only the newer can read.
	stopped(t, newer.stop(syscall.SIGTERM, false))
	up.rejoin(bob, cem)
	project := ann.post("/v1/projects", object("name", "Mole")).want(201).text("id")
	up.olderStops()
	cem.in("default").get("/v1/projects").refused(503, "overloaded")
	ann.post("/v1/projects/"+project+"/transitions", object("to", "submitted")).want(200)
	ann.in("acme").get("/v1/projects").want(200)
	anyone(t, older.url).get("/readyz").want(200)
	up.commandsOfTheOlder()

	// A newer one handles it, and the older continues from there.
	newer = up.newer.serve()
	up.caughtUp()
	cem.at(newer.url).in("default").get("/v1/projects/" + project).want(200)
	if o := up.newer.run("projections", "rebuild"); o.status != cli.StatusDone {
		t.Errorf("the newer's rebuild: status %d, %s", o.status, o.stderr)
	}
	stopped(t, newer.stop(syscall.SIGTERM, false))
	ann.patch("/v1/projects/"+project, object("due_date", "2027-01-01")).want(200)
	up.caughtUp()
	o := older.stop(syscall.SIGTERM, false)
	stopped(t, o)
	if !strings.Contains(o.stderr, "left to a newer version") || strings.Contains(o.stderr, "page failed") {
		t.Errorf("the older logged:\n%s", o.stderr)
	}
}

// upgrade is a database with two releases of the program on it.
type upgrade struct {
	*testing.T
	older, newer *install
	pool         *pgxpool.Pool
}

func newUpgrade(t *testing.T) *upgrade {
	t.Helper()
	db := pgtest.NewDurable(t)
	up := &upgrade{T: t, pool: db.Engine(t)}
	var environ []string
	for name, value := range given(db, nil) {
		environ = append(environ, name+"="+value)
	}
	release := func(path string) *install {
		in := newInstall(t, osUser{name: "the user of the tests"})
		in.path, in.environ = path, environ
		return in
	}
	up.older = release("")
	up.newer = release(filepath.Join(t.TempDir(), "docket"))
	// Without optimizations and debugging data the compiler needs two thirds of the time.
	if err := compile("-gcflags=docket/...=-N -l", "-ldflags=-s -w", "-overlay", newerSource(t), "-o", up.newer.path); err != nil {
		t.Fatal(err)
	}
	return up
}

// newerSource writes the source of a future release, in which member.joined has one field
// and one schema version more. It returns a file for go build -overlay.
func newerSource(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	replaced := map[string]string{}
	edit := func(file, old, new string) {
		t.Helper()
		path, err := filepath.Abs(filepath.Join("..", "..", "domain", file))
		if err != nil {
			t.Fatal(err)
		}
		source, err := os.ReadFile(path)
		if err != nil || strings.Count(string(source), old) != 1 {
			t.Fatalf("%s: %q isn't there once: %v", file, old, err)
		}
		replaced[path] = filepath.Join(dir, file)
		if err := os.WriteFile(replaced[path], []byte(strings.Replace(string(source), old, new, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	edit("membership_events.go", "type MemberJoined struct {", "var joinedVia = addField(\"via\", \"\")\n\ntype MemberJoined struct {\n\tVia string `json:\"via\"`")
	edit("registry.go", "define[MemberJoined](MemberStream, joinedWithUserVersion)", "define[MemberJoined](MemberStream, joinedWithUserVersion, joinedVia)")
	raw, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// whileBothRun checks that the older's clients see what the newer handled.
func (up *upgrade) whileBothRun(annAtOlder, bobAtOlder, bobAtNewer caller) {
	up.Helper()
	if got := annAtOlder.get("/v1/members").column("name"); !slices.Equal(got, []string{"Ann", "Bob"}) {
		up.Errorf("members as the older shows them: %v", got)
	}
	annAtOlder.post("/v1/projects", object("name", "Quay")).want(201)
	bobAtNewer.post("/v1/projects", object("name", "Bob's")).want(201)
	// The older can't read Bob's membership, so it says neither yes nor no.
	bobAtOlder.get("/v1/projects").refused(503, "overloaded")
	bobAtOlder.post("/v1/projects", object("name", "x")).refused(503, "overloaded")
	annAtOlder.patch("/v1/members/"+bobAtOlder.id, object("role", "viewer")).refused(503, "overloaded")
	annAtOlder.at(bobAtNewer.url).patch("/v1/members/"+bobAtOlder.id, object("role", "manager")).want(200)
	// The raw log is as stored.
	versions := annAtOlder.get("/v1/admin/events?limit=200")
	seen := map[string]int{}
	for i, kind := range versions.column("type") {
		if kind == "member.joined" {
			seen[versions.column("schema_version")[i]]++
		}
	}
	if want := map[string]int{"2": 2, "3": 1}; !maps.Equal(seen, want) || !strings.Contains(versions.body, `"via":""`) {
		up.Errorf("the raw log has member.joined in the schema versions %v, want %v", seen, want)
	}
	up.caughtUp()
}

// rejoin appends that a user joins, as the newer has written it for another user.
func (up *upgrade) rejoin(like, who caller) {
	up.Helper()
	done, err := up.pool.Exec(context.Background(), `insert into events (tenant_id, seq, stream_type, stream_id, version, type, schema_version,
occurred_at, actor_id, command_id, data, meta)
select e.tenant_id, h.seq + 1, e.stream_type, $2, h.version + 1, e.type, e.schema_version, clock_timestamp(), $2, gen_random_uuid(),
  replace(e.data::text, $1::uuid::text, $2::uuid::text)::json, e.meta
from events e, lateral (select max(seq) as seq, max(version) filter (where stream_id = $2) as version from events where tenant_id = e.tenant_id) h
where e.stream_id = $1 and e.type = 'member.joined'`, like.id, who.id)
	if err != nil || done.RowsAffected() != 1 {
		up.Fatalf("%d rows, %v", done.RowsAffected(), err)
	}
}

// olderStops waits until every subscription of the older, which is alone, stops before an
// event that it can't read.
func (up *upgrade) olderStops() {
	up.Helper()
	awaitSQL(up, up.pool, "the older stops", `select count(*) = $1 from checkpoints c join events e on e.tenant_id = c.tenant_id and e.seq = c.seq + 1
where e.type = 'member.joined' and e.schema_version = 3`, len(subscriptions(nil)))
}

// commandsOfTheOlder runs commands of the older program.
func (up *upgrade) commandsOfTheOlder() {
	up.Helper()
	o := up.older.run("projections", "rebuild")
	if o.status != cli.StatusFailed || !strings.Contains(o.stderr, "default  members  failed, the old rows stay: left to a newer docket") {
		up.Errorf("rebuild: status %d, %s", o.status, o.stderr)
	}
	if !strings.Contains(o.stdout, "acme  members  done") || strings.Contains(o.stdout, "default  ") {
		up.Errorf("rebuild: %s", o.stdout)
	}
	o = up.older.run("audit", "replay", "--tenant", "default", "--json")
	if o.status != cli.StatusDone || strings.Count(o.stdout, `"schema_version":3`) != 2 {
		up.Errorf("replay: status %d, %s %s", o.status, o.stdout, o.stderr)
	}
	o = up.older.run("tenants", "list", "--json")
	if o.status != cli.StatusDone || !strings.Contains(o.stdout, `"default"`) {
		up.Errorf("tenants list: status %d, %s %s", o.status, o.stdout, o.stderr)
	}
}

// caughtUp waits until all logs are handled, and fails if a subscription was parked.
func (up *upgrade) caughtUp() {
	up.Helper()
	awaitCheckpoints(up, up.pool)
	var troubled int
	if err := up.pool.QueryRow(context.Background(), `select count(*) from checkpoints
where failures > 0 or error is not null or retry_at is not null`).Scan(&troubled); err != nil || troubled > 0 {
		up.Errorf("%d checkpoints have failures, %v", troubled, err)
	}
}

// schemaVersions are those of all member.joined, sorted.
func (up *upgrade) schemaVersions() []int {
	up.Helper()
	var versions []int
	if err := up.pool.QueryRow(context.Background(), `select array_agg(schema_version order by schema_version) from events
where type = 'member.joined'`).Scan(&versions); err != nil {
		up.Fatal(err)
	}
	return versions
}

func stopped(t *testing.T, o outcome) {
	t.Helper()
	if o.status != cli.StatusDone {
		t.Errorf("status %d: %s", o.status, o.stderr)
	}
}
