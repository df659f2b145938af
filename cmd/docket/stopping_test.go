package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"docket/internal/cli"
	"docket/internal/pgtest"
)

// TestKilledServer kills a server with SIGKILL, and starts the next.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	for _, by := range osUsers(t) {
		t.Run(by.name, func(t *testing.T) {
			t.Parallel()
			in := newMigratedInstall(t, by)
			first := in.serve()
			ann := register(t, first.url, "Ann")
			in.awaitCheckpoints()
			before := ann.get("/v1/me").want(200).body
			first.stop(syscall.SIGKILL, false)
			left, ok := in.postmaster()
			if !ok {
				t.Fatal("Postgres died with the server: it isn't in a process group of its own")
			}

			second := in.serve()
			if now, _ := in.postmaster(); now != left || !strings.Contains(second.began, "adopted a running private Postgres") {
				t.Errorf("postmaster %d was left, %d runs now:\n%s", left, now, second.began)
			}
			if after := ann.at(second.url).get("/v1/me").want(200).body; after != before {
				t.Errorf("before %s\nafter  %s", before, after)
			}
			second.stopped(second.stop(syscall.SIGTERM, false))
		})
	}
}

// TestSecondServer starts two servers on one data directory.
func TestSecondServer(t *testing.T) {
	t.Parallel()
	in := newMigratedInstall(t, osUsers(t)[0])
	first := in.serve()
	o := in.run("serve")
	if o.status != cli.StatusFailed || !strings.Contains(o.stderr, "another docket is running on") ||
		!strings.Contains(o.stderr, " serve, pid "+strconv.Itoa(first.cmd.Process.Pid)+")") {
		t.Errorf("status %d: %s", o.status, o.stderr)
	}
	if strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("more than a line: %s", o.stderr)
	}
	// A command that needs the database only uses the first server's.
	if o := in.run("migrate"); o.status != cli.StatusDone || !strings.Contains(o.stdout, "nothing to do") {
		t.Errorf("migrate: status %d: %s%s", o.status, o.stdout, o.stderr)
	}
	in.run("migrate", "--down", "--yes").refused(t, "another docket is running on")
	register(t, first.url, "Ann").get("/v1/me").want(200)
	first.stopped(first.stop(syscall.SIGINT, false))
}

// TestPostgresDies kills the Postgres of a running server.
func TestPostgresDies(t *testing.T) {
	t.Parallel()
	in := newMigratedInstall(t, osUsers(t)[0])
	p := in.serve()
	pid, ok := in.postmaster()
	if !ok {
		t.Fatal("no Postgres runs")
	}
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	o := <-p.ended
	if o.status != cli.StatusFailed || !strings.Contains(o.stderr, "docket: the private Postgres ended") {
		t.Errorf("status %d: %s", o.status, o.stderr)
	}
	again := in.serve()
	again.stopped(again.stop(syscall.SIGINT, false))
}

// TestStopWhileStarting stops a server before it listens, at moments that its log names.
func TestStopWhileStarting(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{"", "started a private Postgres", "0002_", "0006_"} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			in := newInstall(t, osUser{})
			if strings.HasSuffix(moment, "_") { // a migration
				in = preparedInstall(t, osUser{}, pgtest.ClusterDir(t))
			}
			stopAt(t, in, moment)
		})
	}
}

// stopAt starts a server and stops it when its log has some words; without words at once.
func stopAt(t *testing.T, in *install, moment string) {
	t.Helper()
	cmd := in.command("serve")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	text := readUntil(log, moment)
	sig := syscall.SIGINT
	if moment == "" {
		sig = syscall.SIGTERM // a shell has its background jobs ignore SIGINT until they handle it
	}
	if err := syscall.Kill(cmd.Process.Pid, sig); err != nil {
		t.Fatal(err)
	}
	text += readUntil(log, "never logged")
	// Before the program handles signals the first one ends it.
	if status := wait(cmd); status != cli.StatusDone && moment != "" {
		t.Errorf("status %d:\n%s", status, text)
	}
	if left := in.processes(); len(left) > 0 {
		t.Errorf("processes were left: %v", left)
	}
}

// TestDataDirThatCannotBeUsed needs an ordinary user: root can write everywhere.
func TestDataDirThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	all := osUsers(t)
	in := newInstall(t, all[len(all)-1])
	if err := os.Mkdir(in.data, 0o500); err != nil {
		t.Fatal(err)
	}
	o := in.run("serve")
	if o.status != cli.StatusFailed || !strings.Contains(o.stderr, "can't be used (set DOCKET_DATA_DIR to choose another)") ||
		strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("status %d: %s", o.status, o.stderr)
	}
}

// readUntil reads a log until a line contains the words, or its end.
func readUntil(log interface{ Read([]byte) (int, error) }, words string) string {
	var said strings.Builder
	one := make([]byte, 1)
	for words != "" {
		n, err := log.Read(one)
		said.Write(one[:n])
		if err != nil || n > 0 && one[0] == '\n' && strings.Contains(said.String(), words) {
			break
		}
	}
	return said.String()
}
