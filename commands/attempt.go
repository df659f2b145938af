package commands

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
)

const (
	// maxAttempts is how often one command is decided before it is given up.
	maxAttempts = 10
	// retryPause is the most that is waited before the second attempt; it grows
	// with each. It is drawn at random so that rivals don't meet again.
	retryPause = 2 * time.Millisecond
)

// attempt is one try at a command: what it has looked at, and what it means to
// append. Every stream looked at is guarded unless it is written.
type attempt struct {
	cmds   *Commands
	fresh  bool
	cached bool
	seen   map[streamKey]*sight
	order  []streamKey
	commit eventstore.Commit
	// answer is the stream whose state is the answer.
	answer streamKey
	// replay, if not nil, is what the command was answered before.
	replay *eventstore.Entry
}

// sight is a stream that an attempt has looked at.
type sight struct {
	folded
	evolve  func(folded, []domain.Recorded) (folded, error)
	written bool
}

// look folds a stream and guards it.
func look[S any](ctx context.Context, a *attempt, k kind[S], t domain.TenantID, id uuid.UUID) (S, error) {
	key := streamKey{t, domain.StreamID{Type: k.stream, ID: id}}
	if s, ok := a.seen[key]; ok {
		return s.state.(S), nil
	}
	f, cached, err := read(ctx, a.cmds, k, t, id, a.fresh)
	if err != nil {
		var zero S
		return zero, err
	}
	a.cached = a.cached || cached
	a.remember(key, &sight{folded: f, evolve: evolver(k)})
	return f.state.(S), nil
}

// begin is look for a stream that has an id made just now: there is nothing to load.
func begin[S any](a *attempt, k kind[S], t domain.TenantID, id uuid.UUID) S {
	var zero S
	a.remember(streamKey{t, domain.StreamID{Type: k.stream, ID: id}}, &sight{folded: folded{state: zero}, evolve: evolver(k)})
	return zero
}

// done is what the answer's aggregate, of kind k, is after the attempt. Seq is of
// the Commit's last event in its log; of the stream's last where there is no Commit.
func done[S any](ctx context.Context, a *attempt, k kind[S]) (Done[S], error) {
	if a.replay != nil {
		return answered(ctx, a.cmds, k, a.replay)
	}
	s := a.seen[a.answer]
	d := Done[S]{State: s.state.(S), Seq: s.seq}
	for key, other := range a.seen {
		if other.written && key.tenant == a.answer.tenant {
			d.Seq = max(d.Seq, other.seq)
		}
	}
	return d, nil
}

func evolver[S any](k kind[S]) func(folded, []domain.Recorded) (folded, error) {
	return func(f folded, events []domain.Recorded) (folded, error) { return fold(k, f, events) }
}

func (a *attempt) remember(key streamKey, s *sight) {
	a.seen[key] = s
	a.order = append(a.order, key)
}

// write adds events to a stream that the attempt has looked at, and the claims
// that follow from them.
func (a *attempt) write(t domain.TenantID, stream domain.StreamID, events []domain.Event) {
	if len(events) == 0 {
		return
	}
	s := a.seen[streamKey{t, stream}]
	s.written = true
	a.commit.Parts = append(a.commit.Parts, eventstore.Part{Tenant: t, Stream: stream, Expected: s.version, Events: events})
	a.commit.Claims = append(a.commit.Claims, memberClaims(t, events)...)
}

// execute decides and appends until it is accepted or refused. build looks at
// streams, names the one that is the answer, decides and writes; it may be called
// several times. With a key, the append remembers the answer, also where nothing
// changed; a command that was answered before isn't decided again.
//
// Errors: what build returns, CodeConcurrentUpdate, CodeOutcomeUnknown,
// CodeOverloaded, CodeIdempotencyKeyReused, ErrRemembered, *eventstore.ClaimedError.
func (c *Commands) execute(ctx context.Context, o Origin, build func(context.Context, *attempt) (domain.Actor, error)) (*attempt, error) {
	if o.Key.Replayed() {
		return &attempt{cmds: c, replay: o.Key.entry}, nil
	}
	command := o.Command
	if command.IsZero() {
		var err error
		if command, err = newID[domain.CommandID](); err != nil {
			return nil, err
		}
	}
	var conflict *eventstore.ConflictError
	attempts := 0
	defer func() { c.metrics.attempts.Observe(float64(attempts)) }()
	for n := range maxAttempts {
		if n > 0 && !pause(ctx, n) {
			return nil, fmt.Errorf("command given up: %w", ctx.Err())
		}
		attempts++
		a := &attempt{cmds: c, fresh: n > 0, seen: map[streamKey]*sight{}}
		actor, err := build(ctx, a)
		if a.cached && (err != nil || len(a.commit.Parts) == 0) {
			c.metrics.stale.Inc()
			continue // perhaps the cache was out of date
		}
		if err != nil || len(a.commit.Parts) == 0 && o.Key == nil {
			return a, err
		}
		a.commit.Command, a.commit.Actor = command, actor.ID
		a.commit.Meta = domain.Meta{RequestID: o.RequestID}
		if !actor.ID.IsZero() {
			name := domain.About(actor.ID, actor.Name)
			a.commit.Meta.ActorName = &name
		}
		appended, err := c.append(ctx, a, o.Key)
		switch {
		case errors.As(err, &conflict):
			c.metrics.conflicts.Inc()
			continue
		case errors.As(err, new(*eventstore.RememberedError)):
			return c.twin(ctx, o.Key)
		case err != nil:
			return nil, err
		}
		return a, a.settle(appended)
	}
	c.metrics.givenUp.Inc()
	return nil, domain.Refuse(domain.CodeConcurrentUpdate, "others kept changing the same thing; try again")
}

// twin is the attempt of a command whose key was answered by another at the same
// moment.
func (c *Commands) twin(ctx context.Context, k *Key) (*attempt, error) {
	if err := c.Recall(ctx, k); err != nil {
		return nil, err
	}
	switch {
	case !k.Replayed():
		return nil, errors.New("what was remembered a moment ago isn't any more")
	case k.Refusal() != nil:
		return nil, ErrRemembered
	}
	return &attempt{cmds: c, replay: k.entry}, nil
}

func (c *Commands) append(ctx context.Context, a *attempt, k *Key) (eventstore.Appended, error) {
	for _, key := range a.order {
		if s := a.seen[key]; !s.written {
			a.commit.Guards = append(a.commit.Guards, eventstore.Guard{Tenant: key.tenant, Stream: key.stream, Version: s.version})
		}
	}
	if k != nil {
		s := a.seen[a.answer]
		answer := &eventstore.Version{Tenant: a.answer.tenant, Stream: a.answer.stream, Version: s.version}
		var seq *int64
		if len(a.commit.Parts) == 0 {
			seq = &s.seq
		}
		for _, p := range a.commit.Parts {
			if p.Tenant == a.answer.tenant && p.Stream == a.answer.stream {
				answer.Version += len(p.Events)
			}
		}
		a.commit.Entry = k.remember(answer, seq)
	}
	appended, err := c.store.Append(ctx, a.commit)
	if k != nil && err == nil {
		k.kept = true
	}
	return appended, unavailable(err)
}

// settle folds what was appended into the states, here and in the cache.
func (a *attempt) settle(appended eventstore.Appended) error {
	for key, s := range a.seen {
		if !s.written {
			continue
		}
		f, err := s.evolve(s.folded, appended.Of(key.tenant, key.stream))
		if err != nil {
			return err
		}
		s.folded = f
		a.cmds.folds.put(key, f)
	}
	return nil
}

// unavailable gives the store's troubles their codes.
func unavailable(err error) error {
	var size *eventstore.SizeError
	switch {
	case errors.Is(err, eventstore.ErrOutcomeUnknown):
		return fmt.Errorf("%w: %w", domain.Refuse(domain.CodeOutcomeUnknown, "the connection to the store broke; the command may have been carried out"), err)
	case errors.Is(err, eventstore.ErrUnavailable):
		return fmt.Errorf("%w: %w", domain.Refuse(domain.CodeOverloaded, "the store can't be reached; nothing was done"), err)
	case errors.As(err, &size):
		return fmt.Errorf("%w: %w", domain.Invalid("", "too_long", "the texts are too long together"), err)
	}
	return err
}

// pause waits before attempt n; it is false when ctx ended.
func pause(ctx context.Context, n int) bool {
	if n == 1 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(rand.N(time.Duration(n-1) * retryPause))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
