package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"docket/internal/cli"
	"docket/internal/pgtest"
)

// binary is the program, which every user can read: the one that DOCKET_TEST_PROGRAM names, or
// else one that is built for all tests.
var binary = sync.OnceValues(func() (string, error) {
	if given := os.Getenv("DOCKET_TEST_PROGRAM"); given != "" {
		return given, nil
	}
	dir, err := os.MkdirTemp("", "docket-bin-")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "docket")
	if err := compile("-o", path); err != nil {
		return "", err
	}
	return path, os.Chmod(dir, 0o755)
})

// compile builds the program.
func compile(flags ...string) error {
	args := append(append([]string{"build"}, flags...), ".")
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return errors.New("go build: " + string(out))
	}
	return nil
}

// built is the folder of the binary; empty before it is built.
var built string

// osUser is the user that the program runs as.
type osUser struct {
	name string
	// credential is nil for the user of the tests.
	credential *syscall.Credential
}

// osUsers are the user of the tests and, if that is root, an ordinary user.
func osUsers(t *testing.T) []osUser {
	t.Helper()
	if os.Geteuid() != 0 {
		return []osUser{{name: "ordinary user"}}
	}
	ordinary, err := user.Lookup("daemon")
	if err != nil {
		t.Fatalf("the tests run as root and need an ordinary user too: %v", err)
	}
	uid, uidErr := strconv.ParseUint(ordinary.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(ordinary.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		t.Fatal(err)
	}
	return []osUser{{name: "root"}, {"ordinary user", &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}}
}

// install is a data directory and its user.
type install struct {
	t    *testing.T
	by   osUser
	home string // the parent of the data directory
	data string
	path string // the program; empty: binary
	// environ are further settings, "NAME=value".
	environ []string
}

// newInstall has no data directory yet: the first start creates it.
func newInstall(t *testing.T, by osUser) *install {
	t.Helper()
	// Not t.TempDir, which other users can't enter.
	home, err := os.MkdirTemp("", "docket-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	in := &install{t: t, by: by, home: home, data: filepath.Join(home, "data")}
	if err := os.Chmod(home, 0o711); err != nil {
		t.Fatal(err)
	}
	if by.credential != nil {
		if err := os.Chown(home, int(by.credential.Uid), int(by.credential.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		in.killPostgres() // none is left, unless the test failed
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	return in
}

// newMigratedInstall has a prepared data directory, for tests that are not about the first
// start: initdb and the migrations take seconds.
func newMigratedInstall(t *testing.T, by osUser) *install {
	t.Helper()
	return preparedInstall(t, by, pgtest.MigratedDir(t))
}

func preparedInstall(t *testing.T, by osUser, data string) *install {
	t.Helper()
	in := &install{t: t, by: by, home: data, data: data}
	t.Cleanup(in.killPostgres)
	if by.credential == nil {
		return in
	}
	owner := fmt.Sprintf("%d:%d", by.credential.Uid, by.credential.Gid)
	if out, err := exec.Command("chown", "-R", owner, data).CombinedOutput(); err != nil {
		t.Fatalf("chown: %v: %s", err, out)
	}
	return in
}

// postmaster is the pid of the private Postgres; false if there is none.
func (in *install) postmaster() (int, bool) {
	raw, err := os.ReadFile(filepath.Join(in.data, "postgres", "postmaster.pid"))
	if err != nil {
		return 0, false
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil || pid < 2 || syscall.Kill(pid, 0) != nil {
		return 0, false
	}
	return pid, true
}

func (in *install) killPostgres() {
	if pid, ok := in.postmaster(); ok {
		in.t.Errorf("a Postgres was left running: pid %d", pid)
		_ = syscall.Kill(pid, syscall.SIGQUIT)
	}
}

// processes are the pids of the program, Postgres and its children: their command lines
// name the folder, or they run in it. It works on Linux only.
func (in *install) processes() []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		command, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		folder, _ := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		if bytes.Contains(command, []byte(in.home)) || strings.HasPrefix(folder, in.home) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// command prepares a run of the program in a process group of its own, as a
// shell does.
func (in *install) command(args ...string) *exec.Cmd {
	in.t.Helper()
	path := in.path
	if path == "" {
		var err error
		if path, err = binary(); err != nil {
			in.t.Fatal(err)
		}
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = in.home
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: in.by.credential}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DOCKET_DATA_DIR=" + in.data, "DOCKET_ADDR=127.0.0.1:0"}
	cmd.Env = append(cmd.Env, in.environ...)
	return cmd
}

// run runs a command to its end.
func (in *install) run(args ...string) outcome {
	in.t.Helper()
	return <-in.start(args...)
}

// start starts a command, and sends its outcome at its end.
func (in *install) start(args ...string) <-chan outcome {
	in.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := in.command(args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		in.t.Fatal(err)
	}
	ended := make(chan outcome, 1)
	go func() {
		status := wait(cmd)
		ended <- outcome{status, stdout.String(), stderr.String()}
	}()
	return ended
}

// wait is the exit status; -1 for a process that a signal ended.
func wait(cmd *exec.Cmd) int {
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// process is a running server.
type process struct {
	in  *install
	cmd *exec.Cmd
	url string
	// began is its log until it listened.
	began string
	ended chan outcome
}

// serve starts a server and returns when it listens.
func (in *install) serve(args ...string) *process {
	in.t.Helper()
	cmd := in.command(append([]string{"serve"}, args...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		in.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		in.t.Fatal(err)
	}
	p := &process{in: in, cmd: cmd, ended: make(chan outcome, 1)}
	in.t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }) // gone, unless the test failed
	log := bufio.NewReader(stderr)
	for p.url == "" {
		line, err := log.ReadString('\n')
		p.began += line
		if err != nil {
			in.t.Fatalf("the server ended with status %d before it listened:\n%s", wait(cmd), p.began)
		}
		var entry struct{ Msg, URL string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "listening" {
			p.url = entry.URL
		}
	}
	go func() {
		rest, _ := io.ReadAll(log) // before Wait, which closes the pipe
		p.ended <- outcome{status: wait(cmd), stderr: p.began + string(rest)}
	}()
	return p
}

// stop sends a signal to the server, or with group to its process group as a terminal
// does, and waits for its end.
func (p *process) stop(sig syscall.Signal, group bool) outcome {
	p.in.t.Helper()
	pid := p.cmd.Process.Pid
	if group {
		pid = -pid
	}
	if err := syscall.Kill(pid, sig); err != nil {
		p.in.t.Fatal(err)
	}
	return <-p.ended
}

// stopped fails the test unless the server ended with status 0 and left no process.
func (p *process) stopped(o outcome) {
	p.in.t.Helper()
	if o.status != cli.StatusDone {
		p.in.t.Errorf("status %d, want %d:\n%s", o.status, cli.StatusDone, o.stderr)
	}
	if left := p.in.processes(); len(left) > 0 {
		p.in.t.Errorf("processes were left: %v", left)
	}
}
