package postgres

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// pidFile is the postmaster's in the cluster.
const pidFile = "postmaster.pid"

// postmaster is what the server wrote about itself into postmaster.pid.
type postmaster struct {
	pid       int
	startedAt string // epoch seconds; tells a reused pid from the server
	socketDir string
	status    string // what it is doing: starting, stopping, ready or standby
}

// readPostmaster reads the pid file of a cluster. The error wraps
// os.ErrNotExist when no server runs or when it has yet to write its socket.
func readPostmaster(cluster string) (postmaster, error) {
	l, err := readLock(filepath.Join(cluster, pidFile))
	if err != nil {
		return postmaster{}, err
	}
	if len(l.lines) < 6 {
		return postmaster{}, fmt.Errorf("%s is not complete: %w", l.path, os.ErrNotExist)
	}
	if l.pid <= 1 {
		return postmaster{}, fmt.Errorf("%s: bad pid %q", l.path, l.lines[0])
	}
	return postmaster{pid: l.pid, startedAt: l.line(2), socketDir: l.line(4), status: l.line(7)}, nil
}

// accepts tells whether a server says that sessions may connect. Until then a session would
// be refused, with a line in the server's log.
func (p postmaster) accepts() bool { return p.status == "ready" || p.status == "standby" }

// busy tells whether a server says that it is starting or stopping.
func (p postmaster) busy() bool { return p.status == "starting" || p.status == "stopping" }

// alive tells whether the postmaster still is the server of the cluster. Both
// tests are needed: a crash leaves the file, and a server that stops removes it
// before it ends.
func (p postmaster) alive(cluster string) bool {
	now, err := readPostmaster(cluster)
	if err != nil || now.pid != p.pid || now.startedAt != p.startedAt {
		return false
	}
	return processExists(p.pid)
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
