package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"docket/internal/postgres"

	"github.com/jackc/pgx/v5/pgxpool"
)

// pools are the connections of one program. The feed has its own, so that no command
// waits for its pages.
type pools struct {
	Engine *pgxpool.Pool
	// Login reads sessions and credentials, so that logins do not wait for appends.
	Login *pgxpool.Pool
	Feed  *pgxpool.Pool // nil for a command that runs no subscription
	API   *pgxpool.Pool
	// Watch says when the server behind them is another one.
	Watch *postgres.ServerWatch
}

// openPools connects, each pool under a name of its own in pg_stat_activity, with up to engine connections to append or rebuild, and with feed
// also for subscriptions.
func openPools(ctx context.Context, d *database, app string, engine int32, feed bool, log *slog.Logger) (*pools, error) {
	p := pools{Watch: postgres.NewServerWatch(log)}
	var err error
	open := func(to **pgxpool.Pool, name, url string, cfg postgres.PoolConfig) {
		if err != nil {
			return
		}
		cfg.AppName, cfg.Watch = app+" "+name, p.Watch
		*to, err = postgres.Pool(ctx, url, cfg)
	}
	open(&p.Engine, "append", d.Engine, postgres.PoolConfig{Role: postgres.EngineRole, MaxConns: engine})
	open(&p.Login, "login", d.Engine, postgres.PoolConfig{Role: postgres.EngineRole, MaxConns: postgres.LoginConns, Requests: true})
	open(&p.API, "read", d.API, postgres.PoolConfig{Role: postgres.APIRole, MaxConns: postgres.ReadConns, Requests: true})
	if feed {
		open(&p.Feed, "feed", d.Engine, postgres.PoolConfig{Role: postgres.EngineRole, MaxConns: feedConns()})
	}
	if err != nil {
		return nil, errors.Join(err, p.close(ctx))
	}
	return &p, nil
}

// close waits for the connections in use, no longer than ctx.
func (p *pools) close(ctx context.Context) error {
	return within(ctx, poolsTimeout, "close the pools", func() error {
		for _, pool := range []*pgxpool.Pool{p.Feed, p.API, p.Login, p.Engine} {
			if pool != nil {
				pool.Close()
			}
		}
		return nil
	})
}

// warnOfWeakWall warns if the login that reads has further rights: a flaw in a query
// would then expose more than one tenant.
func (p *pools) warnOfWeakWall(ctx context.Context, d *database, log *slog.Logger) error {
	beyond, err := postgres.Beyond(ctx, p.API, postgres.APIRole)
	if err != nil || beyond == "" {
		return err
	}
	log.WarnContext(ctx, "the wall between tenants inside the database is weaker than it could be",
		"login_that_reads", beyond, "hint", d.wallHint())
	return nil
}

// connsNeeded is the number of connections that a server may open: those of its pools,
// and one that listens for wake-ups outside of its pool.
func connsNeeded() int {
	return postgres.AppendConns + postgres.LoginConns + postgres.ReadConns + int(feedConns()) + 1
}

// warnOfFewSlots warns if the database has no room for all connections of this one
// server: under load it would refuse some.
func (p *pools) warnOfFewSlots(ctx context.Context, log *slog.Logger) error {
	slots, err := postgres.Slots(ctx, p.Engine)
	if err != nil {
		return err
	}
	if needed := connsNeeded(); slots < needed {
		log.WarnContext(ctx, "the database has room for fewer connections than this server may need",
			"room", slots, "needed", needed, "hint", slotsHint)
	}
	return nil
}

// slotsHint says how to make room.
const slotsHint = "raise max_connections, or the database's connection limit"

// wallHint says how to make the wall stronger.
func (d *database) wallHint() string {
	if d.API == d.Engine {
		return "set DOCKET_API_DATABASE_URL to a login that is a member of docket_api and of nothing else"
	}
	return "give it a login that is a member of docket_api and of nothing else"
}

// poolsTimeout is how long close waits for connections in use.
const poolsTimeout = 5 * time.Second
