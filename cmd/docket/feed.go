package main

import (
	"context"
	"docket/projections/rebuild"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"docket/commands"
	"docket/eventstore/feed"
	"docket/notify"
	"docket/projections"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// feedWorkers is how many tenants one subscription handles at once.
const feedWorkers = 2

// subscriptions are all that this program runs, by name. Those that append do so
// through cmds, which may be nil for a caller that wants the names only.
func subscriptions(cmds *commands.Commands) map[string]message.NoPublishHandlerFunc {
	all := projections.Subscriptions()
	name, handler := notify.Subscription()
	all[name] = handler
	all[commands.Renames] = feed.Handle(cmds.CarryRenames)
	return all
}

// interests say which events each subscription handles.
func interests() map[string]feed.Interest {
	all := projections.Interests()
	all[notify.SubscriptionName] = notify.Interest()
	all[commands.Renames] = commands.RenameInterest()
	return all
}

// feedConns is the size of the feed's pool: one for each worker, one to listen for
// wake-ups and one to send them, two for sweeps and idle advances, those of the delivery
// queue, and those of the background builds.
func feedConns() int32 {
	return int32((len(subscriptions(nil))+1)*feedWorkers + 4 + notify.QueueConns(outsideChannels) + rebuild.ConnsPerWorker)
}

// newFeed creates the feed, which leaves outdated read models to builds.
func newFeed(pool *pgxpool.Pool, positions *feed.Positions, builds *rebuild.Background, metrics prometheus.Registerer, log *slog.Logger) *feed.Feed {
	return feed.New(feed.Config{
		Pool: pool, Workers: feedWorkers, Interests: interests(), Groups: map[string][]string{projections.GroupName: projections.Models()},
		Recoveries: map[string]feed.Recovery{notify.SubscriptionName: notify.Recovery()},
		Leave:      builds.Accepts, Logger: log, Metrics: metrics,
	}, positions)
}

// router runs the subscriptions over the feed, and the workers of the delivery queue.
type router struct {
	*message.Router
	// ended gets what Run returned, once.
	ended chan error
}

// startRouter returns when every subscription and every channel is running.
func startRouter(ctx context.Context, events *feed.Feed, cmds *commands.Commands, queue *notify.Queue, log *slog.Logger) (*router, error) {
	// Watermill logs at "info" what matters only to its own developers.
	logger := watermill.NewSlogLoggerWithLevelMapping(log, map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug})
	m, err := message.NewRouter(message.RouterConfig{CloseTimeout: feedTimeout}, logger)
	if err != nil {
		return nil, fmt.Errorf("router: %w", err)
	}
	m.AddMiddleware(middleware.Recoverer)
	for name, handler := range subscriptions(cmds) {
		m.AddConsumerHandler(name, name, events, handler)
	}
	group, handler := projections.Group()
	m.AddConsumerHandler(group, group, events, handler)
	for _, c := range queue.Channels() {
		m.AddConsumerHandler("deliver "+string(c), string(c), queue, queue.Deliver)
	}
	r := &router{Router: m, ended: make(chan error, 1)}
	// Not ctx: a signal must end the requests before the feed.
	go func() { r.ended <- m.Run(context.WithoutCancel(ctx)) }()
	select {
	case <-m.Running():
		return r, nil
	case err := <-r.ended:
		return nil, fmt.Errorf("router: %w", err)
	}
}

// stop closes the router, and with it the feed, which rolls back its pages, and the
// delivery queue, which finishes its attempts. It waits no longer than ctx.
func (r *router) stop(ctx context.Context) error {
	return within(ctx, feedTimeout+time.Second, "stop the feed", r.Close)
}

// within calls do, which takes no context, and returns without waiting for it when ctx
// ends or the time is over.
func within(ctx context.Context, timeout time.Duration, what string, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return fmt.Errorf("%s: not done within %s", what, timeout)
		}
		return nil // a second signal
	}
}
