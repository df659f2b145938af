package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"docket/internal/postgres"
	"docket/migrations"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// readyTimeout is how long a query of the database may take.
	readyTimeout = 2 * time.Second
	// readyEvery is how long its answer is reused: /readyz needs no token.
	readyEvery = time.Second
)

// sweepOverdue is how long after the last sweep of all subscriptions a server isn't ready: a
// sweep comes every 5 s and takes 20 s at most.
const sweepOverdue = 30 * time.Second

// sqlSchema is the newest applied migration.
const sqlSchema = `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`

// Why a server isn't ready. These are public; the causes are logged.
var (
	errNotServing  = errors.New("starting or stopping")
	errNoDatabase  = errors.New("the database can't be reached")
	errSchemaMoved = errors.New("the database's schema went back")
	errFeedStands  = errors.New("the read models may stand still: they have not been compared with the logs for a while")
)

// notReadyEvery is the pause between two lines with the same reason: /readyz is asked often.
const notReadyEvery = time.Minute

// readiness answers /readyz.
type readiness struct {
	api, engine *pgxpool.Pool
	log         *slog.Logger
	serving     atomic.Bool
	// durable returns why Postgres is not durable, or nil.
	durable func() error
	// sinceSweep is the time since all subscriptions were last swept.
	sinceSweep func() time.Duration

	mu      sync.Mutex
	askedAt time.Time
	answer  error
	// logged is the last reason in the log, and loggedAt its time.
	logged   error
	loggedAt time.Time
}

func newReadiness(api, engine *pgxpool.Pool, durable func() error, sinceSweep func() time.Duration, log *slog.Logger) *readiness {
	return &readiness{api: api, engine: engine, durable: durable, sinceSweep: sinceSweep, log: log}
}

func (r *readiness) setServing(is bool) { r.serving.Store(is) }

// check returns why the server isn't ready, or nil.
func (r *readiness) check(ctx context.Context) error {
	if !r.serving.Load() {
		return errNotServing
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.askedAt) < readyEvery {
		return r.answer
	}
	// Others share the answer, so a caller that hangs up does not end the query.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
	defer cancel()
	before := r.answer
	r.answer = r.ask(ctx)
	r.askedAt = time.Now()
	if r.answer == nil && before != nil {
		r.log.InfoContext(ctx, "ready again")
		r.logged = nil
	}
	return r.answer
}

// ask queries the database. A schema that is newer than this program is fine: a newer
// release has migrated it and is about to take over.
func (r *readiness) ask(ctx context.Context) error {
	target, err := migrations.Target()
	if err != nil {
		return err
	}
	var current int64
	if err := r.api.QueryRow(ctx, sqlSchema).Scan(&current); err != nil {
		return r.refuse(ctx, refusal(err), err)
	}
	if current < target {
		return r.refuse(ctx, errSchemaMoved, fmt.Errorf("schema at version %d, %d is needed", current, target))
	}
	if err := r.access(ctx); err != nil {
		return r.refuse(ctx, refusal(err), err)
	}
	if since := r.sinceSweep(); since > sweepOverdue {
		return r.refuse(ctx, errFeedStands, fmt.Errorf("%w (%s)", errFeedStands, since.Round(time.Second)))
	}
	return r.durable()
}

// access asks whether the logins can do what they have to: it reads what the catalog says
// of their rights, and whether a transaction could write, and writes nothing.
func (r *readiness) access(ctx context.Context) error {
	grants, err := migrations.Grants()
	if err != nil {
		return err
	}
	if err := postgres.CheckAccess(ctx, r.engine, postgres.EngineRole, grants); err != nil {
		return err
	}
	return postgres.CheckAccess(ctx, r.api, postgres.APIRole, grants)
}

// refusal is what the public may know of why the database doesn't serve this program.
func refusal(err error) error {
	if reason := postgres.Refusal(err); reason != "" {
		return errors.New(reason)
	}
	return errNoDatabase
}

// refuse logs a reason with its cause, unless it did so lately, and returns the reason.
func (r *readiness) refuse(ctx context.Context, reason, cause error) error {
	if r.logged == nil || r.logged.Error() != reason.Error() || time.Since(r.loggedAt) >= notReadyEvery {
		r.log.WarnContext(ctx, "not ready", "reason", reason.Error(), "error", cause)
		r.logged, r.loggedAt = reason, time.Now()
	}
	return reason
}
