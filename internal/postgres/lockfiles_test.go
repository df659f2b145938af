package postgres_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/pgtest"
	"docket/internal/postgres"
)

// asOwnerOf prepares a command as the user that Postgres runs as on dir.
func asOwnerOf(t *testing.T, dir, program string, args ...string) *exec.Cmd {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	if os.Geteuid() == 0 {
		st := info.Sys().(*syscall.Stat_t)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: st.Uid, Gid: st.Gid}}
	}
	return cmd
}

// zombie is the pid of a process that has ended and is not reaped before the test ends.
func zombie(t *testing.T, dir string) int {
	t.Helper()
	cmd := asOwnerOf(t, dir, "/bin/true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	for deadline := time.Now().Add(time.Minute); exists(cmd.Process.Pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("/bin/true does not end")
		}
	}
	return cmd.Process.Pid
}

// The lock files of a postmaster that was killed stand in no start's way, whatever has
// the postmaster's pid by then.
func TestLockFilesOfTheDead(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("only Linux shows what a process is")
	}
	t.Parallel()
	dir, neighbour := pgtest.ClusterDir(t), pgtest.ClusterDir(t)
	other := start(t, postgres.Config{DataDir: neighbour, Unsafe: true})
	sleeper := asOwnerOf(t, neighbour, "/bin/sleep", "600")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() })

	s := start(t, postgres.Config{DataDir: dir, Unsafe: true})
	left := map[string]string{}
	for _, path := range []string{filepath.Join(dir, "postgres", "postmaster.pid"), s.SocketLock()} {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, left[path], _ = strings.Cut(string(raw), "\n")
	}
	stop(t, s)
	for what, pid := range map[string]string{
		"a zombie":                 strconv.Itoa(zombie(t, neighbour)),
		"another program":          strconv.Itoa(sleeper.Process.Pid),
		"another cluster's server": strconv.Itoa(other.PID()),
		"no pid yet":               "",
	} {
		for path, rest := range left {
			text := pid + "\n" + rest
			if pid == "" {
				text = ""
			}
			putAsOwner(t, dir, path, text)
		}
		again, err := postgres.Start(t.Context(), postgres.Config{DataDir: dir, Unsafe: true})
		if err != nil {
			t.Errorf("the lock files have the pid of %s: %v", what, err)
			for path := range left {
				_ = os.Remove(path)
			}
			continue
		}
		if again.Adopted() {
			t.Errorf("adopted %s", what)
		}
		stop(t, again)
	}
}

func putAsOwner(t *testing.T, dir, path, text string) {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	for _, p := range []string{path, filepath.Dir(path)} {
		if p == filepath.Join(dir, "postgres") {
			continue
		}
		if err := os.Chown(p, int(st.Uid), int(st.Gid)); err != nil {
			t.Fatal(err)
		}
	}
}

// saysWaiting tells on a channel that a start waits.
type saysWaiting struct {
	slog.Handler
	waits chan struct{}
}

func (h saysWaiting) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "waiting until an earlier Postgres has ended") {
		close(h.waits)
	}
	return nil
}

func (h saysWaiting) Enabled(context.Context, slog.Level) bool { return true }

// A start waits for the sessions that a killed postmaster left: two servers on one
// cluster would destroy it.
func TestSessionsOfTheDeadAreOutlived(t *testing.T) {
	if _, err := os.Stat("/proc/sysvipc/shm"); err != nil {
		t.Skip("only Linux shows who uses shared memory")
	}
	t.Parallel()
	dir := pgtest.ClusterDir(t)
	s := start(t, postgres.Config{DataDir: dir, Unsafe: true})
	session, err := pgx.Connect(t.Context(), s.URL(postgres.Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(one(t, session, `SELECT pg_backend_pid()::text`))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
	if err := syscall.Kill(s.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.Exited()
	stop(t, s)

	waits, started := make(chan struct{}), make(chan error, 1)
	go func() {
		again, err := postgres.Start(context.Background(), postgres.Config{
			DataDir: dir, Unsafe: true, Logger: slog.New(saysWaiting{slog.DiscardHandler, waits}),
		})
		if err == nil {
			err = again.Stop(context.Background())
		}
		started <- err
	}()
	select {
	case <-waits:
	case err := <-started:
		t.Fatalf("it did not wait: %v", err)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-started:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(2 * time.Minute):
		t.Error("it waits although the session has ended")
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = session.Close(ended)
}

// Server and Postgres are killed, and the next server starts at once.
func TestStartAtOnceAfterEverythingWasKilled(t *testing.T) {
	t.Parallel()
	dir := pgtest.ClusterDir(t)
	pid := killedStarter(t, dir)
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s := start(t, postgres.Config{DataDir: dir, Unsafe: true})
	if s.PID() == pid {
		t.Error("adopted a server that was killed")
	}
}

// The reason of an earlier failure is not told as this one's.
func TestFailureShowsThisStartAlone(t *testing.T) {
	t.Parallel()
	dir := pgtest.ClusterDir(t)
	conf := filepath.Join(dir, "postgres", "postgresql.conf")
	for i := range 2 {
		setting := fmt.Sprintf("no_such_setting_%d", i)
		if err := os.WriteFile(conf, []byte(setting+" = 1\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := postgres.Start(t.Context(), postgres.Config{DataDir: dir, Unsafe: true})
		if err == nil || !strings.Contains(err.Error(), setting) || strings.Contains(err.Error(), "no_such_setting_0") != (i == 0) {
			t.Errorf("start %d: %v", i, err)
		}
	}
}
