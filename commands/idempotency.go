package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"docket/domain"
	"docket/eventstore"
)

// RecordLifetime is how long an idempotency record is kept.
const RecordLifetime = 30 * 24 * time.Hour

// Key is the Idempotency-Key of one request, and the record of its command: the
// one that it finds or the one that it stores. It isn't safe for use by several
// goroutines.
//
// The record of an accepted command is the version of the stream whose state was
// the result, from which a replay folds it again; that of a refused one is the
// body of the response.
type Key struct {
	// Tenant is the log to which the key belongs: the scope's, or the platform's for
	// a command that needs no membership.
	Tenant domain.TenantID
	// Hash is the hash of the key and its scope, Fingerprint that of the request.
	Hash, Fingerprint eventstore.Hash

	// Aside is the part of the response that isn't in the result's state. It is set
	// before the command, or read from the record.
	Aside json.RawMessage

	entry    *eventstore.Entry
	recorded bool
	begun    *eventstore.Entry
}

// Replayed reports whether the command already has a record.
func (k *Key) Replayed() bool { return k != nil && k.entry != nil }

// Recorded reports whether this request has stored the record.
func (k *Key) Recorded() bool { return k.recorded }

// Refusal is the recorded body of a refusal; nil if the command wasn't refused.
func (k *Key) Refusal() json.RawMessage {
	if !k.Replayed() {
		return nil
	}
	return k.entry.Refusal
}

// Bodyless reports whether the record is of an accepted command whose response
// has no body, so that there is nothing to fold.
func (k *Key) Bodyless() bool {
	return k.Replayed() && k.entry.Refusal == nil && k.entry.Answer == nil && k.entry.Aside == nil
}

// ErrAlreadyRefused says that a concurrent request with the same key was refused:
// Key.Refusal is the response.
var ErrAlreadyRefused = errors.New("a concurrent request with the same key was refused")

// FindRecord reads the record of a key into it, if there is one. It returns
// CodeIdempotencyKeyReused if the record belongs to another request.
func (c *Commands) FindRecord(ctx context.Context, k *Key) error {
	e, found, err := c.store.Remembered(ctx, k.Tenant, k.Hash)
	if err != nil {
		return err
	}
	if !found {
		return nil
	}
	if e.Fingerprint != k.Fingerprint {
		return domain.Refuse(domain.CodeIdempotencyKeyReused, "this Idempotency-Key came with another request before")
	}
	k.entry, k.Aside = &e, e.Aside
	return nil
}

// Record stores the record of a command that appended nothing: a refusal by its
// body, or (nil) an accepted command whose response has no body, or only k.Aside. If a
// concurrent request has stored one, k becomes a replay.
func (c *Commands) Record(ctx context.Context, k *Key, refusal json.RawMessage) error {
	command, err := newID[domain.CommandID]()
	if err != nil {
		return err
	}
	return c.recordAs(ctx, k, command, refusal)
}

// recordAs is Record for a command with an id.
func (c *Commands) recordAs(ctx context.Context, k *Key, command domain.CommandID, refusal json.RawMessage) error {
	e := k.record(nil, nil)
	e.Refusal = refusal
	for range maxAttempts {
		_, err := c.store.Append(ctx, eventstore.Commit{Command: command, Entry: e})
		switch {
		case errors.As(err, new(*eventstore.RememberedError)):
			if err := c.FindRecord(ctx, k); err != nil || k.Replayed() {
				return err
			}
			continue // the other's record has expired meanwhile
		case err != nil:
			return withCode(err)
		}
		k.recorded = true
		return nil
	}
	return domain.Refuse(domain.CodeConcurrentUpdate, "the record of this Idempotency-Key kept changing; try again")
}

// record makes the key's record: the result's stream at a version, and its
// position where no event of the Commit gives it.
func (k *Key) record(answer *eventstore.Version, seq *int64) *eventstore.Entry {
	return &eventstore.Entry{Tenant: k.Tenant, Key: k.Hash, Fingerprint: k.Fingerprint, Answer: answer, Seq: seq, Aside: k.Aside}
}

// errRecordGone says that the record that an append met expired before it was read: the
// command is decided again.
var errRecordGone = errors.New("the idempotency record of an earlier request is gone")

// resolveDuplicate is the result of a command whose key a concurrent request has
// recorded first. The error is errRecordGone if there is no record any more.
func resolveDuplicate[S sized](ctx context.Context, c *Commands, kind kind[S], k *Key) (Result[S], error) {
	if err := c.FindRecord(ctx, k); err != nil {
		return Result[S]{}, err
	}
	switch {
	case !k.Replayed():
		return Result[S]{}, errRecordGone
	case k.Refusal() != nil:
		return Result[S]{}, ErrAlreadyRefused
	}
	return replay(ctx, c, kind, k)
}

// replay is the recorded result: the stream folded to the version that it had.
func replay[S sized](ctx context.Context, c *Commands, kind kind[S], k *Key) (Result[S], error) {
	e := k.entry
	if e.Answer == nil || e.Answer.Stream.Type != kind.stream || e.Seq == nil {
		return Result[S]{}, fmt.Errorf("the idempotency record isn't of a %s", kind.stream)
	}
	return replayAt(ctx, c, kind, *e.Answer, *e.Seq)
}

// replayAt is the result of a command that gave a stream its version.
func replayAt[S sized](ctx context.Context, c *Commands, kind kind[S], answer eventstore.Version, seq int64) (Result[S], error) {
	f, err := readAt(ctx, c, kind.in(answer.Tenant, answer.Stream.ID), answer.Version)
	if err != nil {
		return Result[S]{}, err
	}
	if f.version != answer.Version {
		return Result[S]{}, fmt.Errorf("stream %s ends at version %d, before %d", answer.Stream, f.version, answer.Version)
	}
	return Result[S]{State: f.state.(S), Seq: seq}, nil
}
