package notify_test

import (
	"testing"

	"docket/domain"
	"docket/notify"
)

// A message goes over the channel, to the address and with the name that held at its
// event, whether its page is handled at once or later.
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
	count := 0
	notifyBob := func(as *sent) {
		r := w.assign(tenant, ann, bob)
		count++
		if as != nil {
			want[r.Seq] = *as
		}
	}
	notifyBob(nil) // in the app, the default
	w.configure(tenant, map[string]string{"default_notification_channel": `"email"`})
	notifyBob(&sent{channel: "email", name: "Ann"})
	w.configure(tenant, map[string]string{"email_from": `"acme@example.org"`, "name": `"Acme & Co"`})
	notifyBob(&sent{channel: "email", name: "Ann", from: "acme@example.org"})
	w.act(tenant, bob, member, domain.MemberRenamed{UserID: bob, Name: domain.About(bob, "Bob"), UserVersion: 2})
	w.configure(tenant, map[string]string{"default_notification_channel": `"slack"`, "slack_webhook": `"` + secret.String() + `"`})
	notifyBob(&sent{channel: "slack", name: "Bob", from: "acme@example.org", webhook: secret.String()})
	w.configure(tenant, map[string]string{"default_notification_channel": `"in_app"`, "email_from": "null"})
	notifyBob(nil)
	w.configure(tenant, map[string]string{"default_notification_channel": `"slack"`})
	w.act(tenant, ann, member, domain.MemberLeft{UserID: bob, Role: domain.Owner})
	notifyBob(nil) // a user who left gets no delivery
	w.act(tenant, ann, member, domain.MemberJoined{UserID: bob, Email: domain.About(bob, "bob@example.org"), Name: domain.About(bob, "Robert"), Role: domain.Owner})
	notifyBob(&sent{channel: "slack", name: "Robert", webhook: secret.String()})
	// handled waits for a new event without recipients: Await remembers an event that
	// was reached once.
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
	// The same log again, over the rows of the first time, changes nothing.
	if _, err := w.engine.Exec(t.Context(), `delete from checkpoints`); err != nil {
		t.Fatal(err)
	}
	handled()
	check("handled again")
	if _, err := w.engine.Exec(t.Context(), `delete from checkpoints; delete from deliveries; delete from recipients; delete from tenant_channels`); err != nil {
		t.Fatal(err)
	}
	handled()
	check("handled again without the rows")
	// The inbox has all. (The membership has changed: the scope is stale.)
	var inbox int
	if err := w.engine.QueryRow(t.Context(), `select count(*) from notifications where user_id = $1`, scopes[bob].Actor().ID.UUID()).Scan(&inbox); err != nil || inbox != count {
		t.Errorf("%d in the inbox, want %d (%v)", inbox, count, err)
	}
}

// A page that fails after the handler comes again, and two replicas share the work:
// each message is enqueued once.
func TestMessageIsQueuedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant, ann, bob := w.onSlack("https://hooks.example.org")
	const acts = 30
	var last int64
	for range acts {
		last = w.assign(tenant, ann, bob).Seq
	}
	failures := w.flakyReplicas()
	w.caught(tenant, last)
	if failures() == 0 {
		t.Error("no page had more than one event, so none failed")
	}
	if all := w.deliveries(tenant); len(all) != acts {
		t.Errorf("%d are queued, want %d", len(all), acts)
	}
}

// A channel that this version does not know is a newer version's: its messages wait for
// a newer replica.
func TestUnknownChannelWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := newID[domain.UserID](t), newID[domain.UserID](t)
	tenant, _ := w.tenant(ann, bob)
	w.configure(tenant, map[string]string{"default_notification_channel": `"pigeon"`})
	w.queued(tenant, w.assign(tenant, ann, bob).Seq)
	if d := w.one(tenant); d.Channel != "pigeon" || d.State != "queued" {
		t.Errorf("the delivery over %s is %s, want it queued over pigeon", d.Channel, d.State)
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
