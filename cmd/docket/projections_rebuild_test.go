package main

import (
	"docket/projections/rebuild"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/cli"
	"docket/internal/pgtest"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"
)

// On a terminal a rebuild shows a bar that fits, and at the end one line.
func TestRebuildOnATerminal(t *testing.T) {
	t.Parallel()
	environ := given(pgtest.New(t), map[string]string{"NO_COLOR": "1"})
	serve(t, environ).stop()
	for _, columns := range []int{80, 120} {
		status, shown := onTerminal(t, columns, environ, "projections", "rebuild", "--workers", "2")
		if status != cli.StatusDone || !strings.Contains(shown, "[") || !strings.Contains(shown, " events/") || strings.Contains(shown, "  done: ") {
			t.Errorf("status %d: %q", status, shown)
		}
		for line := range strings.FieldsFuncSeq(shown, func(r rune) bool { return r == '\r' || r == '\n' }) {
			if w := runewidth.StringWidth(line); w > columns {
				t.Errorf("on %d columns a line of %d: %q", columns, w, line)
			}
		}
		last := shown[strings.LastIndex(strings.TrimRight(shown, "\n"), "\r")+1:]
		if !strings.HasPrefix(last, "rebuilt ") {
			t.Errorf("the bar is still there: %q", shown)
		}
	}
}

// A rebuild and a verification are throttled without --full-speed.
func TestFullSpeed(t *testing.T) {
	t.Parallel()
	for want, flags := range map[bool][]string{false: nil, true: {"--full-speed"}} {
		p := &program{}
		var r selection
		c := &cobra.Command{Use: "rebuild"}
		r.flags(c, p)
		if err := c.ParseFlags(flags); err != nil {
			t.Fatal(err)
		}
		if got := r.rebuilder(p, c, &pools{}).FullSpeed; got != want {
			t.Errorf("%v: full speed is %t", flags, got)
		}
	}
}

// A second rebuild of a read model is refused and names the process of the first; wrong
// workers and names are refused in one line.
func TestRebuildRefusals(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	environ := given(db, nil)
	serve(t, environ).stop()
	pool := db.Engine(t)
	defer startBuild(t, pool, tenantOf(t, pool, "default"), "tasks").Close()
	o := try(t, environ, "projections", "rebuild", "--tenant", "default", "--projection", "tasks")
	o.refused(t, "1 read models couldn't be rebuilt")
	if !strings.Contains(o.stderr, "is being rebuilt by on-call on quay (docket projections rebuild, process 7), since 20") {
		t.Errorf("the process is not named: %q", o.stderr)
	}
	try(t, environ, "projections", "rebuild", "--workers", "0").refused(t, "--workers")
	try(t, environ, "projections", "rebuild", "--projection", "nonsense").refused(t, `"nonsense"`)
	try(t, environ, "projections", "rebuild", "--tenant", "nonesuch").refused(t, `"nonesuch"`)
}

// Tenants and read models that are named twice are rebuilt and counted once: a slug and
// its id are one tenant.
func TestRebuildNamedTwice(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	environ := given(db, nil)
	serve(t, environ).stop()
	pool := db.Engine(t)
	tenant := tenantOf(t, pool, "default")
	twice := []string{"--tenant", "default", "--tenant", tenant.String(), "--projection", "tasks", "--projection", "tasks"}
	for _, speed := range [][]string{nil, {"--workers", "2", "--full-speed"}} {
		o := try(t, environ, append(append([]string{"projections", "rebuild"}, twice...), speed...)...)
		if o.status != cli.StatusDone || o.stderr != "" || strings.Count(o.stdout, "  done: ") != 1 || !strings.Contains(o.stdout, "rebuilt 1 read models") {
			t.Errorf("rebuild %v: status %d, %s%s", speed, o.status, o.stdout, o.stderr)
		}
		o = try(t, environ, append(append([]string{"projections", "verify", "--repair"}, twice...), speed...)...)
		if o.status != cli.StatusDone || o.stderr != "" || !strings.HasPrefix(o.stdout, "verified 1 read models of 1 tenants") {
			t.Errorf("verify %v: status %d, %s%s", speed, o.status, o.stdout, o.stderr)
		}
	}
	p := &program{stdout: io.Discard, stderr: io.Discard}
	report, err := p.newRebuildReport(t.Context(), rebuild.New(pool), []domain.TenantID{tenant},
		selection{models: []string{"tasks", "members", "tasks"}})
	if err != nil || report.work.models != 2 {
		t.Errorf("%d read models are counted: %v", report.work.models, err)
	}
}

// A rebuild or repair whose old rows can't be deleted has not failed; the next server
// deletes them.
func TestRebuildWhoseOldRowsStay(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	environ := given(db, nil)
	s := serve(t, environ)
	pool := db.Engine(t)
	awaitCheckpoint(t, pool, tenantOf(t, pool, "default"), "tenants")
	s.stop()
	execute(t, db.OwnerURL, `create function kept() returns trigger language plpgsql as $$ begin raise exception 'they stay'; end $$;
create trigger kept before delete on tenants for each row execute function kept()`)
	rebuild := []string{"projections", "rebuild", "--tenant", "default", "--projection", "tenants", "--projection", "tasks"}
	o := try(t, environ, rebuild...)
	if o.status != cli.StatusNo || !strings.Contains(o.stdout, "rebuilt 2 read models") ||
		!strings.HasPrefix(o.stderr, "default  tenants  rebuilt, and its old rows are still there; a server deletes them: ") ||
		!strings.HasSuffix(o.stderr, "docket: 1 read models are rebuilt, and their old rows are still there\n") || strings.Contains(o.stderr, "failed") {
		t.Errorf("rebuild: status %d, %s%s", o.status, o.stdout, o.stderr)
	}
	o = try(t, environ, append(rebuild, "--json")...)
	var totals rebuildTotals
	o.last(t, &totals)
	if o.status != cli.StatusNo || totals.Rebuilt != 2 || totals.OldRows != 1 || totals.Failed != 0 || strings.Count(o.stdout, `"old_rows_left":true,"error":"`) != 1 {
		t.Errorf("rebuild --json: status %d, %s%s", o.status, o.stdout, o.stderr)
	}
	if _, err := pool.Exec(t.Context(), `update tenants set channel = 'smoke' where tenant_id = $1`, tenantOf(t, pool, "default").UUID()); err != nil {
		t.Fatal(err)
	}
	repair := []string{"projections", "verify", "--tenant", "default", "--projection", "tenants", "--repair"}
	o = try(t, environ, repair...)
	if o.status != cli.StatusNo || !strings.Contains(o.stdout, "1 differ; repaired 1 read models\n") ||
		!strings.HasPrefix(o.stderr, "default  tenants  rebuilt, and its old rows are still there") || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("repair: status %d, %s%s", o.status, o.stdout, o.stderr)
	}
	execute(t, db.OwnerURL, `drop trigger kept on tenants`)
	s = serve(t, environ)
	awaitSQL(t, pool, "the old rows are deleted", `select not exists (select from generations where old_rows)
and (select count(*) from tenants where tenant_id = $1) <= 1`, tenantOf(t, pool, "default").UUID())
	s.stop()
}

// startBuild builds a read model of a tenant as a process on another machine does, until
// Close.
func startBuild(t *testing.T, pool *pgxpool.Pool, tenant domain.TenantID, model string) *feed.Builds {
	t.Helper()
	builds, err := feed.OpenBuilds(t.Context(), pool, tenant, "on-call on quay (docket projections rebuild, process 7)")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := builds.Start(t.Context(), model, 1); err != nil {
		t.Fatal(err)
	}
	return builds
}

var kills = flag.Int("rebuild.kills", 3, "how often TestRebuildKilledUnderLoad kills a rebuild")

// A rebuild that is killed at any point under load leaves each read model of a tenant old
// or new, and the next rebuild resumes it.
func TestRebuildKilledUnderLoad(t *testing.T) {
	t.Parallel()
	db := pgtest.NewDurable(t)
	environ := given(db, nil)
	s := serve(t, environ)
	ann := register(t, s.url, "Ann")
	project := ann.post("/v1/projects", object("name", "Quay")).want(201).text("id")
	for i := range 30 {
		ann.post("/v1/projects/"+project+"/tasks", object("title", fmt.Sprint("Task ", i))).want(201)
	}
	pool := db.Engine(t)
	tenant := tenantOf(t, pool, "default")
	lengthen(t, pool, tenant)
	in := newInstall(t, osUsers(t)[0])
	for name, value := range environ {
		in.environ = append(in.environ, name+"="+value)
	}

	stop := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			made := ann.post("/v1/projects/"+project+"/tasks", object("title", fmt.Sprint("Under load ", i))).want(201)
			// A read sees the write before it at any point of the rebuild.
			target := "/v1/tasks/" + made.text("id") + "?min_seq=" + made.header.Get("Docket-Seq")
			got := ann.get(target)
			for got.status == http.StatusServiceUnavailable { // on a busy machine
				got = ann.get(target)
			}
			if title := got.want(200).text("title"); title != fmt.Sprint("Under load ", i) {
				t.Errorf("read %q", title)
			}
		}
	})
	killed := 0
	for killed < *kills {
		cmd := in.command("projections", "rebuild")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan int, 1)
		go func() { ended <- wait(cmd) }()
		// Between the begin of the first build and the end of the last.
		goal := rand.Int64N(int64(30 * *changes))
		over, status := false, 0
		await(t, "a build comes to its seq, or the rebuild ends", func() bool {
			select {
			case status = <-ended:
				over = true
				return true
			default:
			}
			var begun bool
			if err := pool.QueryRow(t.Context(), sqlBuildAt, tenant.UUID(), goal).Scan(&begun); err != nil {
				t.Fatal(err)
			}
			return begun
		})
		if !over {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			status = <-ended
		}
		if status < 0 {
			killed++
		}
	}
	o := in.run("projections", "rebuild", "--workers", "2")
	close(stop)
	load.Wait()
	if o.status != cli.StatusDone {
		t.Fatalf("after %d kills: status %d, %s", killed, o.status, o.stderr)
	}
	for _, name := range subscriptionNames() {
		awaitCheckpoint(t, pool, tenant, name)
	}
	var tasks, created int
	if err := pool.QueryRow(t.Context(), `select
  (select count(*) from tasks where tenant_id = $1), (select count(*) from events where tenant_id = $1 and type = 'task.created')`,
		tenant.UUID()).Scan(&tasks, &created); err != nil || tasks != created {
		t.Errorf("%d tasks of %d: %v", tasks, created, err)
	}
}

// sqlBuildAt reports whether the builds of a tenant ($1) have come to a seq ($2).
const sqlBuildAt = `select coalesce(max(c.seq), -1) >= $2 from checkpoints c where c.tenant_id = $1
and c.generation > coalesce((select g.current from generations g where g.tenant_id = $1 and g.subscription = c.subscription), 1)`

var changes = flag.Int("rebuild.changes", 150, "how many events lengthen appends for each task")

// lengthen appends changes of its tasks to a log, so that a rebuild takes a while.
func lengthen(t *testing.T, pool *pgxpool.Pool, tenant domain.TenantID) {
	t.Helper()
	const sql = `insert into events (tenant_id, seq, stream_type, stream_id, version, type, schema_version, occurred_at, actor_id, command_id, data, meta)
select $1, h.seq + row_number() over (order by n.n, e.stream_id), e.stream_type, e.stream_id, n.n + 1, 'task.updated', 1,
  h.at + (row_number() over (order by n.n, e.stream_id)) * interval '1 microsecond', e.actor_id, gen_random_uuid(),
  json_build_object('task_id', e.data ->> 'task_id', 'project_id', e.data ->> 'project_id', 'project_name', e.data ->> 'project_name',
    'owner_id', e.data ->> 'owner_id', 'title', 'Change ' || n.n, 'assignee_id', null,
    'changes', json_build_array(json_build_object('field', 'title', 'from', 'before', 'to', 'Change ' || n.n))), e.meta
from events e, generate_series(1, $2) n (n), (select max(seq) as seq, max(occurred_at) as at from events where tenant_id = $1) h
where e.tenant_id = $1 and e.type = 'task.created'`
	if _, err := pool.Exec(t.Context(), sql, tenant.UUID(), *changes); err != nil {
		t.Fatal(err)
	}
}
