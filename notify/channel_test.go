package notify_test

import (
	"errors"
	"sync"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/notify"

	"github.com/ThreeDotsLabs/watermill/message"
)

// A message goes over the channel, to the address and under the name that held at
// its event, whether its page was handled at once or long after.
func TestChannelIsThatOfTheEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := newID[domain.UserID](t), newID[domain.UserID](t)
	tenant, scopes := w.tenant(ann, bob)
	secret := newID[domain.SecretID](t)
	member := domain.Stream(domain.MemberStream, bob)

	type sent struct {
		channel string
		name    string
		from    string
		webhook string
	}
	want := map[int64]sent{}
	told := 0
	tell := func(as *sent) {
		r := w.assign(tenant, ann, bob)
		told++
		if as != nil {
			want[r.Seq] = *as
		}
	}
	tell(nil) // in the app, as at first
	w.configure(tenant, map[string]string{"default_notification_channel": `"email"`})
	tell(&sent{channel: "email", name: "Ann"})
	w.configure(tenant, map[string]string{"email_from": `"acme@example.org"`, "name": `"Acme & Co"`})
	tell(&sent{channel: "email", name: "Ann", from: "acme@example.org"})
	w.act(tenant, bob, member, domain.MemberRenamed{UserID: bob, Name: domain.About(bob, "Bob"), UserVersion: 2})
	w.configure(tenant, map[string]string{"default_notification_channel": `"slack"`, "slack_webhook": `"` + secret.String() + `"`})
	tell(&sent{channel: "slack", name: "Bob", from: "acme@example.org", webhook: secret.String()})
	w.configure(tenant, map[string]string{"default_notification_channel": `"in_app"`, "email_from": "null"})
	tell(nil)
	w.configure(tenant, map[string]string{"default_notification_channel": `"slack"`})
	w.act(tenant, ann, member, domain.MemberLeft{UserID: bob, Role: domain.Owner})
	tell(nil) // who left is told nothing outside
	w.act(tenant, ann, member, domain.MemberJoined{UserID: bob, Email: domain.About(bob, "bob@example.org"), Name: domain.About(bob, "Robert"), Role: domain.Owner})
	tell(&sent{channel: "slack", name: "Robert", webhook: secret.String()})
	// handled waits for an event that tells nobody: what was waited for once counts
	// as seen.
	handled := func() {
		t.Helper()
		w.queued(tenant, w.configure(tenant, map[string]string{"default_notification_channel": `"in_app"`}).Seq)
	}

	check := func(when string) {
		t.Helper()
		rows, err := w.engine.Query(t.Context(), `select seq, channel, message->>'to_name', coalesce(message->>'email_from', ''),
			coalesce(message->>'slack_webhook', '') from deliveries
			where tenant_id = $1 and state = 'queued' and attempts = 0 and problem is null`, tenant.UUID())
		if err != nil {
			t.Fatal(err)
		}
		got := map[int64]sent{}
		for rows.Next() {
			var seq int64
			var s sent
			if err := rows.Scan(&seq, &s.channel, &s.name, &s.from, &s.webhook); err != nil {
				t.Fatal(err)
			}
			got[seq] = s
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d are queued, want %d", when, len(got), len(want))
		}
		for seq, s := range want {
			if got[seq] != s {
				t.Errorf("%s: event %d: got %+v, want %+v", when, seq, got[seq], s)
			}
		}
	}
	handled()
	check("handled once")
	// From the beginning again, over what was kept: nothing else comes of it.
	if _, err := w.engine.Exec(t.Context(), `delete from checkpoints`); err != nil {
		t.Fatal(err)
	}
	handled()
	check("handled again")
	if _, err := w.engine.Exec(t.Context(), `delete from checkpoints; delete from deliveries; delete from recipients; delete from tenant_channels`); err != nil {
		t.Fatal(err)
	}
	handled()
	check("handled anew")
	// The inbox has them all. (The membership has moved: the scope is of no more use.)
	var inbox int
	if err := w.engine.QueryRow(t.Context(), `select count(*) from notifications where user_id = $1`, scopes[bob].Actor().ID.UUID()).Scan(&inbox); err != nil || inbox != told {
		t.Errorf("%d in the inbox, want %d (%v)", inbox, told, err)
	}
}

// Pages that fail after they were handled come again, and two replicas share the
// work: a message is queued once, and sent once.
func TestMessageIsQueuedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant, ann, bob := w.onSlack("https://hooks.example.org")
	const acts = 30
	var last int64
	for range acts {
		last = w.assign(tenant, ann, bob).Seq
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
				if first := page.Events[0].Seq; len(page.Events) > 1 && !failed[first] {
					failed[first] = true
					return errors.New("failed after the handler")
				}
				return nil
			}
		})
	}
	w.caught(tenant, last)
	if len(failed) == 0 {
		t.Error("no page had more than one event, so none failed")
	}
	if all := w.deliveries(tenant); len(all) != acts {
		t.Errorf("%d are queued, want %d", len(all), acts)
	}
}

// A channel that this version doesn't know is one of a newer one: its messages
// wait for that.
func TestUnknownChannelWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := newID[domain.UserID](t), newID[domain.UserID](t)
	tenant, _ := w.tenant(ann, bob)
	w.configure(tenant, map[string]string{"default_notification_channel": `"pigeon"`})
	w.queued(tenant, w.assign(tenant, ann, bob).Seq)
	if d := w.one(tenant); d.Channel != "pigeon" || d.State != "queued" {
		t.Errorf("got %+v", d)
	}
	q, err := notify.NewQueue(notify.QueueConfig{Pool: w.engine})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Subscribe(t.Context(), "pigeon"); err == nil {
		t.Error("a channel without a provider was subscribed")
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
}
