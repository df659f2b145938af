package commands_test

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"

	"docket/commands"
	"docket/domain"
	"docket/eventstore"
)

// crashing is a Store that writes no more after a number of Commits, as a server that is
// killed.
type crashing struct {
	*eventstore.Store
	left atomic.Int64
}

func (s *crashing) Append(ctx context.Context, c eventstore.Commit) (eventstore.Appended, error) {
	if s.left.Add(-1) < 0 {
		return eventstore.Appended{}, eventstore.ErrUnavailable
	}
	return s.Store.Append(ctx, c)
}

// A bulk that ended in between is finished by the request that repeats it: no item is done
// twice, and all have one bulk id.
func TestBulkIsResumed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.register("ann@example.org")
	ctx := bounded(t)
	store := &crashing{Store: w.store}
	store.left.Store(6)
	c, err := commands.New(commands.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	scope := w.scope(w.one, ann)
	project, err := w.one.CreateProject(ctx, scope, commands.Origin{}, domain.CreateProject{Name: "Site", Visibility: domain.Private})
	if err != nil {
		t.Fatal(err)
	}
	run := func(c *commands.Commands) ([]commands.ItemResult, *commands.Key) {
		t.Helper()
		key := &commands.Key{Tenant: w.def, Hash: eventstore.Hash{1}, Fingerprint: eventstore.Hash{1}}
		if err := c.FindRecord(ctx, key); err != nil {
			t.Fatal(err)
		}
		b := commands.Bulk{Render: func(_ int, err error) json.RawMessage { return json.RawMessage(`"` + domain.CodeOf(err) + `"`) }}
		for i := range 10 {
			of := project.State.ID
			if i%5 == 4 {
				of = domain.ProjectID{1}
			}
			item, err := commands.NewTask(scope, of, domain.CreateTask{Title: "Task", Priority: domain.Normal})
			if err != nil {
				t.Fatal(err)
			}
			b.Items = append(b.Items, item)
		}
		results, err := c.EachTask(ctx, scope, commands.Origin{Key: key}, b)
		if err != nil {
			t.Fatal(err)
		}
		return results, key
	}
	first, _ := run(c)
	done := 0
	for _, r := range first {
		if r.Err == nil {
			done++
		}
	}
	if done != 5 {
		t.Fatalf("%d items have an outcome: %+v", done, first)
	}
	second, key := run(w.two)
	if key.Replayed() {
		t.Error("a bulk that was resumed is no replay")
	}
	third, key := run(w.one)
	if !key.Replayed() {
		t.Error("a bulk that is repeated is a replay")
	}
	for i, r := range second {
		if accepted := i%5 != 4; r.Err != nil || r.Accepted() != accepted || first[i].Accepted() && r.State.ID != first[i].State.ID {
			t.Errorf("item %d: %+v, first %+v", i, r, first[i])
		}
		if r.State.ID != third[i].State.ID || string(r.Refusal) != string(third[i].Refusal) || r.Seq != third[i].Seq {
			t.Errorf("item %d: %+v, then %+v", i, r, third[i])
		}
	}
	var tasks, bulks int
	err = w.engine.QueryRow(ctx, `select count(*), count(distinct meta->>'bulk') from events where type = 'task.created'`).Scan(&tasks, &bulks)
	if err != nil || tasks != 8 || bulks != 1 {
		t.Errorf("%d tasks of %d bulks, %v", tasks, bulks, err)
	}
}
