package commands

import (
	"context"
	"fmt"

	"docket/domain"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
)

// kind is how the streams of one type are folded into S.
type kind[S any] struct {
	stream domain.StreamType
	evolve func(S, domain.Recorded) (S, error)
}

// The kinds of aggregates.
var (
	tenants     = kind[domain.Tenant]{domain.TenantStream, domain.Tenant.Evolve}
	users       = kind[domain.User]{domain.UserStream, domain.User.Evolve}
	memberships = kind[domain.Membership]{domain.MemberStream, domain.Membership.Evolve}
	projects    = kind[domain.Project]{domain.ProjectStream, domain.Project.Evolve}
	tasks       = kind[domain.Task]{domain.TaskStream, domain.Task.Evolve}
	comments    = kind[domain.Comment]{domain.CommentStream, domain.Comment.Evolve}

	subscriptions = kind[domain.Subscription]{domain.SubscriptionStream, domain.Subscription.Evolve}
)

// streamKey names a stream among all tenants'.
type streamKey struct {
	tenant domain.TenantID
	stream domain.StreamID
}

// folded is an aggregate's state with its place in the log. It is never
// changed, only replaced, so it may be shared.
type folded struct {
	state   any
	version int
	seq     int64
}

// folds keeps folded aggregates, the least recently used ones dropped. A stale
// entry does no harm: what was decided on it is checked by the append.
type folds struct {
	cache *lru.Cache[streamKey, folded]
}

func newFolds(size int) (*folds, error) {
	c, err := lru.New[streamKey, folded](size)
	return &folds{c}, err
}

// put keeps f unless a newer version is kept already.
func (c *folds) put(k streamKey, f folded) {
	if have, ok := c.cache.Peek(k); ok && have.version >= f.version {
		return
	}
	c.cache.Add(k, f)
}

// read is the state of an aggregate: from the cache where fresh isn't asked
// for, else the cache's brought up to date from the stream. cached says that it
// may be out of date.
func read[S any](ctx context.Context, c *Commands, k kind[S], t domain.TenantID, id uuid.UUID, fresh bool) (f folded, cached bool, err error) {
	key := streamKey{t, domain.StreamID{Type: k.stream, ID: id}}
	f, ok := c.folds.cache.Get(key)
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
	events, err := c.store.Load(ctx, t, key.stream, f.version)
	if err != nil {
		return folded{}, false, unavailable(err)
	}
	f, err = fold(k, f, events)
	if err != nil {
		return folded{}, false, err
	}
	if f.version > 0 {
		c.folds.put(key, f)
	}
	return f, false, nil
}

// fold brings a state up to date.
func fold[S any](k kind[S], f folded, events []domain.Recorded) (folded, error) {
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
