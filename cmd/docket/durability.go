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

// durabilityEvery is the pause between two looks: a setting may be changed, and
// reloaded, while the server runs.
const durabilityEvery = 15 * time.Second

// errDurabilityUnknown is why a server isn't ready that couldn't ask yet.
var errDurabilityUnknown = errors.New("whether Postgres keeps what it acknowledges isn't known yet")

// unsafeError says that Postgres may lose what it has acknowledged.
type unsafeError struct{ off []string }

func (e *unsafeError) Error() string {
	verb := " is off"
	if len(e.off) > 1 {
		verb = " are off"
	}
	return "Postgres may lose what it has acknowledged: " + strings.Join(e.off, ", ") + verb
}

// durability watches over Postgres: one that may lose acknowledged commands makes
// the server not ready for as long as it may.
type durability struct {
	log   *slog.Logger
	pools []*pgxpool.Pool // whose commits somebody is told of

	mu      sync.Mutex
	verdict error
	off     []string // as said last in the log

	cancel context.CancelFunc
	done   chan struct{}
}

// watchDurability looks once and then every so often, until stop.
func watchDurability(ctx context.Context, p *pools, log *slog.Logger) *durability {
	d := &durability{log: log, pools: []*pgxpool.Pool{p.Engine, p.Login}, verdict: errDurabilityUnknown, done: make(chan struct{})}
	if found, ok := d.look(ctx); ok && !found.Checksums {
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
			d.look(ctx)
		}
	}
}

func (d *durability) stop(context.Context) error {
	d.cancel()
	<-d.done
	return nil
}

// check is an *unsafeError, or nil where all is well.
func (d *durability) check() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.verdict
}

// look asks Postgres. Where it can't be asked the last answer stands: that it
// can't be reached is another reason not to be ready.
func (d *durability) look(ctx context.Context) (found postgres.Durability, ok bool) {
	asking, cancel := context.WithTimeout(ctx, readyBound)
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
