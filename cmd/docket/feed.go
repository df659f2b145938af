package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"docket/commands"
	"docket/eventstore/feed"
	"docket/notify"
	"docket/projections"
	"docket/projections/rebuild"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// feedWorkers is how many tenants one subscription handles at once.
const feedWorkers = 2

// subscriptions are all that this program runs, by name. Those that append do it
// through cmds, which may be nil for one who only wants to know which there are.
func subscriptions(cmds *commands.Commands) map[string]message.NoPublishHandlerFunc {
	all := projections.Subscriptions()
	name, handler := notify.Subscription()
	all[name] = handler
	all[commands.Renames] = feed.Handle(cmds.CarryRenames)
	return all
}

// interests say which events each of them does anything with.
func interests() map[string]feed.Interest {
	all := projections.Interests()
	all[notify.SubscriptionName] = notify.Interest()
	all[commands.Renames] = commands.RenameInterest()
	return all
}

// feedConns is the size of the feed's pool: one for each worker, those of the group too, one to listen
// for news and one to tell them, two for sweeps and for checkpoints that need no page, those
// of the delivery queue, and those of what is built in the background.
func feedConns() int32 {
	return int32((len(subscriptions(nil))+1)*feedWorkers + 4 + notify.QueueConns(outsideChannels) + rebuild.ConnsPerWorker)
}

// newFeed makes the feed, which leaves to builds what is theirs.
func newFeed(pool *pgxpool.Pool, progress *feed.Positions, builds *rebuild.Background, metrics prometheus.Registerer, log *slog.Logger) *feed.Feed {
	return feed.New(feed.Config{
		Pool: pool, Workers: feedWorkers, Interests: interests(), Groups: map[string][]string{projections.GroupName: projections.Models()},
		Leave: builds.Accepts, Logger: log, Metrics: metrics,
	}, progress)
}

// router runs the subscriptions over the feed, and the workers of the delivery queue.
type router struct {
	*message.Router
	// ended gets what Run returned, once.
	ended chan error
}

// startRouter returns when every subscription and every channel is running.
func startRouter(ctx context.Context, events *feed.Feed, cmds *commands.Commands, queue *notify.Queue, log *slog.Logger) (*router, error) {
	// Watermill says a lot at "info" that matters only to its own developers.
	logger := watermill.NewSlogLoggerWithLevelMapping(log, map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug})
	m, err := message.NewRouter(message.RouterConfig{CloseTimeout: feedBound}, logger)
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

// stop closes the router, and with it the feed (what a handler was doing is rolled
// back) and the delivery queue (what is being sent ends first). It waits no longer
// than ctx.
func (r *router) stop(ctx context.Context) error {
	return within(ctx, feedBound+time.Second, "stop the feed", r.Close)
}

// within does something that knows no context, and leaves it alone when ctx
// ends or the time is over.
func within(ctx context.Context, bound time.Duration, what string, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return fmt.Errorf("%s: not done within %s", what, bound)
		}
		return nil // somebody wants it at once
	}
}
