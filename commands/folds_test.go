package commands_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"docket/commands"
	"docket/domain"
	"docket/eventstore"
)

// cutStore ends each fold of tasks after so many events, as a deadline does.
type cutStore struct {
	commands.Store
	most int
	// began are the versions after which the folds began.
	began []int
}

func (s *cutStore) Fold(ctx context.Context, t domain.TenantID, stream domain.StreamID, after, upTo int, apply func(domain.Recorded) error) error {
	if stream.Type != domain.TaskStream {
		return s.Store.Fold(ctx, t, stream, after, upTo, apply)
	}
	s.began = append(s.began, after)
	n := 0
	return s.Store.Fold(ctx, t, stream, after, upTo, func(e domain.Recorded) error {
		if n == s.most {
			return context.DeadlineExceeded
		}
		n++
		return apply(e)
	})
}

// longTask is a task with so many versions, and the idempotency key of each by its version.
func longTask(t *testing.T, w *world, c *commands.Commands, s domain.Scope, versions int) (domain.TaskID, []commands.Key) {
	t.Helper()
	p, err := c.CreateProject(t.Context(), s, commands.Origin{}, domain.CreateProject{Name: "P", Visibility: domain.Private})
	if err != nil {
		t.Fatal(err)
	}
	created, err := c.CreateTask(t.Context(), s, commands.Origin{}, p.State.ID, domain.CreateTask{Title: "version 1", Priority: domain.Normal})
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]commands.Key, versions+1)
	for v := 2; v <= versions; v++ {
		keys[v] = commands.Key{Tenant: w.def, Hash: eventstore.Hash{byte(v)}}
		if _, err := c.EditTask(t.Context(), s, commands.Origin{Key: &keys[v]}, created.State.ID, domain.EditTask{Title: domain.To(fmt.Sprint("version ", v))}); err != nil {
			t.Fatal(err)
		}
	}
	return created.State.ID, keys
}

// replayed is the title in the replay of a key.
func replayed(ctx context.Context, c *commands.Commands, s domain.Scope, id domain.TaskID, key commands.Key) (string, error) {
	k := &commands.Key{Tenant: key.Tenant, Hash: key.Hash, Fingerprint: key.Fingerprint}
	if err := c.FindRecord(ctx, k); err != nil {
		return "", err
	}
	r, err := c.EditTask(ctx, s, commands.Origin{Key: k}, id, domain.EditTask{})
	return r.State.Title, err
}

// A load or a replay that takes longer than its deadline isn't begun again from the first
// event: each try goes on from where the one before ended, so one of them answers.
func TestFoldsGoOnAfterADeadline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	s := w.scope(w.one, w.register("ann@example.org"))
	const versions, most = 12, 5
	id, keys := longTask(t, w, w.one, s, versions)
	cut := &cutStore{Store: w.store, most: most}
	cold, err := commands.New(commands.Config{Store: cut})
	if err != nil {
		t.Fatal(err)
	}
	tries := func(try func() error) (failed int) {
		t.Helper()
		for range versions {
			if err := try(); err == nil {
				return failed
			}
			failed++
		}
		t.Fatalf("none of %d tries answers; the folds began after %v", versions, cut.began)
		return failed
	}
	wantBegan := func(want ...int) {
		t.Helper()
		if fmt.Sprint(cut.began) != fmt.Sprint(want) {
			t.Errorf("the folds began after %v, want %v", cut.began, want)
		}
		cut.began = nil
	}

	replay := func(version int) func() error {
		return func() error {
			title, err := replayed(ctx, cold, s, id, keys[version])
			if want := fmt.Sprint("version ", version); err == nil && title != want {
				t.Errorf("the replay has the title %q, want %q", title, want)
			}
			return err
		}
	}
	if n := tries(replay(11)); n != 2 {
		t.Errorf("%d tries of a replay failed, want 2", n)
	}
	wantBegan(0, 5, 10)
	if n := tries(func() error {
		_, err := cold.EditTask(ctx, s, commands.Origin{}, id, domain.EditTask{Title: domain.To("version 13")})
		return err
	}); n != 0 {
		t.Errorf("%d tries of a command failed, want none", n)
	}
	wantBegan(11) // the conflict with version 12 made it load
	// The cached state is beyond these versions, so they are folded from the first event.
	if n := tries(replay(9)); n != 1 {
		t.Errorf("%d tries of a replay failed, want 1", n)
	}
	wantBegan(0, 5)
	tries(replay(13 - 2))
	wantBegan(0, 5, 10)

	cold, err = commands.New(commands.Config{Store: cut})
	if err != nil {
		t.Fatal(err)
	}
	tries(func() error {
		_, err := cold.EditTask(ctx, s, commands.Origin{}, id, domain.EditTask{Title: domain.To("version 14")})
		return err
	})
	wantBegan(0, 5, 10)
	r, err := w.two.EditTask(ctx, s, commands.Origin{}, id, domain.EditTask{})
	if err != nil || r.State.Title != "version 14" || r.State.Version != 14 {
		t.Errorf("the task has the title %q at version %d, error %v", r.State.Title, r.State.Version, err)
	}
}

// slowStore holds each fold that begins at a task's first event until another one does, or
// for a moment.
type slowStore struct {
	commands.Store
	began  atomic.Int32
	second chan struct{}
}

func (s *slowStore) Fold(ctx context.Context, t domain.TenantID, stream domain.StreamID, after, upTo int, apply func(domain.Recorded) error) error {
	if stream.Type == domain.TaskStream && after == 0 {
		if s.began.Add(1) == 2 {
			close(s.second)
		}
		select {
		case <-s.second:
		case <-time.After(100 * time.Millisecond):
		}
	}
	return s.Store.Fold(ctx, t, stream, after, upTo, apply)
}

// Requests that need the same stream, or replay the same key, at once fold it once: beside
// each other all would be slow, and none would end before its deadline.
func TestOneFoldAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := bounded(t)
	s := w.scope(w.one, w.register("ann@example.org"))
	id, keys := longTask(t, w, w.one, s, 4)
	for name, ask := range map[string]func(*commands.Commands) error{
		"commands": func(c *commands.Commands) error {
			_, err := c.EditTask(ctx, s, commands.Origin{}, id, domain.EditTask{})
			return err
		},
		"replays": func(c *commands.Commands) error {
			_, err := replayed(ctx, c, s, id, keys[3])
			return err
		},
	} {
		slow := &slowStore{Store: w.store, second: make(chan struct{})}
		cold, err := commands.New(commands.Config{Store: slow})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if err := ask(cold); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := slow.began.Load(); n != 1 {
			t.Errorf("%s: %d folds began at the first event, want 1", name, n)
		}
	}
}
