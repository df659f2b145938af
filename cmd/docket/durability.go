package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"docket/internal/postgres"

	"github.com/jackc/pgx/v5/pgxpool"
)

// durabilityEvery is the pause between two checks: a setting may be changed, and
// reloaded, while the server runs.
const durabilityEvery = 15 * time.Second

// errDurabilityUnknown is why a server isn't ready before the first check.
var errDurabilityUnknown = errors.New("whether Postgres keeps what it acknowledges isn't known yet")

// unsafeError says that Postgres may lose acknowledged commits.
type unsafeError struct{ off []string }

func (e *unsafeError) Error() string {
	verb := " is off"
	if len(e.off) > 1 {
		verb = " are off"
	}
	return "Postgres may lose what it has acknowledged: " + strings.Join(e.off, ", ") + verb
}

// durability watches the settings of Postgres: while it may lose acknowledged commits,
// the server is not ready.
type durability struct {
	log   *slog.Logger
	pools []*pgxpool.Pool // whose commits are acknowledged to clients

	mu      sync.Mutex
	verdict error
	off     []string // as last logged

	cancel context.CancelFunc
	done   chan struct{}
}

// watchDurability checks once and then every durabilityEvery, until stop.
func watchDurability(ctx context.Context, p *pools, log *slog.Logger) *durability {
	d := &durability{log: log, pools: []*pgxpool.Pool{p.Engine, p.Login}, verdict: errDurabilityUnknown, done: make(chan struct{})}
	if found, ok := d.ask(ctx); ok && !found.Checksums {
		log.WarnContext(ctx, "Postgres writes no data checksums: damage on its disk would go unnoticed",
			"hint", "stop Postgres and run pg_checksums --enable")
	}
	ctx, d.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go d.run(ctx)
	return d
}

func (d *durability) run(ctx context.Context) {
	defer close(d.done)
	tick := time.NewTicker(durabilityEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.ask(ctx)
		}
	}
}

func (d *durability) stop(context.Context) error {
	d.cancel()
	<-d.done
	return nil
}

// check returns an *unsafeError, or nil if Postgres is durable.
func (d *durability) check() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.verdict
}

// ask asks Postgres. Where that fails the last answer stays: that Postgres can't be
// reached is another reason not to be ready.
func (d *durability) ask(ctx context.Context) (found postgres.Durability, ok bool) {
	asking, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	found, err := postgres.AskDurability(asking, d.pools...)
	if err != nil {
		if ctx.Err() == nil {
			d.log.WarnContext(ctx, "Postgres couldn't be asked whether it keeps what it acknowledges", "error", err)
		}
		return found, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.verdict = nil
	if len(found.Off) > 0 {
		d.verdict = &unsafeError{found.Off}
	}
	switch {
	case slices.Equal(found.Off, d.off):
	case len(found.Off) > 0:
		d.log.ErrorContext(ctx, "not ready: Postgres may lose what it has acknowledged", "off", found.Off,
			"hint", "turn the settings on for the server, the database and the logins, and reload")
	default:
		d.log.InfoContext(ctx, "Postgres keeps what it acknowledges again")
	}
	d.off = found.Off
	return found, true
}
