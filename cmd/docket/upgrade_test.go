package main

import (
	"context"
	"encoding/json"
	"flag"
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

var newerFlag = flag.Bool("upgrade.newer", false, "build a future release and run it beside this program; otherwise its events are written by the test")

// TestUpgradeBesideAnOlderReplica runs this program on a database in which a future release
// writes member.joined in a schema version that this program, the older, can't read. The
// older stays ready, parks nothing, decides nothing on what it can't read, and leaves it to
// the newer. With -upgrade.newer the future release is built, which takes minutes, and runs
// beside the older.
func TestUpgradeBesideAnOlderReplica(t *testing.T) {
	t.Parallel()
	up := newUpgrade(t)
	older := up.older.serve("--log-format", "json")
	ann := register(t, older.url, "Ann")
	ann.post("/v1/tenants", object("name", "Acme", "slug", "acme")).want(201)
	cem := register(t, older.url, "Cem")
	cem.delete("/v1/members/" + cem.id).want(204)
	var bob caller
	versions := map[string]int{"2": 2, "3": 2} // of member.joined, once Cem is back
	if up.newer == nil {
		bob, versions = register(t, older.url, "Bob"), map[string]int{"2": 3, "3": 1}
		up.caughtUp()
	} else {
		bob = up.joinsAtTheNewer(ann)
	}
	if got := ann.get("/v1/members").column("name"); !slices.Equal(got, []string{"Ann", "Bob"}) {
		t.Errorf("members as the older shows them: %v", got)
	}

	// The older is alone with what only the newer can read.
	up.rejoin(bob, cem)
	project := ann.post("/v1/projects", object("name", "Mole")).want(201).text("id")
	up.olderStops()
	up.leavesAlone(ann, cem.in("default"))
	up.rawLog(ann, versions)
	ann.post("/v1/projects/"+project+"/transitions", object("to", "submitted")).want(200)
	ann.in("acme").get("/v1/projects").want(200)
	anyone(t, older.url).get("/readyz").want(200)
	up.commandsOfTheOlder(versions["3"])
	up.untroubled()

	if up.newer != nil {
		up.newerContinues(ann, cem, project)
	}
	o := older.stop(syscall.SIGTERM, false)
	stopped(t, o)
	if !strings.Contains(o.stderr, "left to a newer version") || strings.Contains(o.stderr, "page failed") {
		t.Errorf("the older logged:\n%s", o.stderr)
	}
}

// joinsAtTheNewer runs the newer beside the older while Bob joins there.
func (up *upgrade) joinsAtTheNewer(annAtOlder caller) caller {
	up.Helper()
	newer := up.newer.serve()
	bob := register(up.T, newer.url, "Bob")
	up.caughtUp()
	if got := up.schemaVersions(); !slices.Equal(got, []int{2, 2, 2, 3}) {
		up.Fatalf("member.joined was written in the schema versions %v", got)
	}
	up.whileBothRun(annAtOlder, bob.at(annAtOlder.url), bob)
	stopped(up.T, newer.stop(syscall.SIGTERM, false))
	return bob
}

// newerContinues has a newer one handle what the older left, and the older continue from there.
func (up *upgrade) newerContinues(annAtOlder, cem caller, project string) {
	up.Helper()
	newer := up.newer.serve()
	up.caughtUp()
	cem.at(newer.url).in("default").get("/v1/projects/" + project).want(200)
	if o := up.newer.run("projections", "rebuild"); o.status != cli.StatusDone {
		up.Errorf("the newer's rebuild: status %d, %s", o.status, o.stderr)
	}
	stopped(up.T, newer.stop(syscall.SIGTERM, false))
	annAtOlder.patch("/v1/projects/"+project, object("due_date", "2027-01-01")).want(200)
	up.caughtUp()
}

// upgrade is a database with two releases of the program on it; newer is nil in the short form.
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
	if !*newerFlag {
		return up
	}
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
	annAtOlder.post("/v1/projects", object("name", "Quay")).want(201)
	bobAtNewer.post("/v1/projects", object("name", "Bob's")).want(201)
	up.leavesAlone(annAtOlder, bobAtOlder)
	annAtOlder.at(bobAtNewer.url).patch("/v1/members/"+bobAtOlder.id, object("role", "manager")).want(200)
	up.rawLog(annAtOlder, map[string]int{"2": 2, "3": 1})
	up.caughtUp()
}

// leavesAlone checks that the older, which can't read a member's membership, says neither yes
// nor no to the member, and decides nothing on it.
func (up *upgrade) leavesAlone(ann, member caller) {
	up.Helper()
	member.get("/v1/projects").refused(503, "overloaded")
	member.post("/v1/projects", object("name", "x")).refused(503, "overloaded")
	ann.patch("/v1/members/"+member.id, object("role", "viewer")).refused(503, "overloaded")
}

// rawLog checks that the older's raw log is as stored: how many member.joined have which
// schema version.
func (up *upgrade) rawLog(ann caller, want map[string]int) {
	up.Helper()
	log := ann.get("/v1/admin/events?limit=200")
	seen := map[string]int{}
	for i, kind := range log.column("type") {
		if kind == "member.joined" {
			seen[log.column("schema_version")[i]]++
		}
	}
	if !maps.Equal(seen, want) || strings.Count(log.body, `"via":""`) != want["3"] {
		up.Errorf("the raw log has member.joined in the schema versions %v, want %v", seen, want)
	}
}

// rejoin appends that a user joins, as the newer writes it, made of another user's event.
func (up *upgrade) rejoin(like, who caller) {
	up.Helper()
	done, err := up.pool.Exec(context.Background(), `insert into events (tenant_id, seq, stream_type, stream_id, version, type, schema_version,
occurred_at, actor_id, command_id, data, meta)
select e.tenant_id, h.seq + 1, e.stream_type, $2, h.version + 1, e.type, 3, clock_timestamp(), $2, gen_random_uuid(),
  (replace(e.data::text, $1::uuid::text, $2::uuid::text)::jsonb || '{"via":""}')::json, e.meta
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

// commandsOfTheOlder runs commands of the older program; newer is how many events it can't read.
func (up *upgrade) commandsOfTheOlder(newer int) {
	up.Helper()
	o := up.older.run("projections", "rebuild")
	if o.status != cli.StatusFailed || !strings.Contains(o.stderr, "default  members  failed, the old rows stay: left to a newer docket") {
		up.Errorf("rebuild: status %d, %s", o.status, o.stderr)
	}
	if !strings.Contains(o.stdout, "acme  members  done") || strings.Contains(o.stdout, "default  ") {
		up.Errorf("rebuild: %s", o.stdout)
	}
	o = up.older.run("audit", "replay", "--tenant", "default", "--json")
	if o.status != cli.StatusDone || strings.Count(o.stdout, `"schema_version":3`) != newer {
		up.Errorf("replay: status %d, %s %s", o.status, o.stdout, o.stderr)
	}
	o = up.older.run("tenants", "list", "--json")
	if o.status != cli.StatusDone || !strings.Contains(o.stdout, `"default"`) {
		up.Errorf("tenants list: status %d, %s %s", o.status, o.stdout, o.stderr)
	}
}

// caughtUp waits until all logs are handled. It fails the test as untroubled does.
func (up *upgrade) caughtUp() {
	up.Helper()
	awaitCheckpoints(up, up.pool)
	up.untroubled()
}

// untroubled fails the test if a subscription has failed or was parked.
func (up *upgrade) untroubled() {
	up.Helper()
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
