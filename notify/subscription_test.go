package notify_test

import (
	"errors"
	"reflect"
	"sync"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/notify"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Pages that fail after their notifications were written come again, and two
// replicas share the work: everybody is told once.
func TestEverybodyIsToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := newID[domain.UserID](t), newID[domain.UserID](t)
	tenant, scopes := w.tenant(ann, bob)
	var last int64
	for range 30 {
		p := project{newID[domain.ProjectID](t), ann}
		k := task{newID[domain.TaskID](t), p}
		w.act(tenant, ann, k.stream(), k.created(&bob))
		last = w.act(tenant, bob, p.stream(), p.moved()).Seq
	}
	var mu sync.Mutex
	failed := map[int64]bool{}
	for range 2 {
		w.replica(func(next message.NoPublishHandlerFunc) message.NoPublishHandlerFunc {
			return func(m *message.Message) error {
				if err := next(m); err != nil {
					return err
				}
				page, err := eventstore.PageOf(m)
				if err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				// Single events are left alone: the retry of one takes its time.
				if first := page.Events[0].Seq; len(page.Events) > 1 && !failed[first] {
					failed[first] = true
					return errors.New("failed after the handler")
				}
				return nil
			}
		})
	}
	w.caught(tenant, last)
	for _, u := range []domain.UserID{ann, bob} {
		list := w.list(scopes[u], notify.Filter{})
		if len(list) != 30 {
			t.Errorf("%d notifications, want 30", len(list))
		}
	}
	if len(failed) == 0 {
		t.Error("no page had more than one event, so none failed")
	}
}

// A subscription that starts all over again, as after a lost checkpoint, sends
// nothing twice and unmarks nothing.
func TestStartingAgainTellsNobodyAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := newID[domain.UserID](t), newID[domain.UserID](t)
	tenant, scopes := w.tenant(ann, bob)
	k := task{newID[domain.TaskID](t), project{newID[domain.ProjectID](t), ann}}
	w.act(tenant, ann, k.stream(), k.created(&bob))
	last := w.act(tenant, ann, k.stream(), k.updated("assignee_id", &bob)).Seq
	stop := w.replica(nil)
	w.caught(tenant, last)
	before := w.list(scopes[bob], notify.Filter{})
	if len(before) != 2 {
		t.Fatalf("%d notifications, want 2", len(before))
	}
	if err := w.inbox.MarkRead(t.Context(), scopes[bob], before[0].ID); err != nil {
		t.Fatal(err)
	}
	before = w.list(scopes[bob], notify.Filter{})
	stop()

	if _, err := w.engine.Exec(t.Context(), `delete from checkpoints`); err != nil {
		t.Fatal(err)
	}
	w.replica(nil)
	w.caught(tenant, w.act(tenant, ann, k.stream(), k.updated("title", &bob)).Seq)
	if after := w.list(scopes[bob], notify.Filter{}); !reflect.DeepEqual(after, before) {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
}
