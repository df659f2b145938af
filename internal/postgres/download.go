package postgres

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	embedded "github.com/fergusstrange/embedded-postgres"
)

// download fetches Postgres binaries into dist, for a machine that has none. It
// is the last resort of Start and never runs where an installation was found.
//
// NOT TRIED against the real host: the machines this was written and is tested on
// have no internet access. Tried by hand with a stand-in for that host on the same
// machine (fetch, unpack, start, as root and not); the tests see to it that a
// failure ends as one line (ErrNoBinaries).
//
// The library compares the archive with a SHA-256 from the same host: that
// guards against a broken transfer, not against a malicious host.
func download(ctx context.Context, dist string, log *slog.Logger) (Binaries, error) {
	if err := ctx.Err(); err != nil {
		return Binaries{}, err
	}
	log.InfoContext(ctx, "no Postgres is installed; downloading one", "to", dist)
	scratch, err := os.MkdirTemp("", "docket-download-")
	if err != nil {
		return Binaries{}, fmt.Errorf("postgres: %w", err)
	}
	defer os.RemoveAll(scratch)
	port, err := freePort()
	if err != nil {
		return Binaries{}, fmt.Errorf("postgres: %w", err)
	}
	// The library can only fetch as the first step of starting a server of its
	// own, with TCP and a password. We want the files alone, so it gets a
	// locale that does not exist: its initdb fails right after unpacking, and
	// whether the binaries are there and run is the answer.
	startErr := embedded.NewDatabase(embedded.DefaultConfig().
		Version(embedded.V17).
		Port(port).
		BinariesPath(dist).
		CachePath(filepath.Join(scratch, "cache")).
		RuntimePath(filepath.Join(scratch, "run")).
		Locale("download-only").
		Logger(io.Discard)).Start()
	b, err := inspect(ctx, filepath.Join(dist, "bin"))
	if err != nil {
		return Binaries{}, fmt.Errorf("%w (downloading one failed: %v)", ErrNoBinaries, startErr)
	}
	return b, nil
}

// freePort returns a free TCP port; the library insists on one
// before it fetches anything.
func freePort() (uint32, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return uint32(l.Addr().(*net.TCPAddr).Port), nil
}
