package feed

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/wait"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// positionsKept is the most positions in memory; others are looked up.
const positionsKept = 100_000

// lookEvery is the polling interval of a tenant's checkpoints while a request waits for
// it.
const lookEvery = 5 * time.Millisecond

// lookTimeout bounds one look.
const lookTimeout = 5 * time.Second

// Positions lets readers wait until a subscription has reached a seq. It knows of pages
// that this replica commits at once. For those of others, all waiting requests of one
// tenant share one look at its checkpoints every few milliseconds, and hold no connection
// in between.
type Positions struct {
	pool *pgxpool.Pool

	mu sync.Mutex
	// forgotten counts the calls of forget.
	forgotten atomic.Int64
	known     *lru.Cache[place, int64]
	complete  *lru.Cache[place, struct{}] // places whose build BuildComplete has found complete
	waiting   map[domain.TenantID]*waiters
}

type place struct {
	tenant       domain.TenantID
	subscription string
}

// waiters are the requests that wait for one tenant. changed is closed and replaced
// whenever a subscription has advanced.
type waiters struct {
	count   int
	changed chan struct{}
	stop    context.CancelFunc
}

// NewPositions makes a Positions that looks with the api role.
func NewPositions(api *pgxpool.Pool) *Positions {
	known, err := lru.New[place, int64](positionsKept)
	if err != nil {
		panic(err) // only for a size that isn't positive
	}
	complete, err := lru.New[place, struct{}](positionsKept)
	if err != nil {
		panic(err) // as before
	}
	return &Positions{pool: api, known: known, complete: complete, waiting: map[domain.TenantID]*waiters{}}
}

// Await waits until each of the subscriptions has reached seq in the tenant's log. It is
// false when ctx ended before that.
func (p *Positions) Await(ctx context.Context, t domain.TenantID, seq int64, subscriptions ...string) bool {
	p.mu.Lock()
	if p.reached(t, seq, subscriptions) {
		p.mu.Unlock()
		return true
	}
	w, ok := p.waiting[t]
	if !ok {
		looking, stop := context.WithCancel(context.Background())
		w = &waiters{changed: make(chan struct{}), stop: stop}
		p.waiting[t] = w
		go p.look(looking, t)
	}
	w.count++
	defer p.leave(t, w)
	for {
		changed := w.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
		p.mu.Lock()
		if p.reached(t, seq, subscriptions) {
			p.mu.Unlock()
			return true
		}
	}
}

// Reached reports whether each of the subscriptions is known here to have reached seq. It
// doesn't query or wait.
func (p *Positions) Reached(t domain.TenantID, seq int64, subscriptions ...string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reached(t, seq, subscriptions)
}

func (p *Positions) leave(t domain.TenantID, w *waiters) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.count--; w.count == 0 {
		w.stop()
		delete(p.waiting, t)
	}
}

// reached reports what is known; the caller holds mu.
func (p *Positions) reached(t domain.TenantID, seq int64, subscriptions []string) bool {
	if seq <= 0 {
		return true
	}
	for _, s := range subscriptions {
		if known, ok := p.known.Get(place{t, s}); !ok || known < seq {
			return false
		}
	}
	return true
}

// at is how far a subscription is known to have come in a tenant.
func (p *Positions) at(t domain.TenantID, subscription string) (seq int64, ok bool) {
	if p == nil {
		return 0, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known.Get(place{t, subscription})
}

// history is the number that advanced takes. forget raises it.
func (p *Positions) history() int64 {
	if p == nil {
		return 0
	}
	return p.forgotten.Load()
}

// advanced records that a subscription has reached a seq, and wakes the waiting requests.
// It does nothing if forget was called since history was taken, which is before the
// position was read.
func (p *Positions) advanced(t domain.TenantID, subscription string, seq, history int64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if history != p.forgotten.Load() {
		return
	}
	if known, ok := p.known.Get(place{t, subscription}); ok && known >= seq {
		return
	}
	p.known.Add(place{t, subscription}, seq)
	if w, ok := p.waiting[t]; ok {
		close(w.changed)
		w.changed = make(chan struct{})
	}
}

// drop forgets the positions of subscriptions in one tenant, and whether they are complete. Waiting requests look them up.
func (p *Positions) drop(t domain.TenantID, subscriptions []string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range subscriptions {
		p.known.Remove(place{t, s})
		p.complete.Remove(place{t, s})
	}
}

// forget drops all positions. Waiting requests look them up.
func (p *Positions) forget() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgotten.Add(1)
	p.known.Purge()
	p.complete.Purge() // the commit that completed a build may be lost too
}

// look reads a tenant's checkpoints while a request waits for them.
func (p *Positions) look(ctx context.Context, t domain.TenantID) {
	for wait.Sleep(ctx, lookEvery) {
		history := p.history()
		var positions map[string]int64
		b := &pgx.Batch{}
		b.Queue(eventstore.ScopeSQL, t.String())
		Checkpoints{}.Positions(b, t, &positions)
		if err := p.send(ctx, b); err != nil {
			continue // the waiting requests have deadlines
		}
		for subscription, seq := range positions {
			p.advanced(t, subscription, seq, history)
		}
	}
}

// send sends a query. It isn't cancelled when the last waiting request leaves: that would
// cost the pool a connection each time.
func (p *Positions) send(ctx context.Context, b *pgx.Batch) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	return p.pool.SendBatch(ctx, b).Close()
}
