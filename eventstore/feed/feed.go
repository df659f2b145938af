package feed

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"docket/domain"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// Config sets a Feed up. The zero values of all but Pool are good ones.
type Config struct {
	// Pool has connections of the engine role, at least one for each worker of
	// each subscription and two more.
	Pool *pgxpool.Pool
	// PageSize is the most events that one message carries; 500 if 0. A fold that is far
	// behind gets up to four times as many, if they aren't large.
	PageSize int
	// Workers is how many tenants one subscription handles at once; 2 if 0.
	Workers int
	// Sweep is the time between two comparisons of all heads with all
	// checkpoints; 5 s if 0.
	Sweep time.Duration
	// Timeout is how long a handler may take for one page, with what it queues; 30 s if 0.
	Timeout time.Duration
	// Interests are the subscriptions' interests. A subscription without an entry has the
	// zero value.
	Interests map[string]Interest
	// Leave reports whether a build will fold a log to its end in place of the
	// subscription. The feed asks for logs that are older than the subscription and lack at
	// least LongLog events, and for logs that wait for a build by this fold version. Leave
	// must return quickly. nil: there are no builds, and the subscription folds every log.
	Leave func(t domain.TenantID, subscription string) bool
	// Recoveries are, by subscription, what brings back what a subscription without a fold
	// has made of events that the log lost.
	Recoveries map[string]Recovery
	// Groups are subscriptions with folds whose pages are shared, by the topic of the
	// group. Each of them is subscribed to as well: it continues alone where it can't share.
	Groups map[string][]string
	Logger *slog.Logger
	// Metrics is where the Feed registers what it counts; nowhere if nil.
	Metrics prometheus.Registerer
}

// ErrClosed says that the Feed was closed.
var ErrClosed = errors.New("feed closed")

// Feed is a Watermill message.Subscriber over the log. A message is one page of
// one tenant's events; PageOf gives it to the handler, with the transaction in
// which the handler must write. A topic is the name of a subscription, which
// has one checkpoint per tenant.
//
// Ack advances the checkpoint and commits. Nack, a timeout, and Close roll back:
// the page comes again. A page that fails comes again one event at a time, so
// that all before the bad event is committed; the bad one is then tried with
// growing delay, and no other tenant waits for it.
//
// Any number of replicas may run the same subscriptions: each page is handled
// by one of them.
type Feed struct {
	id        string // identifies this Feed's own NOTIFYs
	cfg       Config
	log       *slog.Logger
	positions *Positions
	metrics   *feedMetrics

	ctx  context.Context
	stop context.CancelFunc
	done sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	started bool
	subs    map[string]*pendingTenants
	sweeps  map[string]time.Time // when the last one succeeded, by subscription
	// recovering are the subscriptions with a startBringBack that runs.
	recovering map[string]bool
	// compared counts down the subscriptions that haven't been swept yet (AwaitSweeps).
	compared sync.WaitGroup
	// groupOf is, by subscription, the pending tenants of the group that it shares pages with.
	groupOf map[string]*pendingTenants
	outbox  *outbox
	recent  *recent
	idle    *idleAdvances
	// stopListening ends the listening connection; nil before the first one.
	stopListening func()
	// soon is closed and replaced to start the sweeps early.
	soon chan struct{}
	// recovery is held by the one bringBack that runs.
	recovery sync.Mutex
}

var _ message.Subscriber = (*Feed)(nil)

// New makes a Feed. It does nothing until the first Subscribe.
func New(cfg Config, positions *Positions) *Feed {
	if cfg.PageSize == 0 {
		cfg.PageSize = 500
	}
	if cfg.Workers == 0 {
		cfg.Workers = 2
	}
	if cfg.Sweep == 0 {
		cfg.Sweep = 5 * time.Second
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Feed{
		id: uuid.NewString(), cfg: cfg, log: cfg.Logger, positions: positions, metrics: newFeedMetrics(cfg.Metrics),
		ctx: ctx, stop: stop, subs: map[string]*pendingTenants{}, sweeps: map[string]time.Time{}, recovering: map[string]bool{}, groupOf: map[string]*pendingTenants{}, outbox: newOutbox(), recent: newRecent(), idle: newIdleAdvances(), soon: make(chan struct{}),
	}
}

// Subscribe starts the workers of a subscription. Their messages stop, and the
// channel closes, when ctx ends or the Feed is closed.
func (f *Feed) Subscribe(ctx context.Context, subscription string) (<-chan *message.Message, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	n := f.pendingIn(subscription)
	if !f.started {
		f.started = true
		f.done.Go(f.notify)
		f.done.Go(f.listen)
		f.done.Go(f.advanceIdle)
	}
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(f.ctx, cancel)
	out := make(chan *message.Message)
	var workers sync.WaitGroup
	if members, ok := f.cfg.Groups[subscription]; ok {
		for _, m := range members {
			f.groupOf[m] = n
		}
		for range f.cfg.Workers {
			g := f.newGroupWorker(subscription, members, n, out)
			workers.Go(func() { g.run(ctx) })
		}
	} else {
		m := f.metrics.of(subscription)
		for range f.cfg.Workers {
			w := f.newWorker(subscription, out)
			workers.Go(func() { w.run(ctx) })
		}
		f.compared.Add(1)
		f.done.Go(func() { f.sweep(ctx, subscription, m) })
	}
	f.done.Go(func() {
		workers.Wait()
		cancel()
		close(out)
	})
	return out, nil
}

// Close stops all subscriptions and waits for them; what a handler was doing is
// rolled back. It may be called more than once.
func (f *Feed) Close() error {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.stop()
	f.done.Wait()
	return nil
}

// Appended wakes the workers of every subscription, here and on other replicas, for the
// logs that these events were appended to. It never waits.
func (f *Feed) Appended(events []domain.Recorded, sizes []int) {
	f.recent.add(events, sizes)
	var grown []domain.TenantID
	for _, e := range events {
		if !slices.Contains(grown, e.Tenant) {
			grown = append(grown, e.Tenant)
		}
	}
	f.each(func(n *pendingTenants) { n.appended(grown...) })
	f.outbox.add(grown...)
}

// Grew is Appended for a caller that doesn't have the events.
func (f *Feed) Grew(tenants []domain.TenantID) {
	f.wake(tenants)
	f.outbox.add(tenants...)
}

// wake makes tenants pending for every subscription here, as their logs may have grown.
func (f *Feed) wake(tenants []domain.TenantID) {
	f.each(func(n *pendingTenants) { n.wake(tenants...) })
}

// acquire is the pool's, for stepTimeout.
func (f *Feed) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	return f.cfg.Pool.Acquire(ctx)
}

// execWithin runs a short statement on a connection of its own, for stepTimeout.
func (f *Feed) execWithin(sql string, args ...any) (pgconn.CommandTag, error) {
	ctx, cancel := context.WithTimeout(f.ctx, stepTimeout)
	defer cancel()
	return f.cfg.Pool.Exec(ctx, sql, args...)
}

// pendingOf is the pending tenants of a subscription here.
func (f *Feed) pendingOf(subscription string) *pendingTenants {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.subs[subscription]
}

// each calls do with the pending tenants of every subscription here, once for each group.
func (f *Feed) each(do func(*pendingTenants)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, n := range f.subs {
		if _, grouped := f.groupOf[name]; !grouped {
			do(n)
		}
	}
}

// pendingIn is the pending tenants of a subscription; it creates missing ones. The caller
// holds mu.
func (f *Feed) pendingIn(subscription string) *pendingTenants {
	n, ok := f.subs[subscription]
	if !ok {
		n = newPendingTenants()
		f.subs[subscription] = n
	}
	return n
}

// entryOf is where a tenant becomes pending for a subscription: in its group, if it has one.
func (f *Feed) entryOf(subscription string) *pendingTenants {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n, ok := f.groupOf[subscription]; ok {
		return n
	}
	return f.pendingIn(subscription)
}

// newWorker makes a worker of a subscription. The caller holds mu.
func (f *Feed) newWorker(subscription string, out chan<- *message.Message) *worker {
	return &worker{
		feed: f, subscription: subscription, interest: f.cfg.Interests[subscription], pending: f.pendingIn(subscription),
		out: out, metrics: f.metrics.of(subscription),
	}
}

// newGroupWorker makes a worker of a group. The caller holds mu.
func (f *Feed) newGroupWorker(group string, members []string, n *pendingTenants, out chan<- *message.Message) *groupWorker {
	g := &groupWorker{worker: worker{feed: f, subscription: group, pending: n, out: out}}
	const folds = 1 // the group has folds; which version each member has is the member's
	for i, name := range members {
		m := f.newWorker(name, nil)
		g.members = append(g.members, m)
		if i == 0 {
			g.interest = Interest{Ignores: slices.Clone(m.interest.Ignores), NoMeta: true, FoldVersion: folds}
		}
		// What all of them ignore isn't read.
		g.interest.Ignores = slices.DeleteFunc(g.interest.Ignores, func(t string) bool { return !slices.Contains(m.interest.Ignores, t) })
		g.interest.NoMeta = g.interest.NoMeta && m.interest.NoMeta
	}
	return g
}
