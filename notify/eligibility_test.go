package notify_test

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"testing"

	"docket/domain"
	"docket/notify"

	"github.com/google/uuid"
)

// setSlack points a tenant's Slack channel to another address.
func (w *world) setSlack(t domain.TenantID, address string) {
	w.t.Helper()
	id := newID[domain.SecretID](w.t)
	if err := w.secrets().Put(w.t.Context(), t, id, address); err != nil {
		w.t.Fatal(err)
	}
	w.configure(t, map[string]string{"slack_webhook": `"` + id.String() + `"`})
}

// A message that is queued, or waits for its next attempt, leaves only if it still may, by
// the tenant log: the subscription has folded none of these changes.
func TestMessagesThatMayNotLeaveAreWithdrawn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bobs := func(bob domain.UserID) domain.StreamID { return domain.Stream(domain.MemberStream, bob) }
	leave := func(tenant domain.TenantID, bob domain.UserID) {
		w.act(tenant, bob, bobs(bob), domain.MemberLeft{UserID: bob, Role: domain.Owner})
	}
	for name, c := range map[string]struct {
		change func(tenant domain.TenantID, bob domain.UserID, c comment)
		want   string
	}{
		"removed": {func(tenant domain.TenantID, bob domain.UserID, _ comment) { leave(tenant, bob) }, "the recipient has left the tenant"},
		"removed and back": {func(tenant domain.TenantID, bob domain.UserID, _ comment) {
			leave(tenant, bob)
			w.act(tenant, bob, bobs(bob), domain.MemberJoined{UserID: bob, Email: domain.About(bob, "bob@example.org"), Name: domain.About(bob, "Bob"), Role: domain.Member})
		}, "the recipient has left the tenant"},
		"another channel": {func(tenant domain.TenantID, _ domain.UserID, _ comment) {
			w.configure(tenant, map[string]string{"default_notification_channel": `"in_app"`, "slack_webhook": `null`})
		}, "the tenant doesn't send over this channel any more"},
		"the comment deleted": {func(tenant domain.TenantID, _ domain.UserID, c comment) {
			w.act(tenant, domain.UserID{}, c.stream(), domain.CommentDeleted{CommentID: c.id, TaskID: c.task.id})
		}, "the comment was deleted"},
		"its task deleted": {func(tenant domain.TenantID, _ domain.UserID, c comment) {
			w.act(tenant, domain.UserID{}, c.task.stream(), domain.TaskDeleted{TaskID: c.task.id})
		}, "the comment was deleted"},
		"its project deleted": {func(tenant domain.TenantID, _ domain.UserID, c comment) {
			w.act(tenant, domain.UserID{}, c.task.project.stream(), domain.ProjectDeleted{ProjectID: c.task.project.id})
		}, "the comment was deleted"},
		"nothing": {func(domain.TenantID, domain.UserID, comment) {}, ""},
	} {
		for _, attempts := range []int{0, 1} {
			tenant, ann, bob := w.onSlack("https://hooks.example.org")
			said := comment{newID[domain.CommentID](t), task{newID[domain.TaskID](t), project{newID[domain.ProjectID](t), ann}}}
			w.queued(tenant, w.act(tenant, ann, said.stream(), said.created(nil, bob)).Seq)
			if attempts > 0 {
				if _, err := w.engine.Exec(t.Context(), `update deliveries set attempts = $2 where tenant_id = $1`, tenant.UUID(), attempts); err != nil {
					t.Fatal(err)
				}
			}
			c.change(tenant, bob, said)
			sends := make(chan notify.Message, 9)
			stop := w.sends(domain.ChannelSlack, provider(func(_ context.Context, m notify.Message) error { sends <- m; return nil }))
			want := row{State: "withdrawn", Attempts: attempts + 1, Problem: c.want}
			if c.want == "" {
				want = row{State: "sent", Attempts: attempts + 1}
			}
			w.becomes(tenant, want)
			stop()
			if sent := len(sends) > 0; sent != (c.want == "") {
				t.Errorf("%s, attempt %d: sent %t", name, attempts+1, sent)
			}
		}
	}
}

// A queued message goes to the address, and to the name, that hold when it leaves.
func TestMessagesGoWhereTheTenantIsNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old, now := newReceiver(t, answers(http.StatusOK)), newReceiver(t, answers(http.StatusOK))
	tenant, ann, bob := w.onSlack(old.URL)
	w.queued(tenant, w.assign(tenant, ann, bob).Seq)
	w.setSlack(tenant, now.URL)
	w.act(tenant, bob, domain.Stream(domain.MemberStream, bob), domain.MemberRenamed{
		UserID: bob, From: domain.About(bob, "Ann"), Name: domain.About(bob, "Robert"), UserVersion: 2})
	stop := w.sends(domain.ChannelSlack, w.slack())
	if got, want := receive(t, now.got, "a request"), "Robert: *Task \"Draft copy\" is assigned to you*\nAnn assigned it to you in project \"Website\"."; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	stop()
	if len(old.got) > 0 {
		t.Errorf("the old address got %q", <-old.got)
	}
}

// What was deleted has no text in the inbox, however the rows came to be, and the lists
// agree: the rows stay.
func TestInboxShowsNothingDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := newID[domain.UserID](t), newID[domain.UserID](t)
	tenant, scopes := w.tenant(ann, bob)
	stop := w.replica(nil)
	var last int64
	say := func() comment {
		c := comment{newID[domain.CommentID](t), task{newID[domain.TaskID](t), project{newID[domain.ProjectID](t), ann}}}
		w.act(tenant, ann, c.task.stream(), c.task.created(&bob))
		last = w.act(tenant, ann, c.stream(), c.created(nil, bob)).Seq
		return c
	}
	kept, said, done, closed := say(), say(), say(), say()
	w.caught(tenant, last)
	before := w.list(scopes[bob], notify.Filter{})
	w.act(tenant, ann, said.stream(), domain.CommentDeleted{CommentID: said.id, TaskID: said.task.id})
	w.act(tenant, ann, done.task.stream(), domain.TaskDeleted{TaskID: done.task.id})
	last = w.act(tenant, ann, closed.task.project.stream(), domain.ProjectDeleted{ProjectID: closed.task.project.id}).Seq
	w.caught(tenant, last)
	gone := map[uuid.UUID]string{
		said.id.UUID(): "The comment was deleted", done.id.UUID(): "The comment was deleted", closed.id.UUID(): "The comment was deleted",
		done.task.id.UUID(): "The task was deleted", closed.task.id.UUID(): "The task was deleted",
	}
	check := func(when string) {
		t.Helper()
		for _, f := range []notify.Filter{{}, {Unread: true}} {
			list := w.list(scopes[bob], f)
			if len(list) != len(before) || len(list) != 8 {
				t.Fatalf("%s: %d notifications, before %d", when, len(list), len(before))
			}
			for i, n := range list {
				title, deleted := gone[n.EntityID]
				want := before[i]
				if deleted {
					want.Title, want.Body = title, ""
				}
				if !reflect.DeepEqual(n, want) {
					t.Errorf("%s: got  %+v\nwant %+v", when, n, want)
				}
			}
		}
	}
	check("live")
	stop()
	if _, err := w.engine.Exec(t.Context(), `delete from checkpoints; delete from notifications`); err != nil {
		t.Fatal(err)
	}
	w.replica(nil)
	w.caught(tenant, w.act(tenant, ann, kept.task.stream(), kept.task.updated("title", &bob)).Seq)
	check("from the first event on")
}

// A tenant's message is decided by that tenant's log alone.
func TestEligibilityIsTheTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := newReceiver(t, answers(http.StatusOK))
	tenant, ann, bob := w.onSlack(r.URL)
	assigned := w.assign(tenant, ann, bob)
	w.queued(tenant, assigned.Seq)
	// The same ids in another tenant: bob leaves there, and a task of this id is deleted there.
	w.version = map[domain.StreamID]int{}
	other, _ := w.tenant(bob)
	w.act(other, bob, domain.Stream(domain.MemberStream, bob), domain.MemberLeft{UserID: bob, Role: domain.Owner})
	w.act(other, bob, assigned.Stream, domain.TaskDeleted{TaskID: domain.TaskID(assigned.Stream.ID)})
	stop := w.sends(domain.ChannelSlack, w.slack())
	receive(t, r.got, "a request")
	stop()
	w.one(tenant).is(t, "afterwards", row{State: "sent", Attempts: 1}, -ever, ever)
}

// What a message of an earlier version holds is enough.
func TestStoredMessageWithoutNewFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant, ann, bob := w.onSlack("https://hooks.example.org")
	w.queued(tenant, w.assign(tenant, ann, bob).Seq)
	var raw []byte
	if err := w.engine.QueryRow(t.Context(), `select message from deliveries where tenant_id = $1`, tenant.UUID()).Scan(&raw); err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"to_email", "to_name", "email_from", "slack_webhook"} {
		delete(fields, name)
	}
	raw, _ = json.Marshal(fields)
	if _, err := w.engine.Exec(t.Context(), `update deliveries set message = $2 where tenant_id = $1`, tenant.UUID(), raw); err != nil {
		t.Fatal(err)
	}
	sends := make(chan notify.Message, 1)
	stop := w.sends(domain.ChannelSlack, provider(func(_ context.Context, m notify.Message) error { sends <- m; return nil }))
	if m := receive(t, sends, "the message"); m.Recipient != (notify.Recipient{Email: "ann@example.org", Name: "Ann"}) || m.SlackWebhook == nil {
		t.Errorf("to %+v at %v", m.Recipient, m.SlackWebhook)
	}
	stop()
}
