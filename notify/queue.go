package notify

import (
	"cmp"
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
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// QueueConfig configures a Queue. Only Pool and Providers must be set.
type QueueConfig struct {
	// Pool has connections of the engine role. A Queue uses at most QueueConns of
	// them at once, and waits if the pool has fewer.
	Pool *pgxpool.Pool
	// Providers send; each channel that has one has a queue. An *EmailLog is a stand-in: it
	// gets messages only if no replica has had a provider for its channel for a day.
	Providers map[domain.Channel]Provider
	// Workers is how many messages of one channel are sent at once; 8 if 0.
	Workers int
	// PerTenant is how many of them may be one tenant's, over all replicas; 2 if 0.
	PerTenant int
	// Poll is the time between two claims while nothing is due; 1 s if 0.
	Poll time.Duration
	// Timeout is how long a provider may take; 20 s if 0.
	Timeout time.Duration
	// Lease is how long a delivery is a worker's before another may claim it; three
	// times Timeout if 0. It must exceed Timeout, or messages are sent twice.
	Lease time.Duration
	// Attempts is after how many attempts a delivery is dead; 12 if 0.
	Attempts int
	// Limits are how much one recipient gets of a tenant; no limits if zero.
	Limits Limits
	// Drain is how long Close waits for messages that are being sent; 7 s if 0.
	Drain time.Duration
	// Interrupt is how long Close then waits for interrupted attempts; 2 s if 0.
	Interrupt time.Duration
	Logger    *slog.Logger
	// Metrics is where the Queue registers what it counts; nowhere if nil.
	Metrics prometheus.Registerer
}

// QueueConns is how many connections a Queue with this many channels uses at once:
// for each channel one that claims, and one that finishes an attempt.
func QueueConns(channels int) int { return 2 * channels }

// Queue sends the messages of the deliveries table. It is a Watermill
// message.Subscriber (watermill-sql's, over the adapters of this package): a topic is
// a channel, and a message is one attempt at one delivery, or at all of an event's on a
// channel with a GroupProvider. Deliver is the handler.
//
//	deliveries ─▶ claim with a lease ─▶ Router ─▶ Deliver ─▶ look again ─▶ Provider
//	     ▲                                           │           │
//	     └── ack: sent, dead, withdrawn, capped, ◀───┴───────────┘
//	         or queued again
//
// Right before each attempt it looks again at the tenant log: whether the recipient is
// still a member, the channel and address still the tenant's, and what the message tells
// of still there. If not, the delivery is withdrawn. A receiver that asks for a pause gets
// it from all of the tenant's messages over that channel.
//
// It sends at least once: if a worker dies after the receiver accepted a message and
// before the outcome is recorded, the message is sent again when the lease ends.
// Within one tenant and channel first attempts begin in the order of the events, but
// no message waits for an earlier one that failed.
//
// A tenant with a slow receiver, or none, occupies at most PerTenant workers; no
// other tenant waits for it.
type Queue struct {
	cfg    QueueConfig
	claims *claims
	inner  *sql.Subscriber
	// givenBack counts by channel.
	givenBack *prometheus.CounterVec
	// withheld counts by channel and state.
	withheld *prometheus.CounterVec

	// cut is cancelled when Close interrupts what is being sent.
	cut       context.Context
	interrupt context.CancelFunc

	close  sync.Once
	closed error
}

var _ message.Subscriber = (*Queue)(nil)

// NewQueue makes a Queue. It does nothing until the first Subscribe.
func NewQueue(cfg QueueConfig) (*Queue, error) {
	cfg.Workers = cmp.Or(cfg.Workers, 8)
	cfg.PerTenant = cmp.Or(cfg.PerTenant, 2)
	cfg.Poll = cmp.Or(cfg.Poll, time.Second)
	cfg.Timeout = cmp.Or(cfg.Timeout, 20*time.Second)
	cfg.Lease = cmp.Or(cfg.Lease, 3*cfg.Timeout)
	cfg.Attempts = cmp.Or(cfg.Attempts, 12)
	cfg.Drain = cmp.Or(cfg.Drain, 7*time.Second)
	cfg.Interrupt = cmp.Or(cfg.Interrupt, 2*time.Second)
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))

	standIns, grouped := map[string]bool{}, map[string]bool{}
	for c, p := range cfg.Providers {
		_, standIns[string(c)] = p.(*EmailLog)
		_, grouped[string(c)] = p.(GroupProvider)
	}
	q := &Queue{cfg: cfg, claims: newClaims(cfg.Pool, standIns, cfg.Logger)}
	q.givenBack = promauto.With(cfg.Metrics).NewCounterVec(prometheus.CounterOpts{Name: "docket_deliveries_given_back_total",
		Help: "Attempts given back uncounted: this replica can't open the tenant's secret, or stopped."}, []string{"channel"})
	q.withheld = promauto.With(cfg.Metrics).NewCounterVec(prometheus.CounterOpts{Name: "docket_deliveries_withheld_total",
		Help: "Deliveries that were due and not sent: withdrawn, or capped by the limits of one recipient."}, []string{"channel", "state"})
	q.cut, q.interrupt = context.WithCancel(context.Background())
	// Deliver returns within Timeout, unless a provider ignores its context: then the
	// Subscriber leaves the delivery to its lease.
	deadline := (cfg.Timeout + cfg.Lease) / 2
	var err error
	q.inner, err = sql.NewSubscriber(q.claims, sql.SubscriberConfig{
		AckDeadline: &deadline, SchemaAdapter: schema{lease: cfg.Lease, perTenant: cfg.PerTenant, standIns: standIns, grouped: grouped}, OffsetsAdapter: acks{},
		BackoffManager: pauses{cfg.Poll, cfg.Logger},
	}, watermill.NopLogger{})
	if err != nil {
		return nil, fmt.Errorf("delivery queue: %w", err)
	}
	return q, nil
}

// Channels are those with a queue, sorted: the topics to subscribe to.
func (q *Queue) Channels() []domain.Channel {
	return slices.Sorted(maps.Keys(q.cfg.Providers))
}

// Subscribe starts the workers of a channel. The end of ctx closes the Queue as Close
// does: a Router that is closed cancels the context first, and that must not
// interrupt messages that are being sent.
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
				case <-m.Context().Done(): // the ack deadline is over
				}
			}
		})
	}
	detach := context.AfterFunc(ctx, func() { _ = q.Close() })
	go func() {
		workers.Wait()
		detach()
		close(out)
	}()
	return out, nil
}

// Close stops claiming and waits up to Drain for messages that are being sent. It
// interrupts those that take longer; they are due again at once. Close may be called
// more than once.
//
// (watermill-sql's Subscriber alone would abandon them, and send them again later
// although they arrived.)
func (q *Queue) Close() error {
	q.close.Do(func() {
		ended := q.claims.drain()
		if !closesWithin(ended, q.cfg.Drain) {
			q.interrupt()
			closesWithin(ended, q.cfg.Interrupt) // if not, a provider ignores its context
		}
		q.interrupt()
		q.closed = q.inner.Close()
	})
	return q.closed
}

func closesWithin(c <-chan struct{}, d time.Duration) bool {
	select {
	case <-c:
		return true
	case <-time.After(d):
		return false
	}
}

// errorPause is how long a worker waits after an error of the database.
const errorPause = time.Second

// pauses is watermill-sql's BackoffManager: how long a worker waits before its next
// claim. Close ends the wait.
type pauses struct {
	poll time.Duration
	log  *slog.Logger
}

var _ sql.BackoffManager = pauses{}

// HandleError is called after every claim.
func (p pauses) HandleError(_ watermill.LoggerAdapter, empty bool, err error) time.Duration {
	switch {
	case errors.Is(err, errDraining), errors.Is(err, context.Canceled):
		return errorPause
	case err != nil:
		p.log.Warn("delivery queue", "error", err)
		return errorPause
	case empty:
		return p.poll
	}
	return 0
}
