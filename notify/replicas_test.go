package notify_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"docket/domain"
	"docket/internal/tenanttest"
	"docket/notify"

	"github.com/prometheus/client_golang/prometheus"
)

// onEmail makes a tenant with two members whose channel is e-mail, and a delivery.
func (w *world) onEmail() (t domain.TenantID) {
	w.t.Helper()
	ann, bob := newID[domain.UserID](w.t), newID[domain.UserID](w.t)
	t, _ = w.tenant(ann, bob)
	w.configure(t, map[string]string{"default_notification_channel": `"email"`})
	w.queued(t, w.assign(t, ann, bob).Seq)
	return t
}

// A replica without a mail server takes no e-mail that another replica can send, also
// while that one is away. Where none can, e-mail goes to the log.
func TestOnlyReplicasWithAMailServerTakeEmail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	logs := func() (stop func()) {
		return w.sends(domain.ChannelEmail, notify.NewEmailLog(slog.New(slog.NewTextHandler(io.Discard, nil))))
	}
	sent := make(chan notify.Message, 9)
	mails := func() (stop func()) {
		return w.sends(domain.ChannelEmail, provider(func(_ context.Context, m notify.Message) error {
			sent <- m
			return nil
		}))
	}
	first := w.onEmail()
	stop := mails()
	receive(t, sent, "the message")
	stop()
	w.one(first).is(t, "sent by the mail server", row{State: "sent", Attempts: 1}, -ever, ever)

	// Another channel's message says when the stand-in has looked.
	second := w.onEmail()
	tenant, ann, bob := w.onSlack("https://hooks.example.org")
	looked := make(chan notify.Message, 9)
	stop = w.queue(notify.QueueConfig{Workers: 1, Poll: time.Millisecond, Providers: map[domain.Channel]notify.Provider{
		domain.ChannelEmail: notify.NewEmailLog(slog.New(slog.NewTextHandler(io.Discard, nil))),
		domain.ChannelSlack: provider(func(_ context.Context, m notify.Message) error { looked <- m; return nil }),
	}})
	for range 5 {
		w.queued(tenant, w.assign(tenant, ann, bob).Seq)
		receive(t, looked, "the message")
	}
	stop()
	w.one(second).is(t, "while the mail server is away", row{State: "queued"}, -ever, ever)

	if _, err := w.engine.Exec(t.Context(), `update delivery_providers set seen_at = now() - interval '25 hours' where channel = 'email'`); err != nil {
		t.Fatal(err)
	}
	stop = logs()
	w.becomes(second, row{State: "sent", Attempts: 1})
	stop()
}

// becomes waits until a tenant's only delivery has a row.
func (w *world) becomes(t domain.TenantID, want row) {
	w.t.Helper()
	tenanttest.Eventually(w.t, "the delivery's row", func() (bool, any) {
		d := w.one(t)
		got := row{d.State, d.Attempts, d.Problem, d.Leased}
		return got == want, got
	})
}

// A replica with another master key gives back what it can't open, and counts no attempt.
// After a day the delivery is dead: no replica has the key.
func TestAnotherMasterKeyGivesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := newReceiver(t, answers(http.StatusOK))
	tenant, ann, bob := w.onSlack(r.URL)
	w.queued(tenant, w.assign(tenant, ann, bob).Seq)
	other, err := notify.NewSecrets(w.engine, bytes.Repeat([]byte("x"), 32))
	if err != nil {
		t.Fatal(err)
	}
	const problem = "the Slack webhook can't be read; set it again"
	foreign := func() (metrics *prometheus.Registry, stop func()) {
		metrics = prometheus.NewRegistry()
		return metrics, w.queue(notify.QueueConfig{Metrics: metrics, Providers: map[domain.Channel]notify.Provider{
			domain.ChannelSlack: notify.NewSlack(notify.NewEgress(loopback), other)}})
	}
	metrics, stop := foreign()
	w.becomes(tenant, row{State: "queued", Problem: problem})
	// Claims of other tenants' deliveries leave this one out, although it is due. One that
	// had begun before may still take it, and is over when the first of the others was claimed.
	for range 2 {
		w.elapse()
		later, ann, bob := w.onSlack(r.URL)
		w.queued(later, w.assign(later, ann, bob).Seq)
		w.becomes(later, row{State: "queued", Problem: problem})
	}
	stop()
	w.one(tenant).is(t, "left to another replica", row{State: "queued", Problem: problem}, -ever, 0)
	if _, err := w.engine.Exec(t.Context(), `update deliveries set finished_at = now(), state = 'dead' where tenant_id <> $1`, tenant.UUID()); err != nil {
		t.Fatal(err)
	}
	w.one(tenant).is(t, "given back", row{State: "queued", Problem: problem}, -ever, 10*time.Minute)
	families, err := metrics.Gather()
	if err != nil || len(families) != 1 || families[0].Metric[0].GetCounter().GetValue() < 1 {
		t.Errorf("counted are %v, %v; want what was given back", families, err)
	}
	w.elapse()
	stop = w.sends(domain.ChannelSlack, w.slack())
	receive(t, r.got, "a request")
	stop()
	w.one(tenant).is(t, "by the replica with the key", row{State: "sent", Attempts: 1}, -ever, ever)

	next, ann, bob := w.onSlack(r.URL)
	w.queued(next, w.assign(next, ann, bob).Seq)
	if _, err := w.engine.Exec(t.Context(), `update deliveries set created_at = now() - interval '25 hours' where tenant_id = $1`, next.UUID()); err != nil {
		t.Fatal(err)
	}
	_, stop = foreign()
	w.becomes(next, row{State: "dead", Attempts: 1, Problem: problem})
	stop()
}
