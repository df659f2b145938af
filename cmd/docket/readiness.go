package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"docket/migrations"

	"github.com/jackc/pgx/v5/pgxpool"
)

// How long a look at the database may take, and for how long its answer serves
// all who ask: /readyz needs no token.
const (
	readyBound = 2 * time.Second
	readyEvery = time.Second
)

// sqlSchema is the newest applied migration.
const sqlSchema = `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`

// Why a server isn't ready. Anyone may read these; causes are logged.
var (
	errNotServing  = errors.New("starting or stopping")
	errNoDatabase  = errors.New("the database can't be reached")
	errSchemaMoved = errors.New("the database's schema went back")
)

// readiness answers /readyz.
type readiness struct {
	pool    *pgxpool.Pool
	log     *slog.Logger
	serving atomic.Bool
	// durable says why Postgres mustn't be trusted, or nil.
	durable func() error

	mu     sync.Mutex
	looked time.Time
	answer error
}

func newReadiness(api *pgxpool.Pool, durable func() error, log *slog.Logger) *readiness {
	return &readiness{pool: api, durable: durable, log: log}
}

func (r *readiness) begin() { r.serving.Store(true) }
func (r *readiness) end()   { r.serving.Store(false) }

// check says why the server isn't ready, or nil.
func (r *readiness) check(ctx context.Context) error {
	if !r.serving.Load() {
		return errNotServing
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.looked) < readyEvery {
		return r.answer
	}
	// Not the caller's deadline alone: who hangs up must not decide for others.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyBound)
	defer cancel()
	before := r.answer
	r.answer = r.look(ctx)
	r.looked = time.Now()
	if r.answer == nil && before != nil {
		r.log.InfoContext(ctx, "ready again")
	}
	return r.answer
}

// look asks the database. A schema that is newer than this program is fine: a
// newer release migrated it and is about to take over.
func (r *readiness) look(ctx context.Context) error {
	target, err := migrations.Target()
	if err != nil {
		return err
	}
	var current int64
	if err := r.pool.QueryRow(ctx, sqlSchema).Scan(&current); err != nil {
		r.log.WarnContext(ctx, "not ready", "error", err)
		return errNoDatabase
	}
	if current < target {
		r.log.WarnContext(ctx, "not ready", "error", fmt.Errorf("schema at version %d, %d is needed", current, target))
		return errSchemaMoved
	}
	return r.durable()
}
