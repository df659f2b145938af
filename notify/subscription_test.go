package notify_test

import (
	"reflect"
	"testing"

	"docket/domain"
	"docket/notify"
)

// A page that fails after the handler comes again, and two replicas share the work:
// each recipient gets each notification once.
func TestRecipientsAreNotifiedOnce(t *testing.T) {
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
	failures := w.flakyReplicas()
	w.caught(tenant, last)
	for _, u := range []domain.UserID{ann, bob} {
		list := w.list(scopes[u], notify.Filter{})
		if len(list) != 30 {
			t.Errorf("%d notifications, want 30", len(list))
		}
	}
	if failures() == 0 {
		t.Error("no page had more than one event, so none failed")
	}
}

// A subscription that starts again from the first event, as after a lost checkpoint,
// writes no notification twice and keeps the read marks.
func TestRestartFromTheFirstEvent(t *testing.T) {
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
