package pgtest

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"docket/internal/postgres"
)

// memory is where Linux has a file system in memory. A test database is a
// thousand small files: 9 ms to copy there, 140 ms on a disk.
const (
	memory     = "/dev/shm"
	memoryFree = 1 << 30 // bytes; containers often have 64 MiB only
)

// tempDir makes a data directory: in TMPDIR if that is set, else in
// memory if there is room, else in the usual places; in any case where the user
// that Postgres runs as can reach it (TMPDIR may be private to root).
func tempDir() (string, error) {
	if os.Getenv("TMPDIR") == "" && free(memory) > memoryFree {
		return tempDirIn(append([]string{memory}, places()...))
	}
	return tempDirIn(places())
}

// places are where a data directory may be, memory apart.
func places() []string { return []string{os.TempDir(), "/tmp", "/var/tmp"} }

// tempDirIn makes a data directory in the first of the parents that will do.
func tempDirIn(parents []string) (string, error) {
	dir, err := postgres.TempDir("docket-test-", parents...)
	if err != nil {
		return "", fmt.Errorf("pgtest: %w", err)
	}
	return dir, nil
}

// TempDir makes an empty directory that a private Postgres started by the test, or
// by a docket that the test starts, can live in. It is removed when the test ends;
// if the test binary is killed, the server in it is killed too. t.TempDir will not
// do: as root, the user that Postgres runs as cannot enter it.
func TempDir(t testing.TB) string {
	t.Helper()
	return guarded(t, tempDir)
}

// DiskDir is TempDir where what a server flushes goes to a disk, and takes its time.
func DiskDir(t testing.TB) string {
	t.Helper()
	return guarded(t, func() (string, error) { return tempDirIn(places()) })
}

func guarded(t testing.TB, make func() (string, error)) string {
	t.Helper()
	dir, err := make()
	if err != nil {
		t.Fatal(err)
	}
	guard, err := guardDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := guard.release(); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// free is the room on dir's file system in bytes, 0 when there is no dir.
func free(dir string) uint64 {
	var st syscall.Statfs_t
	if syscall.Statfs(dir, &st) != nil {
		return 0
	}
	return uint64(st.Bavail) * uint64(st.Bsize)
}
