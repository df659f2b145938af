package commands

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	"docket/domain"
	"docket/eventstore"

	"golang.org/x/sync/errgroup"
)

// bulkWorkers is how many items of one bulk are on their way at once: while a batch has as
// many as it takes of one tenant (32), as many get ready for the next.
const bulkWorkers = 64

// Bulk is what one request does to several tasks, of which no two are the same.
type Bulk struct {
	Items []TaskItem
	// Render is the body of the refusal of an item, for its idempotency record.
	Render func(item int, err error) json.RawMessage
}

// ItemResult is the outcome of one item. Exactly one of Refusal, Err and Result holds.
type ItemResult struct {
	Result[domain.Task]
	// Refusal is the recorded body of the item's refusal.
	Refusal json.RawMessage
	// Err is why the item was not done; it isn't recorded.
	Err error
}

// Accepted reports whether the item was done.
func (r ItemResult) Accepted() bool { return r.Refusal == nil && r.Err == nil }

// EachTask carries out the items of a bulk, each in a Commit of its own: some may be
// refused, others not. Results are in the order of the items.
//
// The request's idempotency key has a record from the beginning, and each item that was done
// or refused has one under a key that is derived from it. So a request that is repeated, also
// after a crash in between, carries out only what has no outcome yet, under the same bulk id.
//
// The error is of all items: CodeIdempotencyKeyReused, CodeOverloaded, CodeOutcomeUnknown.
func (c *Commands) EachTask(ctx context.Context, s domain.Scope, o Origin, b Bulk) ([]ItemResult, error) {
	id, resumed, err := c.beginBulk(ctx, o.Key)
	if err != nil {
		return nil, err
	}
	keys, err := c.itemKeys(ctx, o.Key, len(b.Items), resumed)
	if err != nil {
		return nil, err
	}
	share := c.bulks.of(s.Tenant())
	defer c.bulks.done(s.Tenant())
	results := make([]ItemResult, len(b.Items))
	var work errgroup.Group
	work.SetLimit(bulkWorkers)
	for i, item := range b.Items {
		o := Origin{RequestID: o.RequestID, Bulk: &id, Key: keys[i]}
		work.Go(func() error {
			defer func() {
				if r := recover(); r != nil {
					results[i] = ItemResult{Err: fmt.Errorf("panic: %v\n%s", r, debug.Stack())}
				}
			}()
			if err := share.Acquire(ctx, 1); err != nil {
				results[i].Err = fmt.Errorf("wait for the tenant's other bulks: %w", err)
				return nil
			}
			defer share.Release(1)
			results[i] = c.item(ctx, s, o, item, func(err error) json.RawMessage { return b.Render(i, err) })
			return nil
		})
	}
	_ = work.Wait() // items have their own errors
	if o.Key != nil && resumed {
		o.Key.endResumed(keys)
	}
	return results, nil
}

// item carries out one item and records its refusal, if it has a key.
func (c *Commands) item(ctx context.Context, s domain.Scope, o Origin, item TaskItem, render func(error) json.RawMessage) ItemResult {
	if refusal := o.Key.Refusal(); refusal != nil {
		return ItemResult{Refusal: refusal}
	}
	result, err := change(ctx, c, s, o, item.target, item.decide)
	switch {
	case err == nil:
		return ItemResult{Result: result}
	case errors.Is(err, ErrAlreadyRefused):
		return ItemResult{Refusal: o.Key.Refusal()}
	case o.Key == nil || !lasting(err):
		return ItemResult{Err: err}
	}
	refusal := render(err)
	if err := c.Record(ctx, o.Key, refusal); err != nil {
		return ItemResult{Err: err}
	}
	if !o.Key.Replayed() {
		return ItemResult{Refusal: refusal}
	}
	// A concurrent request with the same key was first.
	if refusal := o.Key.Refusal(); refusal != nil {
		return ItemResult{Refusal: refusal}
	}
	result, err = replay(ctx, c, tasks, o.Key)
	return ItemResult{Result: result, Err: err}
}

// lasting reports whether a refusal is recorded: it is the domain's, of this item, and not
// the membership's, which the gates look at before they look for records.
func lasting(err error) bool {
	switch domain.CodeOf(err) {
	case domain.CodeInternal, domain.CodeOverloaded, domain.CodeOutcomeUnknown, domain.CodeConcurrentUpdate,
		domain.CodeIdempotencyKeyReused, domain.CodeInsufficientRole, domain.CodeTenantAccessDenied:
		return false
	}
	return true
}

// begunAside is the Aside of the record of a bulk whose items have records of their own.
var begunAside = json.RawMessage(`"bulk"`)

// beginBulk returns the id of a bulk, and whether an earlier request with the same key has
// begun it.
func (c *Commands) beginBulk(ctx context.Context, k *Key) (id domain.CommandID, resumed bool, err error) {
	if id, err = newID[domain.CommandID](); err != nil || k == nil {
		return id, false, err
	}
	if !k.Replayed() {
		k.Aside = begunAside
		if err := c.recordAs(ctx, k, id, nil); err != nil {
			return id, false, err
		}
	}
	if !k.Replayed() {
		return id, false, nil
	}
	// Not a replay until all items have turned out to be.
	k.begun, k.entry, k.recorded = k.entry, nil, true
	return k.begun.Command, true, nil
}

// endResumed makes the key a replay if all items' keys are.
func (k *Key) endResumed(items []*Key) {
	for _, item := range items {
		if !item.Replayed() {
			return
		}
	}
	k.entry = k.begun
}

// itemKeys derives the keys of the items from the request's: nil for each without one. It
// reads the records of a bulk that is resumed.
func (c *Commands) itemKeys(ctx context.Context, k *Key, n int, resumed bool) ([]*Key, error) {
	keys := make([]*Key, n)
	if k == nil {
		return keys, nil
	}
	hashes := make([]eventstore.Hash, n)
	for i := range keys {
		hashes[i] = sha256.Sum256(binary.BigEndian.AppendUint32(k.Hash[:], uint32(i)))
		keys[i] = &Key{Tenant: k.Tenant, Hash: hashes[i], Fingerprint: k.Fingerprint}
	}
	if !resumed {
		return keys, nil
	}
	known, err := c.store.RememberedAll(ctx, k.Tenant, hashes)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if e, ok := known[key.Hash]; ok {
			key.entry = &e
		}
	}
	return keys, nil
}
