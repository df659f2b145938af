package notify_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"docket/domain"
	"docket/notify"
)

// notified makes a tenant in which bob has n notifications of ann's acts.
func (w *world) notified(n int) (tenant domain.TenantID, ann, bob domain.Scope) {
	w.t.Helper()
	a, b := newID[domain.UserID](w.t), newID[domain.UserID](w.t)
	tenant, scopes := w.tenant(a, b)
	var last int64
	for range n {
		k := task{newID[domain.TaskID](w.t), project{newID[domain.ProjectID](w.t), a}}
		last = w.act(tenant, a, k.stream(), k.created(&b)).Seq
	}
	w.caught(tenant, last)
	return tenant, scopes[a], scopes[b]
}

func TestListNewestFirstInPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.replica(nil)
	_, _, bob := w.notified(7)
	all := w.list(bob, notify.Filter{})
	if len(all) != 7 || !slices.IsSortedFunc(all, func(a, b notify.Notification) int { return int(b.Seq - a.Seq) }) {
		t.Fatalf("got %d notifications, want 7 in descending order of seq: %+v", len(all), all)
	}
	for _, n := range all {
		if n.Actor.IsZero() || n.User != bob.Actor().ID || n.Tenant != bob.Tenant() || n.ProjectID == nil || n.ReadAt != nil {
			t.Errorf("want an unread notification of bob's with an actor and a project, got %+v", n)
		}
	}
	for _, filter := range []notify.Filter{{}, {Unread: true}} {
		for size := 1; size <= 8; size++ {
			var got []notify.Notification
			var at *notify.Position
			for first := true; first || at != nil; first = false {
				items, next, err := w.inbox.List(t.Context(), bob, filter, at, size, 0)
				if err != nil {
					t.Fatal(err)
				}
				if len(items) == 0 || len(items) > size || len(got)+len(items) > len(all) {
					t.Fatalf("after %d comes a page of %d with %d", len(got), size, len(items))
				}
				got, at = append(got, items...), next
			}
			if !reflect.DeepEqual(got, all) {
				t.Errorf("pages of %d give %d others", size, len(got))
			}
		}
	}
}

func TestReadMarks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.replica(nil)
	_, ann, bob := w.notified(4)
	_, _, stranger := w.notified(1)
	all := w.list(bob, notify.Filter{})
	mark := func(s domain.Scope, id domain.NotificationID) error { return w.inbox.MarkRead(t.Context(), s, id) }

	if err := mark(bob, all[1].ID); err != nil {
		t.Fatal(err)
	}
	read := w.list(bob, notify.Filter{})
	if read[1].ReadAt == nil || !read[1].ReadAt.After(read[1].CreatedAt) {
		t.Errorf("marked as read at %v, want a time after its creation at %v", read[1].ReadAt, read[1].CreatedAt)
	}
	for i, n := range read {
		if i != 1 && n.ReadAt != nil {
			t.Errorf("another was marked: %+v", n)
		}
	}
	if got := w.list(bob, notify.Filter{Unread: true}); !reflect.DeepEqual(got, slices.Delete(slices.Clone(read), 1, 2)) {
		t.Errorf("unread are %+v", got)
	}
	// Again changes nothing, not even the time.
	if err := mark(bob, all[1].ID); err != nil {
		t.Fatal(err)
	}
	if got := w.list(bob, notify.Filter{}); !reflect.DeepEqual(got, read) {
		t.Errorf("marked again: %+v", got)
	}
	// A user can mark no other user's notification, and none that does not exist.
	for name, err := range map[string]error{
		"of another member": mark(ann, all[0].ID),
		"of another tenant": mark(stranger, all[0].ID),
		"that isn't there":  mark(bob, domain.NotificationID(newID[domain.TaskID](t))),
		"by an operator":    mark(domain.Operate(bob.Tenant()), all[0].ID),
	} {
		if !errors.Is(err, domain.NotFound("notification")) {
			t.Errorf("one %s: got %v, want not-found", name, err)
		}
	}
	for _, s := range []domain.Scope{ann, stranger, domain.Operate(bob.Tenant())} {
		if err := w.inbox.MarkAllRead(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.list(bob, notify.Filter{}); !reflect.DeepEqual(got, read) {
		t.Errorf("others' marks show: %+v", got)
	}

	if err := w.inbox.MarkAllRead(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	if got := w.list(bob, notify.Filter{Unread: true}); len(got) != 0 {
		t.Errorf("unread are %+v", got)
	}
	if got := w.list(bob, notify.Filter{}); len(got) != 4 || !got[1].ReadAt.Equal(*read[1].ReadAt) {
		t.Errorf("after all were marked: %+v", got)
	}
}

// A scope of an older membership version reads and marks no notification.
func TestStaleScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.replica(nil)
	tenant, ann, bob := w.notified(2)
	all := w.list(bob, notify.Filter{})
	user := bob.Actor().ID
	w.act(tenant, ann.Actor().ID, domain.Stream(domain.MemberStream, user), domain.MemberLeft{UserID: user, Role: domain.Owner})

	items, next, err := w.inbox.List(t.Context(), bob, notify.Filter{}, nil, 50, 0)
	if !errors.Is(err, domain.ErrScopeStale) || items != nil || next != nil {
		t.Errorf("list: got %v and %d items", err, len(items))
	}
	if err := w.inbox.MarkRead(t.Context(), bob, all[0].ID); !errors.Is(err, domain.ErrScopeStale) {
		t.Errorf("mark: got %v", err)
	}
	if err := w.inbox.MarkAllRead(t.Context(), bob); !errors.Is(err, domain.ErrScopeStale) {
		t.Errorf("mark all: got %v", err)
	}
	var marked int
	if err := w.engine.QueryRow(t.Context(), `select count(read_at) from notifications`).Scan(&marked); err != nil || marked != 0 {
		t.Errorf("%d were marked (%v)", marked, err)
	}
}

// A member who left and joined again reads and marks no notification from before they
// joined again.
func TestMemberJoinsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.replica(nil)
	tenant, ann, bob := w.notified(2)
	user, by := bob.Actor().ID, ann.Actor().ID
	assigned := func() int64 {
		k := task{newID[domain.TaskID](t), project{newID[domain.ProjectID](t), by}}
		return w.act(tenant, by, k.stream(), k.created(&user)).Seq
	}
	before := w.list(bob, notify.Filter{})
	stream := domain.Stream(domain.MemberStream, user)
	left := w.act(tenant, by, stream, domain.MemberLeft{UserID: user, Role: domain.Owner})
	assigned()
	joined := w.act(tenant, by, stream, domain.MemberJoined{
		UserID: user, Email: domain.About(user, "bob@example.org"), Name: domain.About(user, "Bob"), Role: domain.Viewer,
	})
	w.act(tenant, by, stream, domain.MemberRoleChanged{UserID: user, Name: domain.About(user, "Bob"), From: domain.Viewer, To: domain.Member})
	last := assigned()
	w.caught(tenant, last)

	m := domain.Membership{TenantID: tenant, UserID: user, Role: domain.Member, Active: true, Version: joined.Version + 1}
	back, err := domain.Admit(m)
	if err != nil || left.Version+1 != joined.Version {
		t.Fatal(err, left, joined)
	}
	for _, f := range []notify.Filter{{}, {Unread: true}} {
		if got := w.list(back, f); len(got) != 1 || got[0].Seq != last {
			t.Errorf("they read %+v", got)
		}
	}
	if err := w.inbox.MarkRead(t.Context(), back, before[0].ID); !errors.Is(err, domain.NotFound("notification")) {
		t.Errorf("they marked what they can't read: %v", err)
	}
	if err := w.inbox.MarkAllRead(t.Context(), back); err != nil {
		t.Fatal(err)
	}
	var marked int
	if err := w.engine.QueryRow(t.Context(), `select count(read_at) from notifications where user_id = $1`, user.UUID()).Scan(&marked); err != nil || marked != 1 {
		t.Errorf("%d were marked (%v)", marked, err)
	}
}

// A list with the seq of an append contains the notifications of the append.
func TestListIsFresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.inbox.OwnWait = time.Minute // a machine may be busy
	w.replica(nil)
	ann, bob := newID[domain.UserID](t), newID[domain.UserID](t)
	tenant, scopes := w.tenant(ann, bob)
	for i := range 50 {
		k := task{newID[domain.TaskID](t), project{newID[domain.ProjectID](t), ann}}
		seq := w.act(tenant, ann, k.stream(), k.created(&bob)).Seq
		items, _, err := w.inbox.List(t.Context(), scopes[bob], notify.Filter{}, nil, 200, seq)
		if err != nil {
			t.Fatal(err)
		}
		if len(items) != i+1 {
			t.Errorf("%d notifications of %d: the list did not wait", len(items), i+1)
		}
	}
}

// While no subscription runs, a list returns after the wait.
func TestListDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bob := newID[domain.UserID](t)
	tenant, scopes := w.tenant(bob)
	k := task{newID[domain.TaskID](t), project{newID[domain.ProjectID](t), bob}}
	seq := w.act(tenant, domain.UserID{}, k.stream(), k.created(&bob)).Seq
	items, next, err := w.inbox.List(t.Context(), scopes[bob], notify.Filter{}, nil, 50, seq)
	if err != nil || len(items) != 0 || next != nil {
		t.Errorf("got %v, %v, %v", items, next, err)
	}
}
