package commands

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"docket/domain"
	"docket/eventstore"
)

const (
	// maxAttempts bounds how often one command is decided.
	maxAttempts = 10
	// maxRetryWait is the longest wait before the third attempt; it grows with each.
	// The wait is random, so that concurrent commands don't meet again.
	maxRetryWait = 2 * time.Millisecond
)

// attempt is one attempt at a command: the streams that it loaded and the Commit
// that it builds. The append guards every loaded stream that it doesn't write.
type attempt struct {
	cmds *Commands
	// fresh loads past the cache.
	fresh bool
	// cached is set when a state came from the cache and may be stale.
	cached bool
	loaded map[streamKey]*guardedStream
	order  []streamKey
	commit eventstore.Commit
	// result is the stream whose state is the command's result.
	result streamKey
	// seqTenant is the log whose last written event gives Result.Seq; by default
	// the one of the result's stream.
	seqTenant domain.TenantID
}

// guardedStream is a stream that an attempt has loaded.
type guardedStream struct {
	folded
	evolve  func(folded, []domain.Recorded) (folded, error)
	written bool
}

func newAttempt(c *Commands, result streamKey, fresh bool) *attempt {
	return &attempt{cmds: c, commit: eventstore.Commit{ServerNumber: c.store.ServerNumber()}, fresh: fresh, result: result, seqTenant: result.tenant, loaded: map[streamKey]*guardedStream{}}
}

// load folds an aggregate's stream and guards it. A new aggregate's stream has
// nothing to load.
func load[S sized](ctx context.Context, a *attempt, g aggregate[S]) (S, error) {
	if s, ok := a.loaded[g.key]; ok {
		return s.state.(S), nil
	}
	var zero S
	f, cached := folded{state: zero}, false
	if !g.isNew {
		var err error
		if f, cached, err = read(ctx, a.cmds, g, a.fresh); err != nil {
			return zero, err
		}
	}
	a.cached = a.cached || cached
	a.loaded[g.key] = &guardedStream{folded: f, evolve: g.kind.fold}
	a.order = append(a.order, g.key)
	return f.state.(S), nil
}

// write adds events to the Commit, for a stream that the attempt has loaded, and
// the claims that follow from them.
func (a *attempt) write(key streamKey, events []domain.Event) {
	if len(events) == 0 {
		return
	}
	s := a.loaded[key]
	s.written = true
	a.commit.Parts = append(a.commit.Parts, eventstore.Part{Tenant: key.tenant, Stream: key.stream, Expected: s.version, Events: events})
	a.commit.Claims = append(a.commit.Claims, memberClaims(key.tenant, events)...)
	a.commit.Claims = append(a.commit.Claims, apiKeyClaims(key.tenant, events)...)
}

// append appends the Commit with its guards, actor and idempotency record, and
// folds the events into the loaded states. It does nothing where there are
// neither events nor a key.
func (a *attempt) append(ctx context.Context, o Origin, by domain.Actor) error {
	if len(a.commit.Parts) == 0 && o.Key == nil {
		return nil
	}
	a.commit.Command, a.commit.Actor, a.commit.Meta = o.Command, by.ID, domain.Meta{RequestID: o.RequestID, Bulk: o.Bulk}
	if !by.ID.IsZero() {
		name := domain.About(by.ID, by.Name)
		a.commit.Meta.ActorName = &name
	}
	for _, key := range a.order {
		if s := a.loaded[key]; !s.written {
			a.commit.Guards = append(a.commit.Guards, eventstore.Guard{Tenant: key.tenant, Stream: key.stream, Version: s.version})
		}
	}
	if o.Key != nil {
		a.commit.Entry = a.record(o.Key)
	}
	appended, err := a.cmds.store.Append(ctx, a.commit)
	if err != nil {
		return withCode(err)
	}
	if o.Key != nil {
		o.Key.recorded = true
	}
	return a.applyAppended(appended)
}

// record is the idempotency record of an accepted command: the result's stream at
// the version that the append gives it.
func (a *attempt) record(k *Key) *eventstore.Entry {
	s := a.loaded[a.result]
	answer := &eventstore.Version{Tenant: a.result.tenant, Stream: a.result.stream, Version: s.version}
	for _, p := range a.commit.Parts {
		if p.Tenant == a.result.tenant && p.Stream == a.result.stream {
			answer.Version += len(p.Events)
		}
	}
	if len(a.commit.Parts) > 0 {
		return k.record(answer, nil)
	}
	return k.record(answer, &s.seq)
}

// applyAppended folds the appended events into the loaded states and the cache.
func (a *attempt) applyAppended(appended eventstore.Appended) error {
	for key, s := range a.loaded {
		if !s.written {
			continue
		}
		f, err := s.evolve(s.folded, appended.Of(key.tenant, key.stream))
		if err != nil {
			return err
		}
		s.folded = f
		a.cmds.folds.put(key.newest(), f, a.commit.ServerNumber)
	}
	return nil
}

// resultOf is the result of an attempt that was appended, or had nothing to append.
func resultOf[S sized](a *attempt) Result[S] {
	s := a.loaded[a.result]
	r := Result[S]{State: s.state.(S)}
	if a.seqTenant == a.result.tenant {
		r.Seq = s.seq
	}
	for key, other := range a.loaded {
		if other.written && key.tenant == a.seqTenant {
			r.Seq = max(r.Seq, other.seq)
		}
	}
	return r
}

// withCode adds the refusal's code to an error of an append. Those of reads have it.
func withCode(err error) error {
	var size *eventstore.SizeError
	switch {
	case errors.Is(err, eventstore.ErrOutcomeUnknown):
		return fmt.Errorf("%w: %w", domain.Refuse(domain.CodeOutcomeUnknown, "the connection to the store broke; the command may have been carried out"), err)
	case errors.Is(err, eventstore.ErrUnavailable):
		return fmt.Errorf("%w: %w", domain.Refuse(domain.CodeOverloaded, "%s", eventstore.OutageDetail(err)), err)
	case errors.As(err, &size):
		return fmt.Errorf("%w: %w", domain.Invalid("", "too_long", "the texts are too long together"), err)
	}
	return err
}

// waitToRetry waits before the next attempt, after so many attempts. The second
// comes at once. The error is ctx's.
func waitToRetry(ctx context.Context, attempts int) error {
	if attempts == 0 {
		return nil
	}
	if attempts == 1 {
		return ctx.Err()
	}
	t := time.NewTimer(rand.N(time.Duration(attempts-1) * maxRetryWait))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
