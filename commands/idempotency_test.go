package commands_test

import (
	"context"
	"encoding/json"
	"testing"

	"docket/commands"
	"docket/domain"
	"docket/eventstore"
)

// expiring is a Store in which the first record that an append meets expires before it
// is read.
type expiring struct {
	*eventstore.Store
	met eventstore.Hash
}

func (s *expiring) Append(ctx context.Context, c eventstore.Commit) (eventstore.Appended, error) {
	if c.Entry != nil && s.met != c.Entry.Key {
		s.met = c.Entry.Key
		return eventstore.Appended{}, &eventstore.RememberedError{Tenant: c.Entry.Tenant, Key: c.Entry.Key}
	}
	return s.Store.Append(ctx, c)
}

// A command whose key's record expires at the very moment is decided again.
func TestKeyThatExpiresMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.register("ann@example.org")
	c, err := commands.New(commands.Config{Store: &expiring{Store: w.store}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := bounded(t)
	scope := w.scope(c, ann)
	key := func(n byte) *commands.Key {
		return &commands.Key{Tenant: w.def, Hash: eventstore.Hash{n}, Fingerprint: eventstore.Hash{n}}
	}
	made, err := c.CreateProject(ctx, scope, commands.Origin{Key: key(1)}, domain.CreateProject{Name: "Site", Visibility: domain.Private})
	if err != nil || made.State.Name != "Site" {
		t.Errorf("a command: %+v, %v", made.State, err)
	}
	refused := key(2)
	if err := c.Record(ctx, refused, json.RawMessage(`{"code":"not-found"}`)); err != nil || !refused.Recorded() {
		t.Errorf("a refusal: recorded %v, %v", refused.Recorded(), err)
	}
	for n := range byte(2) {
		if _, found, err := w.store.Remembered(ctx, w.def, eventstore.Hash{n + 1}); err != nil || !found {
			t.Errorf("the record of %d: %v, %v", n+1, found, err)
		}
	}
}
