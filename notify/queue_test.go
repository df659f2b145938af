package notify_test

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"docket/domain"
	"docket/notify"
)

func TestMessageGoesToTheWebhook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := newReceiver(t, answers(http.StatusOK))
	tenant, ann, bob := w.onSlack(r.URL + "/services/T/B/secret")
	last := w.assign(tenant, ann, bob)
	w.queued(tenant, last.Seq)
	stop := w.sends(domain.ChannelSlack, w.slack())
	if got, want := receive(t, r.got, "a request"), "Ann: *Task \"Draft copy\" is assigned to you*\nAnn assigned it to you in project \"Website\"."; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	stop()
	d := w.one(tenant)
	d.is(t, "after the attempt", row{State: "sent", Attempts: 1}, -ever, ever)
	if d.Seq != last.Seq {
		t.Errorf("the delivery is of event %d, want %d", d.Seq, last.Seq)
	}
}

// An attempt that failed comes again later, with what was stored the first time.
func TestRetries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	status := make(chan int, 1)
	r := newReceiver(t, func(rw http.ResponseWriter, req *http.Request) {
		rw.Header().Set("Retry-After", "3600")
		answers(<-status)(rw, req)
	})
	tenant, ann, bob := w.onSlack(r.URL)
	w.queued(tenant, w.assign(tenant, ann, bob).Seq)
	var first string
	for i, c := range []struct {
		status   int
		state    string
		min, max time.Duration
		problem  string
	}{
		{500, "queued", 7 * time.Second, 13 * time.Second, "the receiver answered 500 (24 bytes)"},
		{502, "queued", 14 * time.Second, 26 * time.Second, "the receiver answered 502 (24 bytes)"},
		{429, "queued", 59 * time.Minute, 60 * time.Minute, "the receiver answered 429 (24 bytes)"},
		{200, "sent", -time.Hour, time.Hour, ""},
	} {
		began := time.Now()
		status <- c.status
		stop := w.sends(domain.ChannelSlack, w.slack())
		got := receive(t, r.got, "a request")
		stop()
		if i == 0 {
			first = got
		}
		d := w.one(tenant)
		// Some of the pause is over by now, on a slow machine all of it.
		least := c.min - time.Since(began)
		d.is(t, fmt.Sprintf("after a %d", c.status), row{State: c.state, Attempts: i + 1, Problem: c.problem}, least, c.max)
		if got != first {
			t.Errorf("attempt %d sent %q, the first one %q", i+1, got, first)
		}
		// A sent delivery is not sent again, and none is sent before it is due.
		w.elapse()
	}
}

func TestDeadDeliveries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.replica(nil)
	slack := w.slack()
	for name, c := range map[string]struct {
		status   int
		attempts int
		problem  string
	}{
		"refused":         {404, 1, "the receiver answered 404 (24 bytes)"},
		"out of attempts": {500, 3, "no attempts left: the receiver answered 500 (24 bytes)"},
		"redirected":      {307, 1, "the receiver answered 307 (24 bytes)"},
		"gone":            {410, 1, "the receiver answered 410 (24 bytes)"},
		"wrong format":    {400, 1, "the receiver answered 400 (24 bytes)"},
	} {
		r := newReceiver(t, answers(c.status))
		tenant, ann, bob := w.onSlack(r.URL)
		w.queued(tenant, w.assign(tenant, ann, bob).Seq)
		for range c.attempts {
			w.elapse()
			stop := w.queue(notify.QueueConfig{Attempts: 3, Providers: map[domain.Channel]notify.Provider{domain.ChannelSlack: slack}})
			receive(t, r.got, "a request")
			stop()
		}
		w.one(tenant).is(t, name, row{State: "dead", Attempts: c.attempts, Problem: c.problem}, -ever, ever)
	}
}

// provider is one of the tests'.
type provider func(ctx context.Context, m notify.Message) error

func (p provider) Send(ctx context.Context, m notify.Message) error { return p(ctx, m) }

// A worker that hangs, or was killed, loses its lease, and another one sends. The first
// one's outcome does not count.
func TestLeaseEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant, ann, bob := w.onSlack("https://hooks.example.org")
	w.queued(tenant, w.assign(tenant, ann, bob).Seq)
	start := time.Now()
	began, release := make(chan struct{}), make(chan struct{})
	hung := func(context.Context, notify.Message) error { // deaf to its context
		close(began)
		<-release
		return &notify.Failure{Permanent: true, Problem: "too late"}
	}
	stop := w.queue(notify.QueueConfig{Workers: 1, Providers: map[domain.Channel]notify.Provider{domain.ChannelSlack: provider(hung)}})
	receive(t, began, "the attempt")
	w.one(tenant).is(t, "during the attempt", row{State: "queued", Attempts: 1, Leased: true}, 50*time.Second-time.Since(start), ever)
	sent, end := make(chan notify.Message, 1), make(chan struct{})
	other := w.sends(domain.ChannelSlack, provider(func(_ context.Context, m notify.Message) error {
		sent <- m
		<-end
		return nil
	}))
	w.elapse()
	if m := receive(t, sent, "the message"); m.User != bob || m.Recipient != (notify.Recipient{Email: "ann@example.org", Name: "Ann"}) {
		t.Errorf("the message is for user %s at %+v, want %s at ann@example.org", m.User, m.Recipient, bob)
	}
	close(release)
	stop()
	w.one(tenant).is(t, "after the first worker returned", row{State: "queued", Attempts: 2, Leased: true}, -ever, ever)
	close(end)
	other()
	w.one(tenant).is(t, "after the second worker returned", row{State: "sent", Attempts: 2}, -ever, ever)
}

// A message that kills its workers is dead in the end.
func TestAttemptsWithoutAnEndCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.replica(nil)
	tenant, ann, bob := w.onSlack("https://hooks.example.org")
	w.queued(tenant, w.assign(tenant, ann, bob).Seq)
	if _, err := w.engine.Exec(t.Context(), `update deliveries set attempts = 12, leased_until = now()`); err != nil {
		t.Fatal(err)
	}
	// Another tenant's message, queued later, says when the first was looked at.
	next, ann2, bob2 := w.onSlack("https://hooks.example.org")
	w.queued(next, w.assign(next, ann2, bob2).Seq)
	sent := make(chan domain.TenantID, 2)
	stop := w.queue(notify.QueueConfig{Workers: 1, Providers: map[domain.Channel]notify.Provider{
		domain.ChannelSlack: provider(func(_ context.Context, m notify.Message) error {
			sent <- m.Tenant
			return nil
		})}})
	if got := receive(t, sent, "the message"); got != next {
		t.Error("it was sent again")
	}
	stop()
	w.one(tenant).is(t, "after the claim", row{State: "dead", Attempts: 13, Problem: "no attempts left: the last one did not finish"}, -ever, ever)
}

// A panic is a failed attempt, and the worker goes on.
func TestPanicIsAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant, ann, bob := w.onSlack("https://hooks.example.org")
	w.queued(tenant, w.assign(tenant, ann, bob).Seq)
	start, began := time.Now(), make(chan struct{}, 1)
	stop := w.sends(domain.ChannelSlack, provider(func(context.Context, notify.Message) error {
		began <- struct{}{}
		panic("no")
	}))
	receive(t, began, "the attempt")
	stop()
	w.one(tenant).is(t, "after the panic", row{State: "queued", Attempts: 1, Problem: "internal error"}, 5*time.Second-time.Since(start), ever)
}

// However many replicas there are, one tenant's slow receiver holds so many
// workers and no more, and no other tenant waits for it.
func TestSlowTenantDelaysNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.replica(nil)
	slow, ann, bob := w.onSlack("https://hooks.example.org")
	var last int64
	// More than a claim looks at before it goes from tenant to tenant.
	const many = 120
	for range many {
		last = w.assign(slow, ann, bob).Seq
	}
	w.queued(slow, last)
	quick, cid, dan := w.onSlack("https://hooks.example.org")
	for range 9 {
		last = w.assign(quick, cid, dan).Seq
	}
	w.queued(quick, last)

	release := make(chan struct{})
	done := make(chan struct{}, many+9)
	var now, most atomic.Int64
	p := provider(func(_ context.Context, m notify.Message) error {
		if m.Tenant == slow {
			n := now.Add(1)
			defer now.Add(-1)
			for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
			}
			<-release
		}
		done <- struct{}{}
		return nil
	})
	cfg := notify.QueueConfig{Workers: 4, PerTenant: 2, Providers: map[domain.Channel]notify.Provider{domain.ChannelSlack: p}}
	var stops [2]func()
	for i := range stops {
		stops[i] = w.queue(cfg)
	}
	for range 9 {
		receive(t, done, "a delivery") // the quick one's: the slow one's wait for release
	}
	close(release)
	for range many {
		receive(t, done, "a delivery")
	}
	for _, stop := range stops {
		stop()
	}
	if got := most.Load(); got > 2 {
		t.Errorf("%d of one tenant's were sent at once, want at most 2", got)
	}
	for _, d := range slices.Concat(w.deliveries(slow), w.deliveries(quick)) {
		d.is(t, fmt.Sprintf("event %d", d.Seq), row{State: "sent", Attempts: 1}, -ever, ever)
	}
}

// Any number of replicas send each message once.
func TestReplicasShare(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.replica(nil)
	const tenants, each = 5, 8
	var all []domain.TenantID
	for range tenants {
		tenant, ann, bob := w.onSlack("https://hooks.example.org")
		var last int64
		for range each {
			last = w.assign(tenant, ann, bob).Seq
		}
		w.queued(tenant, last)
		all = append(all, tenant)
	}
	var mu sync.Mutex
	times := map[domain.NotificationID]int{}
	done := make(chan struct{}, 1000)
	p := provider(func(_ context.Context, m notify.Message) error {
		mu.Lock()
		times[m.ID]++
		mu.Unlock()
		done <- struct{}{}
		return nil
	})
	var stops []func()
	for range 3 {
		stops = append(stops, w.sends(domain.ChannelSlack, p))
	}
	for range tenants * each {
		receive(t, done, "a delivery")
	}
	for _, stop := range stops {
		stop()
	}
	for id, n := range times {
		if n != 1 {
			t.Errorf("%s was sent %d times", id, n)
		}
	}
	for _, tenant := range all {
		for _, d := range w.deliveries(tenant) {
			d.is(t, fmt.Sprintf("event %d", d.Seq), row{State: "sent", Attempts: 1}, -ever, ever)
		}
	}
}

// Close waits for messages that are being sent, and begins no attempt.
func TestCloseDrains(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant, ann, bob := w.onSlack("https://hooks.example.org")
	w.assign(tenant, ann, bob)
	w.queued(tenant, w.assign(tenant, ann, bob).Seq)
	began, release := make(chan struct{}, 2), make(chan struct{})
	stop := w.queue(notify.QueueConfig{Workers: 1, Providers: map[domain.Channel]notify.Provider{
		domain.ChannelSlack: provider(func(ctx context.Context, _ notify.Message) error {
			began <- struct{}{}
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})}})
	receive(t, began, "the attempt")
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	close(release)
	receive(t, stopped, "the end of Close")
	all := w.deliveries(tenant)
	sent := slices.DeleteFunc(slices.Clone(all), func(d delivery) bool { return d.State != "sent" || d.Attempts != 1 })
	if len(sent) == 0 || len(sent) != 1+len(began) {
		t.Errorf("%d more began, got %+v", len(began), all)
	}
}

// A message that is not sent in time is interrupted, and due again at once. The attempt
// doesn't count.
func TestCloseInterrupts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant, ann, bob := w.onSlack("https://hooks.example.org")
	w.queued(tenant, w.assign(tenant, ann, bob).Seq)
	began := make(chan struct{}, 1)
	stop := w.queue(notify.QueueConfig{Drain: time.Millisecond, Providers: map[domain.Channel]notify.Provider{
		domain.ChannelSlack: provider(func(ctx context.Context, _ notify.Message) error {
			began <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		})}})
	receive(t, began, "the attempt")
	stop()
	w.one(tenant).is(t, "after Close", row{State: "queued", Attempts: 0, Problem: "interrupted: the server was stopping"}, -ever, 0)
}

// Every field of a message survives the queue.
func TestMessageIsStoredWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := newID[domain.UserID](t), newID[domain.UserID](t)
	tenant, scopes := w.tenant(ann, bob)
	secret := newID[domain.SecretID](t)
	w.configure(tenant, map[string]string{
		"default_notification_channel": `"email"`, "email_from": `"acme@example.org"`, "slack_webhook": `"` + secret.String() + `"`})
	w.queued(tenant, w.assign(tenant, ann, bob).Seq)
	sent := make(chan notify.Message, 1)
	stop := w.sends(domain.ChannelEmail, provider(func(_ context.Context, m notify.Message) error {
		sent <- m
		return nil
	}))
	got := receive(t, sent, "the message")
	stop()
	from := "acme@example.org"
	want := notify.Message{Notification: w.list(scopes[bob], notify.Filter{})[0],
		Recipient: notify.Recipient{Email: "ann@example.org", Name: "Ann"}, EmailFrom: &from, SlackWebhook: &secret}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
