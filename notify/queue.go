package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"docket/domain"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5/pgxpool"
)

// QueueConfig sets a Queue up. The zero values of all but Pool and Providers are
// good ones.
type QueueConfig struct {
	// Pool has connections of the engine role. A Queue uses QueueConns of them at
	// once; it waits where there are fewer.
	Pool *pgxpool.Pool
	// Providers send; each channel that has one has a queue.
	Providers map[domain.Channel]Provider
	// Workers is how many messages of one channel are sent at once; 8 if 0.
	Workers int
	// PerTenant is how many of them may be one tenant's, over all replicas; 2 if 0.
	PerTenant int
	// Poll is the time between two looks at an empty queue; 1 s if 0.
	Poll time.Duration
	// Timeout is how long a provider may take; 20 s if 0.
	Timeout time.Duration
	// Lease is how long a message is a worker's before another may send it; three
	// times Timeout if 0. Anything not above Timeout sends messages twice.
	Lease time.Duration
	// Attempts is after how many attempts a message is given up; 12 if 0.
	Attempts int
	// Drain is how long Close waits for what is being sent; 7 s if 0.
	Drain time.Duration
	// BreakOff is how long Close then waits for what it has broken off; 2 s if 0.
	BreakOff time.Duration
	Logger   *slog.Logger
}

// QueueConns is how many connections a Queue with this many channels uses at
// once: one that claims, and one for each channel that ends an attempt.
func QueueConns(channels int) int { return channels + 1 }

// Queue sends what the outbox has queued. It is a Watermill message.Subscriber
// (watermill-sql's, over our own adapters): a topic is a channel, and a message
// one attempt at one delivery. Deliver is the handler for all of them.
//
//	outbox ─▶ deliveries ─▶ claim: lease ─▶ Router ─▶ Deliver ─▶ Provider
//	               ▲                                     │
//	               └── ack: sent, dead, or due again ◀───┘
//
// It sends at least once: a worker that dies after the other side has accepted,
// and before that is recorded, leaves a message that is sent again when its lease
// ends. Within one tenant and channel messages begin in the order of their
// events, but none waits for one before it that failed.
//
// A tenant whose receiver is slow, or gone, holds no more than PerTenant workers;
// nobody else waits for it.
type Queue struct {
	cfg    QueueConfig
	claims *claims
	inner  *sql.Subscriber

	// cut ends when what is being sent is not waited for any longer.
	cut    context.Context
	cutNow context.CancelFunc

	close  sync.Once
	closed error
}

var _ message.Subscriber = (*Queue)(nil)

// NewQueue makes a Queue. It does nothing until the first Subscribe.
func NewQueue(cfg QueueConfig) (*Queue, error) {
	setDefault(&cfg.Workers, 8)
	setDefault(&cfg.PerTenant, 2)
	setDefault(&cfg.Poll, time.Second)
	setDefault(&cfg.Timeout, 20*time.Second)
	setDefault(&cfg.Lease, 3*cfg.Timeout)
	setDefault(&cfg.Attempts, 12)
	setDefault(&cfg.Drain, 7*time.Second)
	setDefault(&cfg.BreakOff, 2*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	q := &Queue{cfg: cfg, claims: newClaims(cfg.Pool, cfg.Logger)}
	q.cut, q.cutNow = context.WithCancel(context.Background())
	// Deliver ends within Timeout, unless a provider ignores its context: the
	// Subscriber then leaves the message to its lease.
	deadline := (cfg.Timeout + cfg.Lease) / 2
	var err error
	q.inner, err = sql.NewSubscriber(q.claims, sql.SubscriberConfig{
		AckDeadline: &deadline, SchemaAdapter: schema{cfg.Lease, cfg.PerTenant}, OffsetsAdapter: ends{},
		BackoffManager: pauses{cfg.Poll, cfg.Logger},
	}, watermill.NopLogger{})
	if err != nil {
		return nil, fmt.Errorf("delivery queue: %w", err)
	}
	return q, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Channels are those that have a queue, sorted: the topics to subscribe.
func (q *Queue) Channels() []domain.Channel {
	return slices.Sorted(maps.Keys(q.cfg.Providers))
}

// Subscribe starts the workers of a channel. The end of ctx closes the Queue, as
// Close does: a Router that is closed ends the context first, and what is being
// sent must not be broken off by that.
func (q *Queue) Subscribe(ctx context.Context, channel string) (<-chan *message.Message, error) {
	if _, ok := q.cfg.Providers[domain.Channel(channel)]; !ok {
		return nil, fmt.Errorf("no provider for channel %q", channel)
	}
	out := make(chan *message.Message)
	var workers sync.WaitGroup
	for range q.cfg.Workers {
		in, err := q.inner.Subscribe(context.WithoutCancel(ctx), channel)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("delivery queue: %w", err), q.Close())
		}
		workers.Go(func() {
			for m := range in {
				select {
				case out <- m:
				case <-m.Context().Done(): // abandoned
				}
			}
		})
	}
	forget := context.AfterFunc(ctx, func() { _ = q.Close() })
	go func() {
		workers.Wait()
		forget()
		close(out)
	}()
	return out, nil
}

// Close stops claiming and waits for what is being sent, as long as Drain; what
// isn't sent by then is broken off and due again at once. It may be called more
// than once.
//
// (Of itself watermill-sql's Subscriber would drop what is being sent, and send
// it again later although it had arrived.)
func (q *Queue) Close() error {
	q.close.Do(func() {
		ended := q.claims.drain()
		patience := time.NewTimer(q.cfg.Drain)
		defer patience.Stop()
		select {
		case <-ended:
		case <-patience.C:
			q.cutNow()
			patience.Reset(q.cfg.BreakOff)
			select {
			case <-ended:
			case <-patience.C: // a provider ignores its context: it is left to its lease
			}
		}
		q.cutNow()
		q.closed = q.inner.Close()
	})
	return q.closed
}

// troublePause is how long a worker that the database failed waits.
const troublePause = time.Second

// pauses says how long a worker waits before it looks again.
type pauses struct {
	poll time.Duration
	log  *slog.Logger
}

var _ sql.BackoffManager = pauses{}

// HandleError is called after every look. Close ends the pause.
func (p pauses) HandleError(_ watermill.LoggerAdapter, empty bool, err error) time.Duration {
	switch {
	case errors.Is(err, errDraining), errors.Is(err, context.Canceled):
		return troublePause
	case err != nil:
		p.log.Warn("delivery queue", "error", err)
		return troublePause
	case empty:
		return p.poll
	}
	return 0
}
