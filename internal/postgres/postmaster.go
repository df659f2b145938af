package postgres

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// postmaster is what the server wrote about itself into postmaster.pid.
type postmaster struct {
	pid       int
	startedAt string // epoch seconds; tells a reused pid from the server
	socketDir string
}

// readPostmaster reads the pid file of a cluster. The error wraps
// os.ErrNotExist when no server runs or when it has yet to write its socket.
func readPostmaster(cluster string) (postmaster, error) {
	path := filepath.Join(cluster, "postmaster.pid")
	raw, err := os.ReadFile(path)
	if err != nil {
		return postmaster{}, err
	}
	// Lines: pid, data directory, start time, port, socket directory, …
	lines := strings.Split(string(raw), "\n")
	if len(lines) < 6 {
		return postmaster{}, fmt.Errorf("%s is not complete: %w", path, os.ErrNotExist)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 1 {
		return postmaster{}, fmt.Errorf("%s: bad pid %q", path, lines[0])
	}
	return postmaster{pid: pid, startedAt: strings.TrimSpace(lines[2]), socketDir: strings.TrimSpace(lines[4])}, nil
}

// alive tells whether the postmaster still is the server of the cluster. Both
// tests are needed: a crash leaves the file, and where no process reaps orphans a
// dead process keeps its pid.
func (p postmaster) alive(cluster string) bool {
	now, err := readPostmaster(cluster)
	if err != nil || now.pid != p.pid || now.startedAt != p.startedAt {
		return false
	}
	return processExists(p.pid)
}

func processExists(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// listens tells a living server from a stale file whose pid some other program
// has by now.
func (p postmaster) listens() bool {
	if !processExists(p.pid) {
		return false
	}
	c, err := net.Dial("unix", filepath.Join(p.socketDir, socketName))
	if err != nil {
		return false
	}
	c.Close()
	return true
}
