package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A postmaster's lock files are postmaster.pid in the cluster and one beside its socket.
// Postgres refuses to start while the pid in either belongs to a process of its user,
// also to a zombie, and to a program that has got the pid of a dead postmaster. Docket
// can tell them apart.

// postgresLock is what a lock file of Postgres says. Its lines: pid, data directory, start
// time, port, socket directory, listen address, shared memory, state.
type postgresLock struct {
	path  string
	lines []string
	pid   int
}

// readLock reads a lock file. The error wraps os.ErrNotExist if there is none. A file
// that was never completed has pid 0.
func readLock(path string) (postgresLock, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return postgresLock{}, err
	}
	l := postgresLock{path: path, lines: strings.Split(string(raw), "\n")}
	l.pid, _ = strconv.Atoi(strings.TrimLeft(l.line(0), "-")) // "-" marks a single-user Postgres
	return l, nil
}

// line is empty if the file ends before it.
func (l postgresLock) line(i int) string {
	if i >= len(l.lines) {
		return ""
	}
	return strings.TrimSpace(l.lines[i])
}

// startedAt is when the postmaster started by the clock of then; zero if it isn't said.
func (l postgresLock) startedAt() time.Time {
	seconds, err := strconv.ParseInt(l.line(2), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// segment is the id of the shared memory that all processes of the server are attached
// to; empty before the server has made it.
func (l postgresLock) segment() string {
	_, id, _ := strings.Cut(l.line(6), " ")
	return strings.TrimSpace(id)
}

// remaining says which processes of an earlier postmaster are left; empty: none.
func remaining(cluster string) string {
	l, err := readLock(filepath.Join(cluster, pidFile))
	switch {
	case err != nil:
		return ""
	case l.pid > 1 && l.pid != os.Getpid() && servesCluster(l.pid, l.startedAt(), cluster):
		return fmt.Sprintf("an earlier Postgres with pid %d", l.pid)
	case l.segment() != "" && attached(l.segment()):
		return fmt.Sprintf("sessions of an earlier Postgres that had pid %d", l.pid)
	}
	return ""
}

// adoptOrOutlive adopts a running server, or waits until no process of an earlier one is
// left. The wait has a bound: what is left then is for Postgres to judge.
func (s *Server) adoptOrOutlive(ctx context.Context, id identity) (adopted bool, err error) {
	deadline := time.Now().Add(silenceBound)
	for waiting := false; ; waiting = true {
		if adopted, err := s.adopt(ctx, id); err != nil || adopted {
			return adopted, err
		}
		left := remaining(s.cluster)
		if left == "" || time.Now().After(deadline) {
			return false, nil
		}
		if !waiting {
			s.log.InfoContext(ctx, "waiting until an earlier Postgres has ended", "left", left)
		}
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("postgres: waiting for %s to end: %w", left, ctx.Err())
		case <-time.After(pollEvery):
		}
	}
}

// takeLockFiles makes Postgres overlook the lock files of a postmaster that is dead
// although its pid exists. Postgres overlooks those that bear the pid of the process
// that starts it, and then still checks that nothing is attached to the shared memory
// that postmaster.pid names. So the file is not removed.
func (s *Server) takeLockFiles(id identity) error {
	for _, path := range []string{
		filepath.Join(s.cluster, pidFile),
		filepath.Join(s.socket, socketName+".lock"),
	} {
		l, err := readLock(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err != nil:
			return fmt.Errorf("postgres: %w", err)
		case l.pid == 0:
			err = removeUnfinished(l, s.cluster)
		case l.pid == os.Getpid(), errors.Is(syscall.Kill(l.pid, 0), syscall.ESRCH), servesCluster(l.pid, l.startedAt(), s.cluster):
			continue // Postgres judges as we do
		default:
			err = l.take(id)
		}
		if err != nil {
			return fmt.Errorf("postgres: %w", err)
		}
	}
	return nil
}

// removeUnfinished removes a lock file that a postmaster was killed in the middle of
// writing.
func removeUnfinished(l postgresLock, cluster string) error {
	if serves, err := anyServes(cluster); err != nil || serves {
		return nil
	}
	return os.Remove(l.path)
}

// take replaces the pid with this process's.
func (l postgresLock) take(id identity) error {
	l.lines[0] = strconv.Itoa(os.Getpid())
	fresh := l.path + ".new"
	if err := os.WriteFile(fresh, []byte(strings.Join(l.lines, "\n")), 0o600); err != nil {
		return err
	}
	if err := id.give(fresh); err != nil {
		return err
	}
	return os.Rename(fresh, l.path)
}
