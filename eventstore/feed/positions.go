package feed

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"docket/domain"
	"docket/eventstore"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// positionsKept is the most positions in memory; others are looked up.
const positionsKept = 100_000

// A look reads the checkpoints of tenants for which requests wait. The pause between two
// looks at a tenant begins with firstPause. It doubles, up to longestPause, with each look
// that finds nothing new, and is halved by one that does.
const (
	firstPause   = 5 * time.Millisecond
	longestPause = 100 * time.Millisecond
	// lookTenants is the most tenants in one look.
	lookTenants = 100
	// lookTimeout bounds one look.
	lookTimeout = 5 * time.Second
)

// Positions lets readers wait until a subscription has reached a seq. It knows of pages
// that this replica commits at once. For those of others, all waiting requests of all
// tenants share one look at the checkpoints, and hold no connection in between.
//
// A look is one round trip and one transaction of the api role, which sets each tenant's
// scope before it reads that tenant's rows. One statement for all tenants would need the
// engine role: row-level security would no longer hold here, and the look would wait for a
// connection behind the appends and pages that it waits for.
type Positions struct {
	pool *pgxpool.Pool

	mu sync.Mutex
	// forgetCount is the number of calls of forget and of drop.
	forgetCount atomic.Int64
	known       *lru.Cache[place, int64]
	complete    *lru.Cache[place, struct{}] // places whose build BuildComplete has found complete
	waiting     map[domain.TenantID]*waiters
	looking     bool          // a goroutine looks; it ends when no request waits
	wake        chan struct{} // signalled when the first request waits for a tenant, and when the last has left
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
	pause   time.Duration // between the last look and the next
	due     time.Time     // of the next look
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
	return &Positions{pool: api, known: known, complete: complete, waiting: map[domain.TenantID]*waiters{}, wake: make(chan struct{}, 1)}
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
		w = p.begin(t, time.Now())
		p.wakeLook()
		if !p.looking {
			p.looking = true
			go p.look()
		}
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
		delete(p.waiting, t)
		p.wakeLook()
	}
}

// begin makes the waiters of a tenant; the caller holds mu.
func (p *Positions) begin(t domain.TenantID, now time.Time) *waiters {
	w := &waiters{changed: make(chan struct{}), pause: firstPause, due: now.Add(firstPause)}
	p.waiting[t] = w
	return w
}

// wakeLook makes look see the change of waiting.
func (p *Positions) wakeLook() {
	select {
	case p.wake <- struct{}{}:
	default:
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

// forgets is the number of calls of forget and drop, which advanced takes.
func (p *Positions) forgets() int64 {
	if p == nil {
		return 0
	}
	return p.forgetCount.Load()
}

// advanced records that a subscription has reached a seq, and wakes the waiting requests.
// It does nothing and is false if that was known, or if forget or drop was called since
// forgets was taken, which is before the position was read: then a look reads it again.
func (p *Positions) advanced(t domain.TenantID, subscription string, seq, forgets int64) bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if forgets != p.forgetCount.Load() {
		return false
	}
	if known, ok := p.known.Get(place{t, subscription}); ok && known >= seq {
		return false
	}
	p.known.Add(place{t, subscription}, seq)
	if w, ok := p.waiting[t]; ok {
		close(w.changed)
		w.changed = make(chan struct{})
	}
	return true
}

// drop forgets the positions of subscriptions in one tenant, and whether they are complete. Waiting requests look them up.
func (p *Positions) drop(t domain.TenantID, subscriptions []string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgetCount.Add(1)
	for _, s := range subscriptions {
		p.known.Remove(place{t, s})
		p.complete.Remove(place{t, s})
	}
}

// completed records that BuildComplete has found a build complete, unless forget or drop was
// called since forgets was taken.
func (p *Positions) completed(at place, forgets int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if forgets == p.forgetCount.Load() {
		p.complete.Add(at, struct{}{})
	}
}

// forget drops all positions. Waiting requests look them up.
func (p *Positions) forget() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgetCount.Add(1)
	p.known.Purge()
	p.complete.Purge() // the commit that completed a build may be lost too
}

// look reads checkpoints until no request waits.
func (p *Positions) look() {
	for {
		tenants, pause, waiting := p.due(time.Now())
		switch {
		case !waiting:
			return
		case len(tenants) == 0:
			p.rest(pause)
		default:
			p.lookAt(tenants)
		}
	}
}

// due are the tenants whose next look is due, and where there are none, the pause until one
// is. waiting is false when no request waits: then the caller must end.
func (p *Positions) due(now time.Time) (tenants []domain.TenantID, pause time.Duration, waiting bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.looking = len(p.waiting) > 0; !p.looking {
		return nil, 0, false
	}
	pause = longestPause
	for t, w := range p.waiting {
		switch left := w.due.Sub(now); {
		case left > 0:
			pause = min(pause, left)
		case len(tenants) < lookTenants:
			tenants = append(tenants, t)
		}
	}
	return tenants, pause, true
}

// rest waits for a time, or until waiting has changed.
func (p *Positions) rest(pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.wake:
	}
}

// lookAt reads the checkpoints of some tenants. It isn't cancelled when the last waiting
// request leaves: that would cost the pool a connection each time.
func (p *Positions) lookAt(tenants []domain.TenantID) {
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	forgets := p.forgets()
	positions := make([]map[string]int64, len(tenants))
	p.readPositions(ctx, tenants, positions)
	for i, t := range tenants {
		changed := false
		for subscription, seq := range positions[i] {
			changed = p.advanced(t, subscription, seq, forgets) || changed
		}
		p.looked(t, changed, time.Now())
	}
}

// looked sets when the next look at a tenant is due.
func (p *Positions) looked(t domain.TenantID, changed bool, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w, ok := p.waiting[t]
	if !ok {
		return
	}
	if changed {
		w.pause = max(firstPause, w.pause/2)
	} else {
		w.pause = min(longestPause, w.pause*2)
	}
	w.due = now.Add(w.pause)
}

// readPositions reads the positions of some tenants, in one round trip. If some data can't
// be read, it reads ever smaller parts: only the tenants whose data that is have no
// positions. Their waiting requests have deadlines.
func (p *Positions) readPositions(ctx context.Context, tenants []domain.TenantID, into []map[string]int64) {
	b := &pgx.Batch{}
	for i, t := range tenants {
		b.Queue(eventstore.ScopeSQL, t.String())
		Checkpoints{}.Positions(b, t, &into[i])
	}
	err := p.pool.SendBatch(ctx, b).Close()
	if err == nil {
		return
	}
	clear(into)
	if half := len(tenants) / 2; half > 0 && unreadable(err) {
		p.readPositions(ctx, tenants[:half], into[:half])
		p.readPositions(ctx, tenants[half:], into[half:])
	}
}
