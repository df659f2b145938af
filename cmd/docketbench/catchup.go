package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/postgres"
	"docket/notify"
	"docket/projections"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5/pgxpool"
)

// catchupWorkers is how many tenants a subscription handles at once, as in docket serve.
const catchupWorkers = 2

// sqlBehind says whether a subscription ($1) has yet to come to a seq ($3) in one of
// the tenants ($2).
const sqlBehind = `SELECT EXISTS (SELECT FROM unnest($2::uuid[]) AS t (id) WHERE NOT EXISTS (
  SELECT FROM checkpoints c WHERE c.tenant_id = t.id AND c.subscription = $1 AND c.seq >= $3))`

// catchUp runs the live subscriptions of the read models and of notifications, as one
// replica does, over logs that none of them has seen, until all have come to a seq in
// all tenants. It returns how long that took.
func catchUp(ctx context.Context, d *database, tenants []domain.TenantID, through int64) (took time.Duration, err error) {
	handlers, interests := projections.Subscriptions(), projections.Interests()
	name, handler := notify.Subscription()
	handlers[name], interests[name] = handler, notify.Interest()
	pool, err := postgres.Pool(ctx, d.Engine, postgres.PoolConfig{
		Role: postgres.EngineRole, MaxConns: int32(len(handlers)*catchupWorkers + 4), AppName: "docketbench",
	})
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	log := slog.New(slog.DiscardHandler)
	events := feed.New(feed.Config{Pool: pool, Workers: catchupWorkers, Interests: interests, Logger: log}, nil)
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		return 0, err
	}
	for name, handler := range handlers {
		router.AddConsumerHandler(name, name, events, handler)
	}
	begin, ended := time.Now(), make(chan error, 1)
	go func() { ended <- router.Run(context.WithoutCancel(ctx)) }()
	defer func() { err = errors.Join(err, router.Close(), <-ended) }()
	for name := range handlers {
		if err := awaitSubscription(ctx, pool, name, tenants, through); err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
	}
	return time.Since(begin), nil
}

// awaitSubscription looks now and then until a subscription has come to a seq in all tenants.
func awaitSubscription(ctx context.Context, pool *pgxpool.Pool, name string, tenants []domain.TenantID, through int64) error {
	for look := time.NewTicker(50 * time.Millisecond); ; {
		var behind bool
		if err := pool.QueryRow(ctx, sqlBehind, name, tenants, through).Scan(&behind); err != nil || !behind {
			look.Stop()
			return err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			look.Stop()
			return ctx.Err()
		}
	}
}
