package commands

import (
	"context"
	"errors"
	"fmt"

	"docket/domain"
	"docket/eventstore"
)

// Origin says where a command came from, for the events' meta.
type Origin struct {
	// RequestID is the id of the HTTP request; empty for an operator's command.
	RequestID string
	// Command is the id of a command that follows from an event, so that handling
	// the event twice is recognized; zero for a new id.
	Command domain.CommandID
	// Key is the request's idempotency key; nil if it has none.
	Key *Key
	// Bulk is the id of the bulk of which the command is an item; nil if it is none.
	Bulk *domain.CommandID
}

// Result is the outcome of an accepted command.
type Result[S any] struct {
	// State is the aggregate after the command.
	State S
	// Seq is the tenant's sequence number of the command's last event; of the
	// stream's last event where nothing changed.
	Seq int64
}

// decision loads what else the domain needs and decides what a command does to
// one aggregate.
type decision[S sized] func(ctx context.Context, a *attempt, by domain.Actor, state S) ([]domain.Event, error)

// change carries out a command on one aggregate of the scope's tenant: load,
// decide, write.
func change[S sized](ctx context.Context, c *Commands, s domain.Scope, o Origin, target aggregate[S], decide decision[S]) (Result[S], error) {
	return execute(ctx, c, o, target, func(ctx context.Context, a *attempt) (domain.Actor, error) {
		by, err := loadActor(ctx, a, s)
		if err != nil {
			return by, err
		}
		state, err := load(ctx, a, target)
		if err != nil {
			return by, err
		}
		events, err := decide(ctx, a, by, state)
		if err != nil {
			return by, err
		}
		a.write(target.key, events)
		return by, nil
	})
}

// execute runs a command until it is accepted or refused: each attempt loads,
// decides and writes into a Commit, which execute appends. After a conflict, and
// after a refusal that a stale cache may explain, the next attempt loads again.
// The result is the state of one of the loaded aggregates. With an idempotency
// key the append stores a record, even where nothing changed, and a command that
// has one is replayed.
//
// Errors: those of try, CodeConcurrentUpdate, CodeOutcomeUnknown, CodeOverloaded,
// CodeIdempotencyKeyReused, ErrAlreadyRefused, *eventstore.ClaimedError.
func execute[S sized](ctx context.Context, c *Commands, o Origin, result aggregate[S],
	try func(context.Context, *attempt) (domain.Actor, error)) (Result[S], error) {
	if o.Key.Replayed() {
		return replay(ctx, c, result.kind, o.Key)
	}
	if o.Command.IsZero() {
		var err error
		if o.Command, err = newID[domain.CommandID](); err != nil {
			return Result[S]{}, err
		}
	}
	attempts := 0
	defer func() { c.metrics.attempts.Observe(float64(attempts)) }()
	for attempts < maxAttempts {
		if err := waitToRetry(ctx, attempts); err != nil {
			return Result[S]{}, fmt.Errorf("command after %d attempts: %w", attempts, err)
		}
		a := newAttempt(c, result.key, attempts > 0)
		attempts++
		by, err := try(ctx, a)
		if a.cached && (err != nil || len(a.commit.Parts) == 0) {
			c.metrics.stale.Inc()
			continue
		}
		if err != nil {
			return Result[S]{}, err
		}
		err = a.append(ctx, o, by)
		var conflict *eventstore.ConflictError
		switch {
		case errors.As(err, &conflict):
			c.metrics.conflicts.Inc()
			if conflict.Actual < conflict.Expected { // the database has lost events of the cached state
				c.folds.remove(streamKey{conflict.Tenant, conflict.Stream}.newest())
			}
			continue
		case errors.Is(err, eventstore.ErrServerChanged):
			continue
		case errors.As(err, new(*eventstore.RememberedError)):
			known, err := resolveDuplicate(ctx, c, result.kind, o.Key)
			if errors.Is(err, errRecordGone) {
				continue
			}
			return known, err
		case err != nil:
			return Result[S]{}, err
		}
		return resultOf[S](a), nil
	}
	c.metrics.givenUp.Inc()
	return Result[S]{}, domain.Refuse(domain.CodeConcurrentUpdate, "others kept changing the same thing; try again")
}
