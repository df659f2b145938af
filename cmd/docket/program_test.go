package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"docket/domain"
	"docket/internal/cli"
	"docket/internal/pgtest"
	"docket/migrations"
	"docket/projections"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) {
	status := pgtest.Run(m)
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(status)
}

// outcome is the end of a run of the program.
type outcome struct {
	status         int
	stdout, stderr string
}

// try runs the program in this process.
func try(t *testing.T, environ map[string]string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout bytes.Buffer
	stderr := untilListening{stop: cancel}
	p := &program{environ: environ, stdout: &stdout, stderr: &stderr, cutOff: context.Background(), onUnsafePostgres: true}
	status := p.run(ctx, args)
	return outcome{status, stdout.String(), stderr.text.String()}
}

// untilListening stops a server as soon as it logs that it listens.
type untilListening struct {
	mu   sync.Mutex
	text bytes.Buffer
	stop func()
}

func (u *untilListening) Write(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if bytes.Contains(p, []byte("listening")) {
		u.stop()
	}
	return u.text.Write(p)
}

// given are settings for a server on a test's database.
func given(db *pgtest.DB, more map[string]string) map[string]string {
	environ := map[string]string{
		"DATABASE_URL": db.EngineURL, "DOCKET_API_DATABASE_URL": db.APIURL, "DOCKET_OWNER_DATABASE_URL": db.OwnerURL,
		"DOCKET_JWT_KEYS": "k:" + key32, "DOCKET_MASTER_KEY": key32, "DOCKET_ADDR": "127.0.0.1:0",
	}
	maps.Copy(environ, more)
	return environ
}

// refused checks that a run failed with one line.
func (o outcome) refused(t *testing.T, want string) {
	t.Helper()
	last := o.stderr[strings.LastIndex(strings.TrimSuffix(o.stderr, "\n"), "\n")+1:]
	if o.status != cli.StatusFailed || !strings.HasPrefix(last, "docket: ") || !strings.Contains(last, want) {
		t.Errorf("status %d, last line %q; want %d and %q", o.status, last, cli.StatusFailed, want)
	}
	if strings.Contains(o.stderr+o.stdout, "Usage:") {
		t.Errorf("the usage was dumped:\n%s%s", o.stdout, o.stderr)
	}
	if strings.Contains(o.stderr, "listening") {
		t.Errorf("it listened:\n%s", o.stderr)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args string
		want string
	}{
		{"sever", `unknown command "sever"`},
		{"serve --adr :1", "unknown flag: --adr"},
		{"serve now", `unknown command "now"`},
		{"projections", "a command is needed"},
		{"projections rebild", `unknown command "rebild"`},
		{"projections rebuild --projection nonesuch", `no read model "nonesuch"`},
		{"projections rebuild --dry-run --projection nonesuch", `no read model "nonesuch"`},
		{"projections verify --projection nonesuch", `no read model "nonesuch"`},
		{"projections verify --workers 0", "--workers must be 1 to 16"},
		{"audit replay", `"tenant" not set`},
		{"audit replay --tenant default --until yesterday", `--until "yesterday" is neither`},
		{"audit replay --tenant default --until 0", `--until "0" is neither`},
		{"migrate --down", "add --yes"},
		{"migrate --to 0", "add --yes"},
		{"migrate --status --down", "none of the others can be"},
	} {
		o := try(t, map[string]string{"HOME": t.TempDir()}, strings.Fields(tc.args)...)
		o.refused(t, tc.want)
		if o.stdout != "" || strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%s: printed %q and %q", tc.args, o.stdout, o.stderr)
		}
	}
	for _, args := range []string{"--help", "serve --help", "version", "openapi"} {
		if o := try(t, nil, strings.Fields(args)...); o.status != cli.StatusDone || o.stdout == "" || o.stderr != "" {
			t.Errorf("%s: status %d, %q", args, o.status, o.stderr)
		}
	}
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	db, other := pgtest.New(t), pgtest.New(t)
	empty, foreign, newer := pgtest.Empty(t), pgtest.Empty(t), pgtest.New(t)
	execute(t, foreign.OwnerURL, `create table orders (id int)`)
	execute(t, newer.OwnerURL, `insert into goose_db_version (version_id, is_applied) values (999, true)`)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })

	for name, tc := range map[string]struct {
		environ map[string]string
		want    string
	}{
		"without keys":             {given(db, map[string]string{"DOCKET_MASTER_KEY": ""}), "DOCKET_MASTER_KEY is needed"},
		"a misspelt setting":       {given(db, map[string]string{"DOCKET_ISUER": "x"}), "did you mean DOCKET_ISSUER?"},
		"a port in use":            {given(db, map[string]string{"DOCKET_ADDR": taken.Addr().String()}), "another program does"},
		"a foreign address":        {given(db, map[string]string{"DOCKET_ADDR": "192.0.2.1:80"}), "can't listen on 192.0.2.1:80"},
		"no server":                {given(db, map[string]string{"DATABASE_URL": "postgres://u:s3cret@127.0.0.1:1/d", "DOCKET_DATABASE_WAIT": "0s"}), "DATABASE_URL can't be reached"},
		"no such database":         {given(db, map[string]string{"DATABASE_URL": strings.Replace(db.EngineURL, db.Name, "nonesuch", 1)}), "can't be reached"},
		"another program's tables": {given(foreign, nil), "another program's tables"},
		"another program's tables, to be migrated": {given(foreign, map[string]string{"DOCKET_MIGRATE": "true"}),
			"another program's tables"},
		"no schema":               {given(empty, nil), "run docket migrate, or serve with DOCKET_MIGRATE=true"},
		"a newer schema":          {given(newer, nil), "of a newer docket"},
		"a newer, to be migrated": {given(newer, map[string]string{"DOCKET_MIGRATE": "true"}), "of a newer docket"},
		"logins to two databases": {given(db, map[string]string{"DOCKET_API_DATABASE_URL": other.APIURL}),
			"DOCKET_API_DATABASE_URL names another database"},
		"a login that may not be the engine": {given(db, map[string]string{"DATABASE_URL": db.APIURL}), "may not become docket_engine"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := try(t, tc.environ, "serve")
			o.refused(t, tc.want)
			if strings.Contains(o.stderr, "s3cret") {
				t.Errorf("a password was printed: %s", o.stderr)
			}
		})
	}
}

func TestServersRefused(t *testing.T) {
	t.Parallel()
	fine := server{major: 15, encoding: "UTF8"}
	if err := fine.refuse(); err != nil {
		t.Error(err)
	}
	for want, s := range map[string]server{
		"is Postgres 14": {major: 14, encoding: "UTF8"},
		"standby":        {major: 15, encoding: "UTF8", standby: true},
		"SQL_ASCII":      {major: 15, encoding: "SQL_ASCII"},
		"own":            {major: 15, encoding: "UTF8", foreign: true},
	} {
		if err := s.refuse(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// serving is a server in this process.
type serving struct {
	url    string
	logged []map[string]any
	stop   func() outcome
}

// serve starts a server and returns when it listens.
func serve(t *testing.T, environ map[string]string) *serving {
	t.Helper()
	return serveWith(t, &program{environ: environ, onUnsafePostgres: true})
}

func serveWith(t *testing.T, p *program) *serving {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan int, 1)
	p.stdout, p.stderr, p.cutOff = io.Discard, w, context.Background()
	go func() {
		ended <- p.run(ctx, []string{"serve", "--log-format", "json"})
		w.Close()
	}()
	s := &serving{}
	lines := bufio.NewScanner(r)
	for s.url == "" && lines.Scan() {
		var entry map[string]any
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			t.Fatalf("logged %q", lines.Text())
		}
		s.logged = append(s.logged, entry)
		if entry["msg"] == "listening" {
			s.url = entry["url"].(string)
		}
	}
	rest := make(chan string, 1)
	go func() {
		var text strings.Builder
		for lines.Scan() {
			text.WriteString(lines.Text() + "\n")
		}
		rest <- text.String()
	}()
	s.stop = sync.OnceValue(func() outcome {
		cancel()
		return outcome{status: <-ended, stderr: <-rest}
	})
	if s.url == "" {
		t.Fatalf("it ended with status %d; logged %v", <-ended, s.logged)
	}
	return s
}

func TestServe(t *testing.T) {
	t.Parallel()
	s := serve(t, given(pgtest.New(t), nil))
	for _, path := range []string{"/healthz", "/readyz", "/openapi.json", "/docs"} {
		answer, err := http.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, answer.Status)
		}
	}
	for _, entry := range s.logged {
		if entry["level"] != "INFO" {
			t.Errorf("logged %v", entry)
		}
	}
	o := s.stop()
	if o.status != cli.StatusDone {
		t.Errorf("status %d: %s", o.status, o.stderr)
	}
	if _, err := http.Get(s.url + "/healthz"); err == nil {
		t.Error("it still listens")
	}
}

func TestServeMigratesIfItMay(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	o := serve(t, given(db, map[string]string{"DOCKET_MIGRATE": "true"})).stop()
	if o.status != cli.StatusDone {
		t.Errorf("status %d: %s", o.status, o.stderr)
	}
	if o := try(t, given(db, nil), "migrate", "--status"); o.status != cli.StatusDone {
		t.Errorf("status %d: %s%s", o.status, o.stdout, o.stderr)
	}
}

func TestOneLoginForAllIsAWeakerWall(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	s := serve(t, map[string]string{
		"DATABASE_URL": db.OwnerURL, "DOCKET_MIGRATE": "true",
		"DOCKET_JWT_KEYS": "k:" + key32, "DOCKET_MASTER_KEY": key32, "DOCKET_ADDR": "127.0.0.1:0",
	})
	defer s.stop()
	warned := false
	for _, entry := range s.logged {
		hint, _ := entry["hint"].(string)
		warned = warned || entry["level"] == "WARN" && strings.Contains(hint, "DOCKET_API_DATABASE_URL")
	}
	if !warned {
		t.Errorf("no warning in %v", s.logged)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	environ := given(db, nil)
	expect := func(status int, printed string, args ...string) {
		t.Helper()
		o := try(t, environ, append([]string{"migrate"}, args...)...)
		if o.status != status || !strings.Contains(o.stdout+o.stderr, printed) {
			t.Errorf("migrate %v: status %d, %q, %q; want %d, %q", args, o.status, o.stdout, o.stderr, status, printed)
		}
	}
	newest, err := migrations.Target()
	if err != nil {
		t.Fatal(err)
	}
	at := func(v int64) string { return fmt.Sprintf("schema version %d;", v) }
	expect(cli.StatusNo, at(0), "--status")
	expect(cli.StatusDone, fmt.Sprintf("schema version %d; this docket's is %d\n", newest, newest))
	expect(cli.StatusDone, fmt.Sprintf("schema version %d; this docket's is %d\n", newest, newest), "--status")
	expect(cli.StatusDone, fmt.Sprintf("schema version %d; this docket's is %d: nothing to do\n", newest, newest))
	expect(cli.StatusDone, at(newest-1), "--down", "--yes")
	expect(cli.StatusFailed, "goes back only", "--to", strconv.FormatInt(newest, 10), "--yes")
	expect(cli.StatusNo, at(newest-1), "--status")
	expect(cli.StatusDone, at(0), "--to", "0", "--yes")
	expect(cli.StatusDone, at(newest))
}

func TestCommandsBesideAServer(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	environ := given(db, nil)
	try(t, environ, "audit", "replay", "--tenant", "default").refused(t, "no tenant with the slug or id")
	s := serve(t, environ)
	defer s.stop()
	o := try(t, environ, "audit", "replay", "--tenant", "default")
	if o.status != cli.StatusDone || !strings.Contains(o.stdout, "tenant.created") || strings.Count(o.stdout, "\n") != 1 {
		t.Errorf("replay: status %d, %q, %q", o.status, o.stdout, o.stderr)
	}
	o = try(t, environ, "audit", "replay", "--tenant", "default", "--json")
	var event struct {
		Seq      int64  `json:"seq"`
		StreamID string `json:"stream_id"`
		Type     string `json:"type"`
	}
	if err := json.Unmarshal([]byte(o.stdout), &event); err != nil || event.Seq != 1 || event.Type != "tenant.created" {
		t.Errorf("replay --json: %v, %q", err, o.stdout)
	}
	// The tenant's own stream has the tenant's id.
	for _, tenant := range []string{"default", event.StreamID} {
		o = try(t, environ, "projections", "rebuild", "--tenant", tenant, "--projection", "tenants")
		if o.status != cli.StatusDone || !strings.Contains(o.stdout, "default  tenants  done: 1 events") {
			t.Errorf("rebuild %s: status %d, %q, %q", tenant, o.status, o.stdout, o.stderr)
		}
	}
	try(t, environ, "projections", "rebuild", "--tenant", "acme").refused(t, `"acme"`)

	// A read model that can't be rebuilt is named, and the others are rebuilt.
	id, err := domain.ParseID[any](event.StreamID)
	if err != nil {
		t.Fatal(err)
	}
	defer startBuild(t, db.Engine(t), domain.TenantID(id), "tasks").Close()
	o = try(t, environ, "projections", "rebuild", "--tenant", "default")
	o.refused(t, "1 read models couldn't be rebuilt")
	if !strings.Contains(o.stderr, "default  tasks  failed") || strings.Count(o.stdout, "  done: ") != len(projections.Models())-1 {
		t.Errorf("rebuild of all but one: %q, %q", o.stdout, o.stderr)
	}

	// An operator begins an epoch, and the server records it.
	if o = try(t, environ, "epoch", "begin"); o.status != cli.StatusFailed || !strings.Contains(o.stderr, "reason") {
		t.Errorf("epoch begin without a reason: status %d, %q", o.status, o.stderr)
	}
	o = try(t, environ, "epoch", "begin", "--reason", "a copy came back", "--json")
	var epoch struct {
		ID     string `json:"id"`
		Number int    `json:"number"`
		Reason string `json:"reason"`
	}
	if err := json.Unmarshal([]byte(o.stdout), &epoch); err != nil || o.status != cli.StatusDone || epoch.Number != 2 || epoch.Reason != "a copy came back" {
		t.Errorf("epoch begin: status %d, %v, %q, %q", o.status, err, o.stdout, o.stderr)
	}
	awaitSQL(t, db.Engine(t), "the epoch is in the tenant's log", `select exists (select from events
where tenant_id = $1 and type = 'tenant.epoch_begun' and data ->> 'epoch' = $2 and data ->> 'reason' = 'a copy came back')`, id.UUID(), epoch.ID)

	// The platform's log has the users.
	register(t, s.url, "Ann")
	o = try(t, environ, "audit", "replay", "--tenant", domain.Platform.String())
	if o.status != cli.StatusDone || strings.Count(o.stdout, "user.registered") != 1 {
		t.Errorf("replay of the platform: status %d, %q, %q", o.status, o.stdout, o.stderr)
	}
}

func TestCommandsWithoutData(t *testing.T) {
	t.Parallel()
	environ := map[string]string{"DOCKET_DATA_DIR": t.TempDir()}
	for _, args := range []string{"audit replay --tenant default", "projections rebuild", "migrate --status"} {
		try(t, environ, strings.Fields(args)...).refused(t, "there is no data in")
	}
	entries, err := os.ReadDir(environ["DOCKET_DATA_DIR"])
	if err != nil || len(entries) != 0 {
		t.Errorf("made %v, %v", entries, err)
	}
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}
