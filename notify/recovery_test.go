package notify_test

import (
	"testing"

	"docket/internal/tenanttest"
)

// A log that has lost events: what told of them is deleted, what was sent stays recorded,
// and the addresses are those of the log again.
func TestNotificationsOfLostEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant, ann, bob := w.onSlack("https://hooks.example.org")
	head := w.assign(tenant, ann, bob).Seq
	w.queued(tenant, head)
	exec := func(sql string) {
		t.Helper()
		if _, err := w.engine.Exec(t.Context(), sql, tenant.UUID()); err != nil {
			t.Fatal(err)
		}
	}
	for _, state := range []string{"'queued', null", "'sent', now()"} {
		exec(`insert into deliveries (tenant_id, id, channel, user_id, seq, message, state, finished_at)
select tenant_id, gen_random_uuid(), channel, user_id, seq + 1, message, ` + state + ` from deliveries where tenant_id = $1 and seq = (select min(seq) from deliveries)`)
	}
	exec(`insert into notifications (tenant_id, id, user_id, actor_id, seq, kind, reason, entity_type, entity_id, title, body, created_at)
select tenant_id, gen_random_uuid(), user_id, actor_id, seq + 1, kind, reason, entity_type, entity_id, title, body, created_at from notifications where tenant_id = $1`)
	exec(`update recipients set email = 'lost@example.org' where tenant_id = $1`)
	exec(`update tenant_channels set channel = 'email' where tenant_id = $1`)
	exec(`update checkpoints set seq = seq + 1 where tenant_id = $1`)

	stop := w.replica(nil)
	tenanttest.Until(t, w.engine, `select seq = $2 from checkpoints where tenant_id = $1`, tenant.UUID(), head)
	stop()
	var notifications, lost int
	if err := w.engine.QueryRow(t.Context(), `select count(*), count(*) filter (where seq > $2) from notifications where tenant_id = $1`, tenant.UUID(), head).
		Scan(&notifications, &lost); err != nil || notifications == 0 || lost != 0 {
		t.Errorf("%d notifications, %d of them of lost events, %v; want those of the log alone", notifications, lost, err)
	}
	for _, d := range w.deliveries(tenant) {
		if d.Seq > head && d.State != "sent" {
			t.Errorf("a lost event's delivery is %+v, want only what was sent", d)
		}
	}
	if n := len(w.deliveries(tenant)); n != 2 {
		t.Errorf("%d deliveries, want the log's and the one that was sent", n)
	}
	var email, channel string
	if err := w.engine.QueryRow(t.Context(), `select r.email, c.channel from recipients r join tenant_channels c using (tenant_id)
where tenant_id = $1 and user_id = $2`, tenant.UUID(), bob.UUID()).Scan(&email, &channel); err != nil || email == "lost@example.org" || channel != "slack" {
		t.Errorf("bob is reached at %q over %q, %v; want what the log says", email, channel, err)
	}
}
