package commands

import (
	"context"
	"fmt"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
)

// kind says how to fold the streams of one type into S.
type kind[S any] struct {
	stream domain.StreamType
	evolve func(S, domain.Recorded) (S, error)
}

// The kinds of aggregates.
var (
	tenants       = kind[domain.Tenant]{domain.TenantStream, domain.Tenant.Evolve}
	users         = kind[domain.User]{domain.UserStream, domain.User.Evolve}
	memberships   = kind[domain.Membership]{domain.MemberStream, domain.Membership.Evolve}
	projects      = kind[domain.Project]{domain.ProjectStream, domain.Project.Evolve}
	tasks         = kind[domain.Task]{domain.TaskStream, domain.Task.Evolve}
	comments      = kind[domain.Comment]{domain.CommentStream, domain.Comment.Evolve}
	subscriptions = kind[domain.Subscription]{domain.SubscriptionStream, domain.Subscription.Evolve}
)

// streamKey identifies a stream among those of all tenants.
type streamKey struct {
	tenant domain.TenantID
	stream domain.StreamID
}

// aggregate is a stream with the way to fold it.
type aggregate[S any] struct {
	kind kind[S]
	key  streamKey
	// isNew says that this command made the id: the stream has no events.
	isNew bool
}

// in is the aggregate with an id in a tenant's log.
func (k kind[S]) in(t domain.TenantID, id uuid.UUID) aggregate[S] {
	return aggregate[S]{kind: k, key: streamKey{t, domain.StreamID{Type: k.stream, ID: id}}}
}

// newStream is the aggregate with a new id in a tenant's log.
func (k kind[S]) newStream(t domain.TenantID, id uuid.UUID) aggregate[S] {
	g := k.in(t, id)
	g.isNew = true
	return g
}

// folded is an aggregate's state and the position up to which it is folded. It is
// never changed, only replaced, so goroutines may share it.
type folded struct {
	state   any
	version int
	seq     int64
}

// folds is the cache of folded aggregates, bounded by dropping the least recently
// used. A stale entry is harmless: the append checks its version. One of another
// History would not be: that database had other events at the same versions.
type folds struct {
	cache   *lru.Cache[streamKey, folded]
	present func() eventstore.History
}

func newFolds(size int, present func() eventstore.History) (*folds, error) {
	c, err := lru.New[streamKey, folded](size)
	return &folds{c, present}, err
}

// put stores f, which was read in a History, unless the cache has the same or a newer
// version.
func (c *folds) put(k streamKey, f folded, of eventstore.History) {
	if have, ok := c.cache.Peek(k); ok && have.version >= f.version {
		return
	}
	c.cache.Add(k, f)
	if c.present() != of { // ServerChanged may have emptied the cache before the Add
		c.cache.Remove(k)
	}
}

// read folds an aggregate: from the cache, or, with fresh or without an entry,
// from the cached version on by the stream's events. cached says that the state
// came from the cache alone and may be stale.
func read[S any](ctx context.Context, c *Commands, g aggregate[S], fresh bool) (f folded, cached bool, err error) {
	history := c.store.History()
	f, ok := c.folds.cache.Get(g.key)
	if ok {
		c.metrics.foldHits.Inc()
	} else {
		c.metrics.foldMisses.Inc()
	}
	if ok && !fresh {
		return f, true, nil
	}
	if !ok {
		var zero S
		f.state = zero
	}
	events, err := c.store.Load(ctx, g.key.tenant, g.key.stream, f.version)
	if err != nil {
		return folded{}, false, withCode(err)
	}
	f, err = g.kind.fold(f, events)
	if err != nil {
		return folded{}, false, err
	}
	if f.version > 0 {
		c.folds.put(g.key, f, history)
	}
	return f, false, nil
}

// fold applies events to a state.
func (k kind[S]) fold(f folded, events []domain.Recorded) (folded, error) {
	state := f.state.(S)
	for _, e := range events {
		var err error
		if state, err = k.evolve(state, e); err != nil {
			return folded{}, fmt.Errorf("fold %s at seq %d: %w", e.Stream, e.Seq, err)
		}
		f.version, f.seq = e.Version, e.Seq
	}
	f.state = state
	return f, nil
}
