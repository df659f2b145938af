package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"docket/domain"
	"docket/internal/cli"
	"docket/internal/pgtest"
	"docket/projections"
	"docket/projections/rebuild"

	"github.com/jackc/pgx/v5/pgxpool"
)

// rowsOf is all rows, checkpoints and generations of the read models of all tenants.
func rowsOf(t *testing.T, pool *pgxpool.Pool) string {
	t.Helper()
	var parts []string
	for _, table := range append(projections.Models(), "checkpoints", "generations") {
		parts = append(parts, fmt.Sprintf(`select '%[1]s ' || to_json(x)::text as row from %[1]s x`, table))
	}
	var all string
	if err := pool.QueryRow(t.Context(), `select string_agg(row, e'\n' order by row) from (`+strings.Join(parts, " union all ")+`) s`).Scan(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// last decodes the last line of the output.
func (o outcome) last(t *testing.T, to any) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), to); err != nil {
		t.Fatalf("%v: %q", err, o.stdout)
	}
}

// Verify, dry run and repair of a sound and a damaged database, with and without a server.
func TestVerifyCommand(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	environ := given(db, nil)
	s := serve(t, environ)
	pool := db.Engine(t)
	ann := register(t, s.url, "Ann")
	try(t, environ, "tenants", "create", "--name", "Acme", "--slug", "acme", "--owner", ann.email)
	var tasks []string
	for _, slug := range []string{"default", "acme"} {
		in := ann.in(slug)
		project := in.post("/v1/projects", object("name", "Quay")).want(201).text("id")
		for range 5 {
			tasks = append(tasks, in.post("/v1/projects/"+project+"/tasks", object("title", "Dredge")).want(201).text("id"))
		}
		for _, name := range subscriptionNames() {
			awaitCheckpoint(t, pool, tenantOf(t, pool, slug), name)
		}
	}
	for _, name := range subscriptionNames() {
		awaitCheckpoint(t, pool, domain.Platform, name)
	}
	verify := []string{"projections", "verify"}
	all := 3 * len(projections.Models())

	var totals verifyTotals
	o := try(t, environ, append(verify, "--json", "--workers", "2")...)
	o.last(t, &totals)
	if o.status != cli.StatusDone || strings.Count(o.stdout, "\n") != 1 || o.stderr != "" || totals.Tenants != 3 || totals.Verified != all || totals.Rows == 0 || totals.DifferingRows != 0 {
		t.Errorf("sound: status %d, %s%s", o.status, o.stdout, o.stderr)
	}
	if o := try(t, environ, verify...); o.status != cli.StatusDone || !strings.HasPrefix(o.stdout, fmt.Sprintf("verified %d read models of 3 tenants in ", all)) ||
		!strings.HasSuffix(o.stdout, " rows, 0 differ\n") || strings.Count(o.stdout, "\n") != 1 {
		t.Errorf("sound: status %d, %s%s", o.status, o.stdout, o.stderr)
	}
	s.stop()

	for _, sql := range []string{
		`update tasks set title = e'\u001b[31mx\ny', version = 7 where id = '` + tasks[6] + `'`,
		`update tasks set title = 'y' where id = '` + tasks[7] + `'`,
		`delete from tasks where id = '` + tasks[8] + `'`,
		`insert into comments select tenant_id, 1, gen_random_uuid(), seq, id, project_id, title, created_by, '[]', created_at, updated_at, 1 from tasks where id = '` + tasks[9] + `'`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(sql, err)
		}
	}
	before := rowsOf(t, pool)
	o = try(t, environ, append(verify, "--json")...)
	named := map[string]differingRow{}
	for line := range strings.Lines(o.stdout) {
		var d differingRow
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(line, err)
		}
		if d.Kind != "" {
			named[d.Key] = d
		}
	}
	o.last(t, &totals)
	if d := named[tasks[6]]; d.Kind != rebuild.Changed || d.Tenant != "acme" || d.Projection != "tasks" || len(d.Columns) != 2 ||
		string(d.Columns[0].Live) != `"\u001b[31mx\ny"` || string(d.Columns[0].Fresh) != `"Dredge"` {
		t.Errorf("named: %+v", d)
	}
	if d := named[tasks[8]]; d.Kind != rebuild.Missing || string(d.Columns[0].Live) != "null" {
		t.Errorf("named: %+v", d)
	}
	if o.status != cli.StatusNo || o.stderr != "" || len(named) != 4 || totals.DifferingRows != 4 || totals.Differing != 2 || totals.Verified != all || totals.Repaired != 0 {
		t.Errorf("damaged: status %d, %s%s", o.status, o.stdout, o.stderr)
	}
	o = try(t, environ, append(verify, "--tenant", "acme", "--projection", "tasks")...)
	for _, want := range []string{
		"acme  tasks  " + tasks[6] + `  changed: title "\u001b[31mx\ny", should be "Dredge"; version 7, should be 1` + "\n",
		"acme  tasks  " + tasks[8] + "  missing: the events have it\n",
		"acme  tasks  3 of 5 rows differ\n", "verified 1 read models of 1 tenants in ", ": 5 rows, 3 differ\n",
	} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("no %q in %s", want, o.stdout)
		}
	}
	if o.status != cli.StatusNo || strings.Contains(o.stdout, "\x1b") {
		t.Errorf("status %d, %s", o.status, o.stdout)
	}
	if o := try(t, environ, append(verify, "--tenant", "default")...); o.status != cli.StatusDone {
		t.Errorf("the other tenant: status %d, %s", o.status, o.stdout)
	}

	o = try(t, environ, "projections", "rebuild", "--dry-run")
	for _, want := range []string{
		"acme  tasks  would change 3 of 5 rows: add 1, remove 0, alter 2\n  add " + tasks[8] + "\n  title, in 2 rows\n    " + tasks[6],
		"    " + tasks[7] + `  "y" → "Dredge"` + "\n  version, in 1 rows\n    " + tasks[6] + "  7 → 1\n",
		"default  tasks  nothing would change: 5 rows\n", "a rebuild would add 1, remove 1 and alter 2\n",
	} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("no %q in %s", want, o.stdout)
		}
	}
	if o.status != cli.StatusDone || o.stderr != "" {
		t.Errorf("dry run: status %d, %s", o.status, o.stderr)
	}
	o = try(t, environ, "projections", "rebuild", "--dry-run", "--json", "--tenant", "acme", "--projection", "tasks")
	var would dryRunLine
	if err := json.Unmarshal([]byte(strings.Split(o.stdout, "\n")[0]), &would); err != nil || would.Changed.Rows != 2 || would.Missing.Rows != 1 ||
		len(would.Columns) != 2 || would.Columns[0].Rows != 2 || would.Columns[0].Samples[1].Key != tasks[7] {
		t.Errorf("dry run: %v, %s", err, o.stdout)
	}
	// A read model without the last event is compared without it, and its line says so.
	move := func(by int) {
		if _, err := pool.Exec(t.Context(), `update checkpoints set seq = seq + $2 where tenant_id = $1 and subscription = 'members'`,
			tenantOf(t, pool, "acme").UUID(), by); err != nil {
			t.Fatal(err)
		}
	}
	move(-1)
	behind := []string{"projections", "rebuild", "--dry-run", "--tenant", "acme", "--projection", "members"}
	o = try(t, environ, append(behind, "--json")...)
	would = dryRunLine{}
	var dry dryRunTotals
	o.last(t, &dry)
	if err := json.Unmarshal([]byte(strings.Split(o.stdout, "\n")[0]), &would); err != nil || would.Seq+1 != would.Head || would.Head < 2 || dry.Behind != 1 {
		t.Errorf("behind: %v, %s", err, o.stdout)
	}
	o = try(t, environ, behind...)
	if want := fmt.Sprintf("acme  members  nothing would change, as far as event %d of %d: 1 rows\n", would.Seq, would.Head); o.status != cli.StatusDone ||
		!strings.HasPrefix(o.stdout, want) || !strings.HasSuffix(o.stdout, "; 1 read models are behind the log\n") {
		t.Errorf("behind: status %d, %q, want %q", o.status, o.stdout, want)
	}
	move(1)
	if after := rowsOf(t, pool); after != before {
		t.Errorf("verify or dry run has changed\n%s\nto\n%s", before, after)
	}

	// A read model that another process builds can't be verified; the others are repaired.
	builds := startBuild(t, pool, tenantOf(t, pool, "acme"), "comments")
	o = try(t, environ, append(verify, "--repair")...)
	builds.Close()
	o.refused(t, "1 read models couldn't be verified")
	if !strings.Contains(o.stdout, "acme  tasks  3 of 5 rows differ, repaired\n") || !strings.Contains(o.stdout, "3 differ; repaired 1 read models\n") ||
		!strings.HasPrefix(o.stderr, "acme  comments  failed: ") {
		t.Errorf("beside a build: status %d, %s%s", o.status, o.stdout, o.stderr)
	}
	o = try(t, environ, append(verify, "--repair", "--json")...)
	o.last(t, &totals)
	if o.status != cli.StatusNo || totals.Repaired != 1 || totals.DifferingRows != 1 {
		t.Errorf("repair: status %d, %s%s", o.status, o.stdout, o.stderr)
	}
	if o := try(t, environ, verify...); o.status != cli.StatusDone {
		t.Errorf("after the repair: status %d, %s", o.status, o.stdout)
	}
	try(t, environ, append(verify, "--tenant", "nonesuch")...).refused(t, `no tenant with the slug or id "nonesuch"`)
	try(t, environ, "projections", "rebuild", "--dry-run", "--tenant", "nonesuch").refused(t, `no tenant with the slug or id "nonesuch"`)
}

// An interruption prints what was found before it. It is no failure, and the tenant has
// its name.
func TestVerifyInterrupted(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	environ := given(db, nil)
	s := serve(t, environ)
	pool := db.Engine(t)
	ann := register(t, s.url, "Ann")
	project := ann.post("/v1/projects", object("name", "Quay")).want(201).text("id")
	tenant := tenantOf(t, pool, "default")
	awaitCheckpoint(t, pool, tenant, "projects")
	s.stop()
	if _, err := pool.Exec(t.Context(), `update projects set name = 'x'`); err != nil {
		t.Fatal(err)
	}
	// A trigger makes the deletion of the fresh rows wait; every row is compared by then.
	execute(t, db.OwnerURL, `create function waits() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(7); return old; end $$;
create trigger waits before delete on projects for each row execute function waits();
create function waits_too() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(7); return new; end $$;
create trigger waits before insert on members for each row execute function waits_too()`)
	waiting := func(want bool) {
		t.Helper()
		awaitSQL(t, pool, fmt.Sprintf("a session waits for the lock: %t", want), `select $1 = exists (select from pg_locks where locktype = 'advisory' and not granted
and database = (select oid from pg_database where datname = current_database()))`, want)
	}
	// run interrupts a command once it waits.
	run := func(args ...string) outcome {
		t.Helper()
		lock, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Rollback(context.Background())
		if _, err := lock.Exec(t.Context(), `select pg_advisory_xact_lock(7)`); err != nil {
			t.Fatal(err)
		}
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		var stdout, stderr bytes.Buffer
		p := &program{environ: environ, stdout: &stdout, stderr: &stderr, cutOff: context.Background(), onUnsafePostgres: true}
		ended := make(chan int)
		go func() {
			ended <- p.run(ctx, append([]string{"projections"}, append(args, "--tenant", "default")...))
		}()
		waiting(true)
		interrupt()
		status := <-ended
		if err := lock.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		waiting(false)
		return outcome{status, stdout.String(), stderr.String()}
	}
	o := run("verify", "--projection", "projects")
	if !strings.HasPrefix(o.stdout, "default  projects  "+project+"  changed: name ") {
		t.Errorf("the difference is lost: %s", o.stdout)
	}
	for _, tc := range []struct {
		outcome
		want string
	}{
		{o, "default  projects  interrupted\n"},
		{run("rebuild", "--dry-run", "--projection", "projects"), "default  projects  interrupted\n"},
		{run("rebuild", "--projection", "members"), "default  members  interrupted; run the command again to resume it\n"},
	} {
		if tc.status != cli.StatusFailed || tc.stderr != tc.want+"docket: interrupted\n" {
			t.Errorf("status %d, %s%s, want %q", tc.status, tc.stdout, tc.stderr, tc.want)
		}
	}
}

// brokenOutput fails at each write, with EPIPE as if its reader, such as head, had closed
// it.
type brokenOutput struct{ err error }

func (b brokenOutput) Write([]byte) (int, error) { return 0, b.err }

// The exit status says what was found also if the reader closes the output early. Another
// error of writing comes first.
func TestStatusesWithoutAReader(t *testing.T) {
	t.Parallel()
	// ends are those of a verification, a dry run and a rebuild that have found so much.
	ends := func(to brokenOutput, json bool, failed, differing int) []error {
		broken := func() report { return report{out: bufio.NewWriter(to), json: json} }
		return []error{
			(&verifyReport{report: broken(), totals: verifyTotals{Failed: failed, Differing: differing}}).end(),
			(&dryRun{report: broken(), totals: dryRunTotals{Failed: failed}}).end(),
			(&rebuildReport{report: broken(), failed: failed, oldRows: differing}).end(),
		}
	}
	full := errors.New("the disk is full")
	for _, json := range []bool{false, true} {
		for i, err := range ends(brokenOutput{syscall.EPIPE}, json, 1, 1) {
			if err == nil || errors.Is(err, syscall.EPIPE) || !strings.Contains(err.Error(), "1 read models couldn't be") {
				t.Errorf("%d, failed: %v", i, err)
			}
		}
		found := ends(brokenOutput{syscall.EPIPE}, json, 0, 1)
		var left *cli.Refusal
		if !errors.Is(found[0], cli.ErrNo) || !errors.As(found[2], &left) {
			t.Errorf("differing: %v", found)
		}
		for i, err := range ends(brokenOutput{syscall.EPIPE}, json, 0, 0) {
			if !errors.Is(err, syscall.EPIPE) {
				t.Errorf("%d, nothing found: %v", i, err)
			}
		}
		for i, err := range ends(brokenOutput{full}, json, 1, 1) {
			if !errors.Is(err, full) {
				t.Errorf("%d, full: %v", i, err)
			}
		}
	}
}
