package commands

import (
	"context"
	"fmt"
	"sync"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
)

// kind says how to fold the streams of one type into S.
type kind[S sized] struct {
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
	apiKeys       = kind[domain.APIKey]{domain.APIKeyStream, domain.APIKey.Evolve}
	subscriptions = kind[domain.Subscription]{domain.SubscriptionStream, domain.Subscription.Evolve}
)

// streamKey identifies a stream among those of all tenants.
type streamKey struct {
	tenant domain.TenantID
	stream domain.StreamID
}

// aggregate is a stream with the way to fold it.
type aggregate[S sized] struct {
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

// read folds an aggregate: from the cache, or, with fresh or without an entry,
// from the cached version on by the stream's events. cached says that the state
// came from the cache alone and may be stale. If ctx ends before the stream does, the
// cache keeps how far the fold has come, and the next read goes on from there.
func read[S sized](ctx context.Context, c *Commands, g aggregate[S], fresh bool) (f folded, cached bool, err error) {
	server, key := c.store.ServerNumber(), g.key.newest()
	f, ok := c.folds.get(key)
	if ok {
		c.metrics.foldHits.Inc()
	} else {
		c.metrics.foldMisses.Inc()
	}
	if ok && !fresh {
		return f, true, nil
	}
	if !ok || f.partial {
		done, err := c.folds.turn(ctx, key)
		if err != nil {
			return folded{}, false, err
		}
		done = sync.OnceFunc(done)
		defer done()
		if f, ok = c.folds.get(key); !ok {
			f = g.kind.none()
		} else if !f.partial {
			done() // the rest is short
		}
	}
	f, err = g.load(ctx, c.store, f, eventstore.Head)
	c.folds.put(key, f, server)
	if err != nil {
		return folded{}, false, err
	}
	return f, false, nil
}

// readAt folds an aggregate up to a version, from a cached state that isn't beyond it. If
// ctx ends before, the next readAt of that version goes on.
func readAt[S sized](ctx context.Context, c *Commands, g aggregate[S], version int) (folded, error) {
	unfinished := foldKey{g.key, version}
	done, err := c.folds.turn(ctx, unfinished)
	if err != nil {
		return folded{}, err
	}
	defer done()
	for {
		server, f := c.store.ServerNumber(), g.kind.none()
		for _, k := range []foldKey{g.key.newest(), unfinished} {
			if have, ok := c.folds.get(k); ok && have.version <= version && have.version > f.version {
				f = have
			}
		}
		f, err := g.load(ctx, c.store, f, version)
		if err != nil {
			c.folds.put(unfinished, f, server)
			return folded{}, err
		}
		c.folds.remove(unfinished)
		f.partial = true // for newest: later events may follow
		c.folds.put(g.key.newest(), f, server)
		if c.store.ServerNumber() == server { // else the cached state may be of lost events
			return f, nil
		}
	}
}

// none is the state of an aggregate without events.
func (k kind[S]) none() folded {
	var zero S
	return folded{state: zero}
}

// load goes on with a fold by the stream's events up to a version. With an error it
// returns how far it came.
func (g aggregate[S]) load(ctx context.Context, store Store, f folded, upTo int) (folded, error) {
	if f.version >= upTo {
		return f, nil
	}
	state := f.state.(S)
	err := store.Fold(ctx, g.key.tenant, g.key.stream, f.version, upTo, func(e domain.Recorded) error {
		next, err := g.kind.step(state, e)
		if err == nil {
			state, f.version, f.seq = next, e.Version, e.Seq
		}
		return err
	})
	f.state, f.partial = state, err != nil
	return f, err
}

// fold applies events to a state.
func (k kind[S]) fold(f folded, events []domain.Recorded) (folded, error) {
	state := f.state.(S)
	for _, e := range events {
		var err error
		if state, err = k.step(state, e); err != nil {
			return folded{}, err
		}
		f.version, f.seq = e.Version, e.Seq
	}
	f.state, f.partial = state, false // nothing but these events follows: the append has checked
	return f, nil
}

// step applies one event to a state.
func (k kind[S]) step(state S, e domain.Recorded) (S, error) {
	state, err := k.evolve(state, e)
	if err != nil {
		return state, fmt.Errorf("fold %s at seq %d: %w", e.Stream, e.Seq, err)
	}
	return state, nil
}
