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

// KeysKept is how long the answer to a command with an Idempotency-Key is
// remembered.
const KeysKept = 30 * 24 * time.Hour

// forgottenAtOnce is how many keys one statement deletes, so that none takes long.
const forgottenAtOnce = 1_000

// Key is an Idempotency-Key on its way through one command: what its answer is
// remembered under, and, where it was answered before, that answer. It belongs to
// one request and isn't safe for use by several goroutines.
//
// The answer to an accepted command is remembered as the version of the stream
// whose state it shows, and made again from that; a refusal as its body.
type Key struct {
	// Tenant is the log to which the key belongs: that of the scope; the platform's
	// for a command of a user who needn't be anywhere a member.
	Tenant domain.TenantID
	// Hash is that of the key with its scope, Fingerprint that of the request.
	Hash, Fingerprint eventstore.Hash

	// Aside is what of the answer isn't in the state that is its rest. It is set
	// before the command, or found where that was answered before.
	Aside json.RawMessage

	entry *eventstore.Entry
	kept  bool
}

// Replayed reports whether the command was answered before.
func (k *Key) Replayed() bool { return k != nil && k.entry != nil }

// Kept reports whether this request's answer is remembered now.
func (k *Key) Kept() bool { return k.kept }

// Refusal is the body of the answer where the command was refused before.
func (k *Key) Refusal() json.RawMessage {
	if !k.Replayed() {
		return nil
	}
	return k.entry.Refusal
}

// Bodyless reports whether the command was accepted before and answered without
// a body: there is nothing to be made again.
func (k *Key) Bodyless() bool {
	return k.Replayed() && k.entry.Refusal == nil && k.entry.Answer == nil
}

// ErrRemembered says that the same command was refused at the same moment under
// the same key: Key.Refusal is the answer.
var ErrRemembered = errors.New("the command was answered before")

// Recall looks whether a command was answered under this key before. It returns
// CodeIdempotencyKeyReused if that was another one.
func (c *Commands) Recall(ctx context.Context, k *Key) error {
	e, found, err := c.store.Remembered(ctx, k.Tenant, k.Hash)
	if err != nil {
		return unavailable(err)
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

// Keep remembers an answer that no append has brought: a refusal by its body, or
// (nil) an acceptance without a body. Where the command was answered meanwhile,
// k is replayed.
func (c *Commands) Keep(ctx context.Context, k *Key, refusal json.RawMessage) error {
	command, err := newID[domain.CommandID]()
	if err != nil {
		return err
	}
	e := k.remember(nil, nil)
	e.Refusal = refusal
	_, err = c.store.Append(ctx, eventstore.Commit{Command: command, Entry: e})
	switch {
	case errors.As(err, new(*eventstore.RememberedError)):
		return c.Recall(ctx, k)
	case err != nil:
		return unavailable(err)
	}
	k.kept = true
	return nil
}

// remember is the entry of an answer: the state of a stream at a version, and the
// position where no event of the Commit gives it.
func (k *Key) remember(answer *eventstore.Version, seq *int64) *eventstore.Entry {
	return &eventstore.Entry{Tenant: k.Tenant, Key: k.Hash, Fingerprint: k.Fingerprint, Answer: answer, Seq: seq, Aside: k.Aside}
}

// answered is what an earlier command under the key was answered: its stream
// folded to the version that it had then.
func answered[S any](ctx context.Context, c *Commands, k kind[S], e *eventstore.Entry) (Done[S], error) {
	if e.Answer == nil || e.Answer.Stream.Type != k.stream || e.Seq == nil {
		return Done[S]{}, fmt.Errorf("what is remembered isn't a %s", k.stream)
	}
	events, err := c.store.LoadUpTo(ctx, e.Answer.Tenant, e.Answer.Stream, e.Answer.Version)
	if err != nil {
		return Done[S]{}, unavailable(err)
	}
	var zero S
	f, err := fold(k, folded{state: zero}, events)
	if err != nil {
		return Done[S]{}, err
	}
	if f.version != e.Answer.Version {
		return Done[S]{}, fmt.Errorf("stream %s ends at version %d, before %d", e.Answer.Stream, f.version, e.Answer.Version)
	}
	return Done[S]{State: f.state.(S), Seq: *e.Seq}, nil
}

// ForgetKeys deletes what has been remembered for longer than KeysKept, and says
// how much that was.
func (c *Commands) ForgetKeys(ctx context.Context, now time.Time) (int, error) {
	total := 0
	for {
		n, err := c.store.Forget(ctx, now.Add(-KeysKept), forgottenAtOnce)
		total += n
		if err != nil || n < forgottenAtOnce {
			return total, err
		}
	}
}
