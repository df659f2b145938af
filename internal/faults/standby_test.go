//go:build linux

package faults_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"docket/internal/pgtest"
	"docket/internal/postgres"

	"github.com/jackc/pgx/v5"
)

// standby is an asynchronous standby of a cluster, on a directory of its own.
type standby struct {
	t   *testing.T
	of  *cluster
	dir string
	cmd *exec.Cmd
}

// dataFolder is where a private Postgres has its cluster in the data directory.
const dataFolder = "postgres"

// copyTo copies the cluster's files, with their owners, to another data directory.
func (c *cluster) copyTo(dir string) {
	c.t.Helper()
	if out, err := exec.Command("cp", "-a", filepath.Join(c.dir, dataFolder), dir+"/").CombinedOutput(); err != nil {
		c.t.Fatalf("copy of the cluster: %v: %s", err, out)
	}
}

// newStandby makes a base backup, starts a standby on it and waits until it follows.
func (c *cluster) newStandby() *standby {
	c.t.Helper()
	s := &standby{t: c.t, of: c, dir: pgtest.DiskDir(c.t)}
	admin := c.session(postgres.Superuser, "postgres")
	if _, err := admin.Exec(c.t.Context(), `select pg_backup_start('standby', true)`); err != nil {
		c.t.Fatal(err)
	}
	c.copyTo(s.dir)
	var label string
	if err := admin.QueryRow(c.t.Context(), `select labelfile from pg_backup_stop(false)`).Scan(&label); err != nil {
		c.t.Fatal(err)
	}
	files := filepath.Join(s.dir, dataFolder)
	for _, name := range []string{"postmaster.pid", "postmaster.opts"} {
		_ = os.Remove(filepath.Join(files, name)) // of the primary
	}
	s.write("backup_label", label)
	s.write("standby.signal", "")
	auto, err := os.ReadFile(filepath.Join(files, "postgresql.auto.conf"))
	if err != nil {
		c.t.Fatal(err)
	}
	s.write("postgresql.auto.conf", string(auto)+fmt.Sprintf("\nprimary_conninfo = 'host=%s port=5432 user=%s'\n", filepath.Dir(c.socket()), postgres.Superuser))
	s.start()
	s.until("the standby doesn't follow the primary", func() bool { return len(s.receivers()) > 0 })
	return s
}

// write writes a file of the cluster, owned as the others are.
func (s *standby) write(name, content string) {
	s.t.Helper()
	path := filepath.Join(s.dir, dataFolder, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if owner := s.owner(); owner != nil {
		if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// owner is the user that Postgres runs as, if it isn't this one.
func (s *standby) owner() *syscall.Credential {
	info, err := os.Stat(filepath.Join(s.of.dir, dataFolder))
	if err != nil {
		s.t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	if int(st.Uid) == os.Geteuid() {
		return nil
	}
	return &syscall.Credential{Uid: st.Uid, Gid: st.Gid}
}

// start starts the standby as the primary was started, on its own directory and socket.
func (s *standby) start() {
	s.t.Helper()
	pid := s.of.server.PID()
	program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		s.t.Fatal(err)
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		s.t.Fatal(err)
	}
	socket := filepath.Join(s.dir, "socket")
	if err := os.Mkdir(socket, 0o700); err != nil {
		s.t.Fatal(err)
	}
	owner := s.owner()
	if owner != nil {
		if err := os.Chown(socket, int(owner.Uid), int(owner.Gid)); err != nil {
			s.t.Fatal(err)
		}
	}
	args := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")[1:]
	for i, arg := range args {
		arg = strings.ReplaceAll(arg, filepath.Dir(s.of.socket()), socket)
		args[i] = strings.ReplaceAll(arg, filepath.Join(s.of.dir, dataFolder), filepath.Join(s.dir, dataFolder))
	}
	s.cmd = exec.Command(program, args...)
	s.cmd.Dir = filepath.Join(s.dir, dataFolder)
	s.cmd.Env = []string{"LC_ALL=C"}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: owner}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = s.cmd.Process.Signal(syscall.SIGQUIT) // gone, unless the test failed before it was promoted
		_ = s.cmd.Wait()
	})
}

// receivers are the processes that stream from the primary.
func (s *standby) receivers() (found []process) {
	for _, p := range childrenOf(s.cmd.Process.Pid) {
		if strings.Contains(p.command, "walreceiver") {
			found = append(found, p)
		}
	}
	return found
}

// exec runs a statement on the standby, as soon as it answers.
func (s *standby) exec(sql string) {
	s.t.Helper()
	var err error
	s.until("the standby doesn't answer", func() bool {
		at, ok := postgres.Running(s.dir)
		if !ok {
			return false
		}
		conn, connectErr := pgx.Connect(s.t.Context(), at.URL(postgres.Superuser, "postgres"))
		if connectErr != nil {
			return false
		}
		defer conn.Close(context.Background())
		_, err = conn.Exec(s.t.Context(), sql)
		return true
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// until waits until something is true, or the test's time is nearly over.
func (s *standby) until(otherwise string, is func() bool) {
	s.t.Helper()
	ctx, cancel := untilNearlyOver(s.t)
	defer cancel()
	for !is() {
		if !hold(ctx, 20*time.Millisecond) {
			s.t.Fatal(otherwise)
		}
	}
}

// disconnect cuts the standby off the primary: what is committed from now on is lost with it.
func (s *standby) disconnect() {
	s.t.Helper()
	s.exec(`alter system set primary_conninfo = ''`)
	s.exec(`select pg_reload_conf()`)
	s.until("the standby still follows the primary", func() bool { return len(s.receivers()) == 0 })
}

// promote makes the standby the cluster's server, after the primary is gone.
func (s *standby) promote() {
	s.t.Helper()
	s.exec(`select pg_promote()`)
	s.of.dir = s.dir
	s.of.start() // adopts it
	if !s.of.server.Adopted() {
		s.t.Fatal("another server than the standby was started")
	}
}
