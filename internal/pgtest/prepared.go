package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"docket/internal/postgres"
	"docket/migrations"
)

// clustersVariable names a directory in which the test binaries of one run share
// prepared clusters. Whoever sets it removes the directory, and sets another one
// when the code changes.
const clustersVariable = "DOCKET_TEST_CLUSTERS"

// The prepared clusters are stopped and never started again: a copy takes some
// 50 ms, initdb and the migrations take seconds.
var (
	bare     = &prepared{name: "bare"}
	migrated = &prepared{name: "migrated", from: bare, change: func(ctx context.Context, s *postgres.Server) error {
		return migrations.Up(ctx, s.URL(postgres.OwnerLogin, postgres.Database), nil)
	}}
)

// prepared is a data directory with a stopped cluster, made at the first use.
type prepared struct {
	name   string
	from   *prepared // nil: initdb
	change func(context.Context, *postgres.Server) error

	once sync.Once
	dir  string
	err  error
}

// copyTo copies the cluster into an empty data directory.
func (p *prepared) copyTo(ctx context.Context, dataDir string) error {
	p.once.Do(func() { p.dir, p.err = p.find(ctx) })
	if p.err != nil {
		return p.err
	}
	return copyClusters(p.dir, dataDir)
}

// find makes the cluster, unless another test binary of this run has made it.
func (p *prepared) find(ctx context.Context) (string, error) {
	parent, err := clusters()
	if err != nil {
		return "", err
	}
	if p.from != nil {
		// Before the lock, which it takes too.
		p.from.once.Do(func() { p.from.dir, p.from.err = p.from.find(ctx) })
		if p.from.err != nil {
			return "", p.from.err
		}
	}
	unlock, err := lockFile(filepath.Join(parent, p.name+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	dir := filepath.Join(parent, p.name)
	if _, err := os.Stat(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	fresh, err := postgres.TempDir(p.name+"-", parent)
	if err != nil {
		return "", err
	}
	guard, err := guardDir(fresh)
	if err != nil {
		return "", err
	}
	if err := p.make(ctx, fresh); err != nil {
		return "", errors.Join(err, guard.release())
	}
	return dir, errors.Join(os.Rename(fresh, dir), guard.release())
}

// make makes the cluster in a data directory.
func (p *prepared) make(ctx context.Context, dataDir string) error {
	if p.from != nil {
		if err := copyClusters(p.from.dir, dataDir); err != nil {
			return err
		}
	}
	server, err := postgres.Start(ctx, postgres.Config{DataDir: dataDir, Unsafe: true})
	if err != nil {
		return err
	}
	if p.change != nil {
		err = p.change(ctx, server)
	}
	return errors.Join(err, server.Stop(context.WithoutCancel(ctx)))
}

// copyClusters copies the cluster of one data directory into another. cp keeps the
// owner, who as root is the user that Postgres runs as.
func copyClusters(from, to string) error {
	if out, err := exec.Command("cp", "-Rp", filepath.Join(from, "postgres"), to).CombinedOutput(); err != nil {
		return fmt.Errorf("pgtest: copy a cluster: %w: %s", err, out)
	}
	return nil
}

// own is the directory of this test binary's own prepared clusters.
var own *guard

// clusters is the directory of the prepared clusters.
var clusters = sync.OnceValues(func() (string, error) {
	if shared := os.Getenv(clustersVariable); shared != "" {
		return shared, nil
	}
	dir, err := tempDir()
	if err != nil {
		return "", err
	}
	own, err = guardDir(dir)
	return dir, err
})

// lockFile waits for an exclusive lock on a file. The system drops it with the process.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("pgtest: lock %s: %w", path, err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// ClusterDir makes a data directory with a cluster in it as Docket's first start
// makes it: with its logins and its empty database. A test that starts Docket or
// Postgres in it saves the time of initdb. Otherwise it is TempDir.
func ClusterDir(t testing.TB) string {
	t.Helper()
	return prepareDir(t, bare, TempDir(t))
}

// MigratedDir is ClusterDir after "docket migrate".
func MigratedDir(t testing.TB) string {
	t.Helper()
	return prepareDir(t, migrated, TempDir(t))
}

// MigratedDiskDir is MigratedDir where what a server flushes goes to a disk.
func MigratedDiskDir(t testing.TB) string {
	t.Helper()
	return prepareDir(t, migrated, DiskDir(t))
}

func prepareDir(t testing.TB, p *prepared, dir string) string {
	t.Helper()
	if !running {
		t.Fatal(errNotRun)
	}
	if err := p.copyTo(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}
