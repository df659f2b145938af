package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"docket/accounts"
	"docket/commands"
	"docket/eventstore"
	"docket/notify"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const (
	// housekeepingEvery is the pause between two rounds of a replica. One replica at a time
	// makes one; the others find nothing left, or leave it.
	housekeepingEvery = time.Hour
	// housekeepingBatch is how many rows one statement deletes, and housekeepingPause the
	// pause after it, so that no request waits for long.
	housekeepingBatch = 1_000
	housekeepingPause = 50 * time.Millisecond
	// keepEndedKeys is how long a signing key is kept whose tokens have expired.
	keepEndedKeys = 30 * 24 * time.Hour
	// keepEndedAPIKeys is how long the hash of an API key is kept that isn't valid any more.
	keepEndedAPIKeys = 30 * 24 * time.Hour
	// batchTimeout bounds one statement.
	batchTimeout = 30 * time.Second
)

// housekeepingLockSQL takes the lock of the housekeeping for a session, if it is free.
const housekeepingLockSQL = `select pg_try_advisory_lock(hashtextextended('docket housekeeping', 0))`

// housekeepingUnlockSQL gives it back.
const housekeepingUnlockSQL = `select pg_advisory_unlock(hashtextextended('docket housekeeping', 0))`

// chore deletes what is no longer needed of one table.
type chore struct {
	what string // the label of the metric
	keep time.Duration
	// delete deletes up to limit rows that have not been needed for longer than keep.
	delete func(ctx context.Context, keep time.Duration, limit int) (int, error)
}

// chores are all there are.
func chores(s settings, engine *pgxpool.Pool, store *eventstore.Store) []chore {
	on := func(f func(context.Context, *pgxpool.Pool, time.Duration, int) (int, error)) func(context.Context, time.Duration, int) (int, error) {
		return func(ctx context.Context, keep time.Duration, limit int) (int, error) {
			return f(ctx, engine, keep, limit)
		}
	}
	return []chore{
		{"idempotency_records", commands.RecordLifetime, store.Forget},
		{"sessions", s.KeepSessions, on(accounts.DeleteEndedSessions)},
		{"signing_keys", keepEndedKeys, on(accounts.DeleteEndedKeys)},
		{"api_keys", keepEndedAPIKeys, on(accounts.DeleteExpiredAPIKeys)},
		{"refresh_tokens", s.KeepRefreshTokens, on(accounts.DeleteUsedTokens)},
		{"known_addresses", accounts.KnownAddressLifetime, on(accounts.DeleteKnownAddresses)},
		{"sign_in_limits", accounts.SignInWindow, on(accounts.DeleteWholeQuotas)},
		{"account_mails", s.KeepMails, on(accounts.DeleteEndedMails)},
		{"account_tokens", s.KeepMails, on(accounts.DeleteEndedTokens)},
		{"deliveries", s.KeepDeliveries, on(notify.DeleteFinishedDeliveries)},
		{"notifications", s.KeepNotifications, on(notify.DeleteReadNotifications)},
		{"secrets", s.KeepSecrets, func(ctx context.Context, keep time.Duration, limit int) (int, error) {
			return notify.DeleteUnusedSecrets(ctx, engine, store, keep, limit)
		}},
	}
}

// housekeeping deletes rows that are no longer needed.
type housekeeping struct {
	engine *pgxpool.Pool
	chores []chore
	log    *slog.Logger

	deleted *prometheus.CounterVec
	ended   prometheus.Gauge

	stopRounds context.CancelFunc
	done       chan struct{}
}

func newHousekeeping(engine *pgxpool.Pool, chores []chore, metrics prometheus.Registerer, log *slog.Logger) *housekeeping {
	h := &housekeeping{
		engine: engine, chores: chores, log: log, done: make(chan struct{}),
		deleted: promauto.With(metrics).NewCounterVec(prometheus.CounterOpts{Name: "docket_housekeeping_deleted_rows_total",
			Help: "Rows that were no longer needed and that this server deleted."}, []string{"what"}),
		ended: promauto.With(metrics).NewGauge(prometheus.GaugeOpts{Name: "docket_housekeeping_last_round_timestamp_seconds",
			Help: "When this server last went through all tables; 0: not yet, other replicas do."}),
	}
	for _, c := range chores {
		h.deleted.WithLabelValues(c.what)
	}
	return h
}

// start makes a round at once and then one every housekeepingEvery.
func (h *housekeeping) start() *housekeeping {
	var ctx context.Context
	ctx, h.stopRounds = context.WithCancel(context.Background())
	go func() {
		defer close(h.done)
		rounds := time.NewTicker(housekeepingEvery)
		defer rounds.Stop()
		for {
			if _, err := h.round(ctx); err != nil && ctx.Err() == nil {
				h.log.Warn("housekeeping failed; it is tried again later", "error", err)
			}
			select {
			case <-rounds.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return h
}

// round does every chore once, unless another replica is at it. A chore that fails keeps no
// other from being done.
func (h *housekeeping) round(ctx context.Context) (mine bool, err error) {
	conn, err := h.engine.Acquire(ctx)
	if err != nil {
		return false, fmt.Errorf("housekeeping: %w", err)
	}
	defer conn.Release()
	if err := conn.QueryRow(ctx, housekeepingLockSQL).Scan(&mine); err != nil || !mine {
		return false, err
	}
	defer func() {
		done, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTimeout)
		defer cancel()
		// If it can't be given back the session has ended, and the lock with it.
		_, _ = conn.Exec(done, housekeepingUnlockSQL)
	}()
	var failed []error
	for _, c := range h.chores {
		if c.keep <= 0 {
			continue // for ever
		}
		n, err := h.do(ctx, c)
		if err != nil {
			failed = append(failed, err)
		}
		if n > 0 {
			h.log.Info("deleted rows that are no longer needed", "what", c.what, "rows", n)
		}
	}
	if len(failed) == 0 {
		h.ended.SetToCurrentTime()
	}
	return true, errors.Join(failed...)
}

// do deletes batch by batch until nothing is left, and returns how many rows.
func (h *housekeeping) do(ctx context.Context, c chore) (total int, err error) {
	for {
		batch, cancel := context.WithTimeout(ctx, batchTimeout)
		n, err := c.delete(batch, c.keep, housekeepingBatch)
		cancel()
		total += n
		h.deleted.WithLabelValues(c.what).Add(float64(n))
		if err != nil || n < housekeepingBatch {
			return total, err
		}
		select {
		case <-time.After(housekeepingPause):
		case <-ctx.Done():
			return total, ctx.Err()
		}
	}
}

// stop stops the rounds and waits, no longer than ctx.
func (h *housekeeping) stop(ctx context.Context) error {
	return within(ctx, poolsTimeout, "stop the housekeeping", func() error {
		h.stopRounds()
		<-h.done
		return nil
	})
}
