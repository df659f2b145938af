package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"docket/domain"
	"docket/eventstore"
)

// itemRecord is one item in the Aside of an atomic bulk's idempotency record.
type itemRecord struct {
	ID      domain.TaskID `json:"id"`
	Version int           `json:"version"`
	// Refusal is a string, so that its bytes stay as they are.
	Refusal string `json:"refusal,omitempty"`
}

// errItemRefused ends an attempt at an atomic bulk of which some item is refused.
var errItemRefused = errors.New("an item of the bulk is refused")

// AllTasks carries out a bulk in one Commit: all items or none. If some are refused, the
// others have CodeOtherItemRefused.
//
// The error is of all items, and nothing was done: those of every command.
func (c *Commands) AllTasks(ctx context.Context, s domain.Scope, o Origin, b Bulk) ([]ItemResult, error) {
	if o.Key.Replayed() {
		return c.replayAll(ctx, o.Key)
	}
	id, err := newID[domain.CommandID]()
	if err != nil {
		return nil, err
	}
	o.Command, o.Bulk = id, &id
	var (
		last    *attempt
		refused []error
	)
	result, err := execute(ctx, c, o, b.Items[0].target, func(ctx context.Context, a *attempt) (by domain.Actor, err error) {
		last = a
		by, refused, err = decideAll(ctx, a, s, b.Items)
		if err == nil && o.Key != nil {
			o.Key.Aside, err = json.Marshal(a.records(b.Items))
		}
		return by, err
	})
	switch {
	case o.Key.Replayed(): // a concurrent request with the same key was first
		return c.replayAll(ctx, o.Key)
	case errors.Is(err, errItemRefused):
		return c.refuseAll(ctx, o.Key, b, refused)
	case err != nil:
		return nil, err
	}
	results := make([]ItemResult, len(b.Items))
	for i, item := range b.Items {
		results[i].Result = Result[domain.Task]{State: last.loaded[item.target.key].state.(domain.Task), Seq: result.Seq}
	}
	return results, nil
}

// decideAll decides all items of a bulk. If some are refused, it returns why, by item, and
// errItemRefused.
func decideAll(ctx context.Context, a *attempt, s domain.Scope, items []TaskItem) (by domain.Actor, refused []error, err error) {
	if by, err = loadActor(ctx, a, s); err != nil {
		return by, nil, err
	}
	refused = make([]error, len(items))
	for i, item := range items {
		state, err := load(ctx, a, item.target)
		if err != nil {
			return by, nil, err
		}
		events, decided := item.decide(ctx, a, by, state)
		if decided != nil && !lasting(decided) {
			return by, nil, decided
		}
		refused[i] = decided
		a.write(item.target.key, events)
	}
	if errors.Join(refused...) != nil {
		return by, refused, errItemRefused
	}
	return by, refused, nil
}

// records are the items with the versions that the attempt's Commit gives them.
func (a *attempt) records(items []TaskItem) []itemRecord {
	out := make([]itemRecord, len(items))
	written := map[streamKey]int{}
	for _, p := range a.commit.Parts {
		written[streamKey{p.Tenant, p.Stream}] = len(p.Events)
	}
	for i, item := range items {
		key := item.target.key
		out[i] = itemRecord{ID: domain.TaskID(key.stream.ID), Version: a.loaded[key].version + written[key]}
	}
	return out
}

// refuseAll is the outcome of an atomic bulk of which some items are refused; it is recorded.
func (c *Commands) refuseAll(ctx context.Context, k *Key, b Bulk, refused []error) ([]ItemResult, error) {
	results := make([]ItemResult, len(refused))
	first := -1
	for i, err := range refused {
		if err != nil && first < 0 {
			first = i
		}
	}
	records := make([]itemRecord, len(refused))
	for i, err := range refused {
		if err == nil {
			err = domain.Refuse(domain.CodeOtherItemRefused, "nothing was done, because the item at /items/%d was refused", first)
		}
		results[i].Refusal = b.Render(i, err)
		records[i].Refusal = string(results[i].Refusal)
	}
	if k == nil {
		return results, nil
	}
	var err error
	if k.Aside, err = json.Marshal(records); err != nil {
		return nil, err
	}
	if err := c.Record(ctx, k, nil); err != nil {
		return nil, err
	}
	if k.Replayed() {
		return c.replayAll(ctx, k)
	}
	return results, nil
}

// replayAll is the recorded outcome of an atomic bulk.
func (c *Commands) replayAll(ctx context.Context, k *Key) ([]ItemResult, error) {
	var records []itemRecord
	if err := json.Unmarshal(k.Aside, &records); err != nil {
		return nil, fmt.Errorf("the idempotency record isn't of an atomic bulk: %w", err)
	}
	results := make([]ItemResult, len(records))
	for i, r := range records {
		if r.Refusal != "" {
			results[i].Refusal = json.RawMessage(r.Refusal)
			continue
		}
		if k.entry.Seq == nil {
			return nil, errors.New("the idempotency record of an atomic bulk has no seq")
		}
		answer := eventstore.Version{Tenant: k.Tenant, Stream: domain.Stream(domain.TaskStream, r.ID), Version: r.Version}
		var err error
		if results[i].Result, err = replayAt(ctx, c, tasks, answer, *k.entry.Seq); err != nil {
			return nil, err
		}
	}
	return results, nil
}
