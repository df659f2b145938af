package postgres_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"docket/internal/pgtest"
	"docket/internal/postgres"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func one(t *testing.T, c *pgx.Conn, query string, args ...any) string {
	t.Helper()
	var answer string
	if err := c.QueryRow(t.Context(), query, args...).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}

func exists(pid int) bool {
	// A zombie that no process reaps has ended too.
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err == nil && strings.Contains(string(stat), ") Z ") {
		return false
	}
	return syscall.Kill(pid, 0) == nil
}

// leavesNothing fails the test where goroutines are left that began after ignored.
func leavesNothing(t *testing.T, ignored goleak.Option) {
	t.Helper()
	if err := pgtest.Leaked(ignored); err != nil {
		t.Error(err)
	}
}

func TestStartStop(t *testing.T) {
	defer leavesNothing(t, goleak.IgnoreCurrent())
	// What a user's shell may have set for other servers.
	for name, value := range map[string]string{"PGDATA": "/nowhere", "PGDATESTYLE": "German", "LC_ALL": "nonsense"} {
		t.Setenv(name, value)
	}
	dir := dataDir(t)
	if _, running := postgres.Running(dir); running {
		t.Fatal("found a server where there is nothing")
	}
	s := start(t, postgres.Config{DataDir: dir})
	if s.Adopted() {
		t.Error("a fresh server counts as adopted")
	}
	c, err := pgx.Connect(t.Context(), s.URL(postgres.OwnerLogin, postgres.Database))
	if err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on",
		"listen_addresses": "", "server_encoding": "UTF8", "TimeZone": "UTC", "is_superuser": "off",
		"DateStyle": "ISO, MDY", "lc_messages": "C",
	} {
		if got := one(t, c, `SELECT current_setting($1)`, setting); got != want {
			t.Errorf("%s = %q, want %q", setting, got, want)
		}
	}
	// Sorting by code point; case by Unicode.
	if got := one(t, c, `SELECT string_agg(s, '' ORDER BY s) FROM unnest(array['b','é','a','B']) s`); got != "Babé" {
		t.Errorf("sorted: %q", got)
	}
	if got := one(t, c, `SELECT upper('straßé')`); got != "STRAßÉ" {
		t.Errorf("upper case: %q", got)
	}
	if _, err := c.Exec(t.Context(), `CREATE TABLE kept (x int)`); err != nil {
		t.Fatal(err)
	}
	c.Close(t.Context())

	if group, err := syscall.Getpgid(s.PID()); err != nil || group != s.PID() {
		t.Errorf("the server's process group is %d (%v), not its own: Ctrl-C would reach it", group, err)
	}
	info, err := os.Stat(filepath.Join(dir, "socket"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's directory: %v, %v", info, err)
	}

	var locked *postgres.LockedError
	if _, err := postgres.Start(t.Context(), postgres.Config{DataDir: dir}); !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("a second start on the same directory: %v", err)
	}
	other, running := postgres.Running(dir)
	if !running || other.PID != s.PID() {
		t.Fatalf("Running: %v, %v", other, running)
	}
	oc, err := pgx.Connect(t.Context(), other.URL(postgres.OwnerLogin, postgres.Database))
	if err != nil {
		t.Fatal(err)
	}
	oc.Close(t.Context())

	pid := s.PID()
	stop(t, s)
	if exists(pid) {
		t.Error("the server outlived Stop")
	}
	<-s.Exited()
	stop(t, s)
	if _, running := postgres.Running(dir); running {
		t.Error("Running finds a stopped server")
	}

	again := start(t, postgres.Config{DataDir: dir})
	c, err = pgx.Connect(t.Context(), again.URL(postgres.OwnerLogin, postgres.Database))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(t.Context(), `INSERT INTO kept VALUES (1)`); err != nil {
		t.Errorf("the data of the first start: %v", err)
	}
	c.Close(t.Context())
	stop(t, again)
}

func TestAdopt(t *testing.T) {
	defer leavesNothing(t, goleak.IgnoreCurrent())
	dir := pgtest.ClusterDir(t)
	pid := killedStarter(t, dir)
	if !exists(pid) {
		t.Fatal("the server went with its starter")
	}
	s := start(t, postgres.Config{DataDir: dir, Unsafe: true})
	if !s.Adopted() || s.PID() != pid {
		t.Errorf("adopted %v, pid %d; the server left behind has %d", s.Adopted(), s.PID(), pid)
	}
	stop(t, s)
	if exists(pid) {
		t.Error("the adopted server outlived Stop")
	}
	<-s.Exited()
}

// A server that a dying docket told to stop is not adopted but waited for.
func TestServerThatStopsIsNotAdopted(t *testing.T) {
	t.Parallel()
	dir := pgtest.ClusterDir(t)
	pid := killedStarter(t, dir)
	left, running := postgres.Running(dir)
	if !running {
		t.Fatal("the server went with its starter")
	}
	last := connect(t, left.URL(postgres.Superuser, "postgres"))
	// "Smart": takes no new session, ends when the last one does.
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for {
		c, err := pgx.Connect(t.Context(), left.URL(postgres.Superuser, "postgres"))
		var pgErr *pgconn.PgError
		if errors.As(err, &pgErr) && pgErr.Code == "57P03" {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		c.Close(t.Context())
	}
	type result struct {
		s   *postgres.Server
		err error
	}
	started := make(chan result)
	go func() {
		s, err := postgres.Start(context.Background(), postgres.Config{DataDir: dir, Unsafe: true})
		started <- result{s, err}
	}()
	last.Close(t.Context())
	r := <-started
	if r.err != nil {
		t.Fatal(r.err)
	}
	defer stop(t, r.s)
	if r.s.Adopted() || r.s.PID() == pid {
		t.Error("adopted a server that was stopping")
	}
}

// After a crash the pid file stays. Its pid may by then be any other program's:
// in a restarted container, quite likely our own.
func TestStalePidFile(t *testing.T) {
	t.Parallel()
	dir := pgtest.ClusterDir(t)
	s := start(t, postgres.Config{DataDir: dir, Unsafe: true})
	if err := syscall.Kill(s.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.Exited()
	stop(t, s)
	path := filepath.Join(dir, "postgres", "postmaster.pid")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(raw), "\n")
	lines[0] = strconv.Itoa(os.Getpid())
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, running := postgres.Running(dir); running {
		t.Error("Running takes this test for a server")
	}
	again := start(t, postgres.Config{DataDir: dir, Unsafe: true})
	if again.Adopted() {
		t.Error("adopted a program that is no server")
	}
}

func TestFailedStartSaysWhy(t *testing.T) {
	t.Parallel()
	dir := pgtest.ClusterDir(t)
	stop(t, start(t, postgres.Config{DataDir: dir, Unsafe: true}))
	conf := filepath.Join(dir, "postgres", "postgresql.conf")
	if err := os.WriteFile(conf, []byte("no_such_setting = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := postgres.Start(t.Context(), postgres.Config{DataDir: dir, Unsafe: true})
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("error %v does not carry the log's end", err)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
	// The failure let go of the directory.
	if err := os.WriteFile(conf, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	start(t, postgres.Config{DataDir: dir, Unsafe: true})
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := postgres.Start(ctx, postgres.Config{DataDir: dir, Unsafe: true}); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if _, running := postgres.Running(dir); running {
		t.Error("a server runs")
	}
	start(t, postgres.Config{DataDir: dir, Unsafe: true})
}

// What a killed initdb left behind doesn't keep the next start from making a cluster.
func TestHalfMadeClusterIsRemade(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	if err := os.MkdirAll(filepath.Join(dir, "postgres.new", "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	start(t, postgres.Config{DataDir: dir, Unsafe: true})
}

func TestLongDataDir(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(dataDir(t), strings.Repeat("long/", 30))
	if os.Geteuid() == 0 {
		// Start makes only the last directory passable, whatever the umask.
		if err := os.MkdirAll(dir, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t, postgres.Config{DataDir: dir, Unsafe: true})
	c := connect(t, s.URL(postgres.Superuser, "postgres"))
	socket := one(t, c, `SELECT trim('"' FROM current_setting('unix_socket_directories'))`)
	if strings.HasPrefix(socket, dir) {
		t.Errorf("socket in %s", socket)
	}
	if info, err := os.Lstat(socket); err != nil || info.Mode() != os.ModeDir|0o700 {
		t.Errorf("%s: %v, %v", socket, info.Mode(), err)
	}
	if _, running := postgres.Running(dir); !running {
		t.Error("Running does not find it")
	}
	stop(t, s)
	if _, err := os.Lstat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s stays behind: %v", socket, err)
	}
	// Someone else was there first.
	elsewhere := t.TempDir()
	for what, put := range map[string]func() error{
		"a link":                  func() error { return os.Symlink(elsewhere, socket) },
		"a directory open to all": func() error { return errors.Join(os.Mkdir(socket, 0o700), os.Chmod(socket, 0o777)) },
		"a file":                  func() error { return os.WriteFile(socket, nil, 0o700) },
	} {
		if err := put(); err != nil {
			t.Fatal(err)
		}
		_, err := postgres.Start(t.Context(), postgres.Config{DataDir: dir, Unsafe: true})
		if err == nil || !strings.Contains(err.Error(), socket+" must be a directory of mode 0700") {
			t.Errorf("%s instead of the socket's directory: %v", what, err)
		}
		if err := os.Remove(socket); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLongLogIsEmptied(t *testing.T) {
	t.Parallel()
	dir := pgtest.ClusterDir(t)
	stop(t, start(t, postgres.Config{DataDir: dir, Unsafe: true}))
	path := filepath.Join(dir, "postgres.log")
	if err := os.Truncate(path, 11<<20); err != nil {
		t.Fatal(err)
	}
	start(t, postgres.Config{DataDir: dir, Unsafe: true})
	if info, err := os.Stat(path); err != nil || info.Size() > 1<<20 {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
}

// As root the other tests run Postgres as another user; this one runs all of
// docket's side as an ordinary user too.
func TestOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the other tests run as an ordinary user")
	}
	t.Parallel()
	home := filepath.Dir(dataDir(t))
	program := filepath.Join(home, "docket.test")
	// The test binary stands in a directory that only root can enter.
	if out, err := exec.Command("cp", os.Args[0], program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const unprivileged = 65534
	if err := os.Chown(home, unprivileged, unprivileged); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(home, "data")
	cmd := second("start", dir)
	cmd.Path, cmd.Dir = program, "/"
	cmd.Env = append(cmd.Env, "HOME="+home)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: unprivileged, Gid: unprivileged}}
	out, err := cmd.CombinedOutput() // no input: it starts and stops
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data directory: %v, %v", info, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil || exists(pid) {
		t.Errorf("a process stays behind: %s", out)
	}
}

func TestDataDirOutOfReach(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root runs Postgres as another user")
	}
	t.Parallel()
	closed := filepath.Dir(dataDir(t))
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := postgres.Start(t.Context(), postgres.Config{DataDir: filepath.Join(closed, "data"), Unsafe: true})
	if err == nil || !strings.Contains(err.Error(), "cannot enter "+closed+":") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}
