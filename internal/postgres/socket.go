package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// maxSocketPath is the longest path, in bytes, that we give a socket. The
// kernel's limit is 107 on Linux and 103 on macOS.
const maxSocketPath = 100

// The socket's name ends in a port number although no port is opened.
const (
	socketPort = "5432"
	socketName = ".s.PGSQL." + socketPort
)

// socketDir names the directory for the socket of dataDir: inside it, or, when
// that path would be too long, a short one under the system's temporary
// directory, named by a hash of dataDir so that every docket finds the same.
func socketDir(dataDir string) string {
	dir := filepath.Join(dataDir, "socket")
	if len(dir)+1+len(socketName) <= maxSocketPath {
		return dir
	}
	sum := sha256.Sum256([]byte(dataDir))
	return filepath.Join(os.TempDir(), "docket-"+hex.EncodeToString(sum[:8]))
}

// makeSocketDir makes the directory, of mode 0700 and owned by the user that
// Postgres runs as.
//
// The server trusts whoever can open the socket ("trust" authentication, no
// passwords to keep anywhere): the directory's mode is the lock on the door.
// Only its owner and root can enter.
func makeSocketDir(dir string, id identity) error {
	if len(dir)+1+len(socketName) > maxSocketPath {
		return fmt.Errorf("postgres: %s is too long a path for a Unix socket: choose a shorter TMPDIR", dir)
	}
	err := os.Mkdir(dir, 0o700)
	switch {
	case err == nil:
		if err := id.give(dir); err != nil {
			return fmt.Errorf("postgres: %w", err)
		}
	case !errors.Is(err, os.ErrExist):
		return fmt.Errorf("postgres: %w", err)
	}
	if err := checkSocketDir(dir, id); err != nil {
		return err
	}
	return id.canEnter(dir)
}

// checkSocketDir refuses a directory that someone else could have put there to
// impersonate the server: in a shared temporary directory anyone may be first.
func checkSocketDir(dir string, id identity) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	st := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || st.Uid != id.uid || info.Mode().Perm() != 0o700 {
		return fmt.Errorf("postgres: %s must be a directory of mode 0700 owned by user %s: remove it", dir, id.name)
	}
	return nil
}
