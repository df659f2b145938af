package notify_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"docket/domain"
	"docket/internal/tenanttest"
	"docket/notify"
)

// finished waits until so many of a tenant's deliveries have a state, and none is queued.
func (w *world) finished(t domain.TenantID, want map[string]int) {
	w.t.Helper()
	tenanttest.Eventually(w.t, "the deliveries' states", func() (bool, any) {
		got := map[string]int{}
		for _, d := range w.deliveries(t) {
			got[d.State]++
		}
		return fmt.Sprint(got) == fmt.Sprint(want), got
	})
}

// Two replicas together send a recipient no more than the limit. The rest is recorded, and
// in the inbox; another recipient, another tenant and the next hour have their own.
func TestRecipientsGetNoMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	if now := time.Now(); now.Minute() == 59 {
		t.Skip("the hour is about to change, and with it the count")
	}
	w := newWorld(t)
	w.replica(nil)
	var sent atomic.Int64
	cfg := notify.QueueConfig{Limits: notify.Limits{Hour: 5, Day: 7}, PerTenant: 8, Providers: map[domain.Channel]notify.Provider{
		domain.ChannelSlack: provider(func(context.Context, notify.Message) error { sent.Add(1); return nil })}}
	stops := []func(){w.queue(cfg), w.queue(cfg)}
	ann, bob, cem := newID[domain.UserID](t), newID[domain.UserID](t), newID[domain.UserID](t)
	tenant, scopes := w.tenant(ann, bob, cem)
	w.configure(tenant, map[string]string{"default_notification_channel": `"slack"`})
	var last int64
	assign := func(n int, to domain.UserID) {
		for range n {
			last = w.assign(tenant, ann, to).Seq
		}
		w.caught(tenant, last)
	}
	hours := func() {
		if _, err := w.engine.Exec(t.Context(), `update delivery_counts set hour = hour - interval '2 hours'`); err != nil {
			t.Fatal(err)
		}
	}
	assign(12, bob)
	w.finished(tenant, map[string]int{"sent": 5, "capped": 7})
	assign(3, cem)
	w.finished(tenant, map[string]int{"sent": 8, "capped": 7})
	hours() // of the next one the day's limit leaves two
	assign(4, bob)
	w.finished(tenant, map[string]int{"sent": 10, "capped": 9})
	for range 12 {
		hours()
	}
	assign(2, bob)
	w.finished(tenant, map[string]int{"sent": 12, "capped": 9})
	for _, stop := range stops {
		stop()
	}
	if got := sent.Load(); got != 12 {
		t.Errorf("%d were sent, want 12", got)
	}
	if got := len(w.list(scopes[bob], notify.Filter{})); got != 18 {
		t.Errorf("%d in the inbox, want 18", got)
	}
	for _, d := range w.deliveries(tenant) {
		if d.State == "capped" && (d.Attempts != 1 || !strings.Contains(d.Problem, "it is in the inbox")) {
			t.Errorf("capped: %+v", d)
		}
	}
	var rows int
	if err := w.engine.QueryRow(t.Context(), `select count(*) from delivery_counts where user_id = $1`, bob.UUID()).Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d hours are kept, want this one (%v)", rows, err)
	}
}

// A message that fails and is tried again counts once, and one that is given back not at all.
func TestAttemptsCountOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant, ann, bob := w.onSlack("https://hooks.example.org")
	w.queued(tenant, w.assign(tenant, ann, bob).Seq)
	failures := []error{&notify.Failure{Elsewhere: true, Problem: "elsewhere"}, &notify.Failure{Problem: "failed"}, nil}
	for i, want := range []row{{State: "queued", Problem: "elsewhere"}, {State: "queued", Attempts: 1, Problem: "failed"}, {State: "sent", Attempts: 2}} {
		w.elapse()
		stop := w.queue(notify.QueueConfig{Limits: notify.Limits{Hour: 1}, Providers: map[domain.Channel]notify.Provider{
			domain.ChannelSlack: provider(func(context.Context, notify.Message) error { return failures[i] })}})
		w.becomes(tenant, want)
		stop()
		var count int
		if err := w.engine.QueryRow(t.Context(), `select coalesce(sum(sent), 0) from delivery_counts`).Scan(&count); err != nil || count != min(i, 1) {
			t.Errorf("attempt %d: counted %d, want %d (%v)", i+1, count, min(i, 1), err)
		}
	}
}

// crowd makes a Slack tenant with so many members beside ann, and a comment of hers that
// mentions all but the last, who is the assignee.
func (w *world) crowd(address string, n int) (domain.TenantID, []domain.UserID) {
	w.t.Helper()
	var users []domain.UserID
	for range n + 1 {
		users = append(users, newID[domain.UserID](w.t))
	}
	tenant, _ := w.tenant(users...)
	id := newID[domain.SecretID](w.t)
	if err := w.secrets().Put(w.t.Context(), tenant, id, address); err != nil {
		w.t.Fatal(err)
	}
	w.configure(tenant, map[string]string{"default_notification_channel": `"slack"`, "slack_webhook": `"` + id.String() + `"`})
	for i, u := range users[1:] {
		w.act(tenant, u, domain.Stream(domain.MemberStream, u), domain.MemberRenamed{
			UserID: u, From: domain.About(u, "Ann"), Name: domain.About(u, fmt.Sprintf("P%02d", i+1)), UserVersion: 2})
	}
	return tenant, users
}

// One comment is one post, which names all recipients. A recipient that has left is
// not named, and has a record of their own.
func TestOneCommentIsOnePost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	status := make(chan int, 9)
	r := newReceiver(t, func(rw http.ResponseWriter, req *http.Request) { answers(<-status)(rw, req) })
	tenant, users := w.crowd(r.URL, 21)
	ann, mentioned, assignee := users[0], users[1:21], users[21]
	c := comment{newID[domain.CommentID](t), task{newID[domain.TaskID](t), project{newID[domain.ProjectID](t), ann}}}
	w.act(tenant, ann, c.stream(), c.created(&assignee, mentioned...))
	last := w.assign(tenant, ann, assignee).Seq // another event is another post
	w.queued(tenant, last)
	if n := len(w.deliveries(tenant)); n != 22 {
		t.Fatalf("%d deliveries", n)
	}
	gone := mentioned[4]
	w.act(tenant, ann, domain.Stream(domain.MemberStream, gone), domain.MemberLeft{UserID: gone, Role: domain.Owner})

	status <- 500
	status <- 500
	run := func() {
		stop := w.queue(notify.QueueConfig{Workers: 1, Providers: map[domain.Channel]notify.Provider{domain.ChannelSlack: w.slack()}})
		defer stop()
		receive(t, r.got, "a post")
		receive(t, r.got, "a post")
	}
	run()
	w.finished(tenant, map[string]int{"queued": 21, "withdrawn": 1})
	for _, d := range w.deliveries(tenant) {
		if d.Attempts != 1 || d.Leased {
			t.Errorf("after one attempt: %+v", d)
		}
	}
	w.elapse()
	status <- 200
	status <- 200
	stop := w.queue(notify.QueueConfig{Workers: 1, Providers: map[domain.Channel]notify.Provider{domain.ChannelSlack: w.slack()}})
	posts := []string{receive(t, r.got, "a post"), receive(t, r.got, "a post")}
	w.finished(tenant, map[string]int{"sent": 21, "withdrawn": 1})
	stop()
	if len(r.got) > 0 {
		t.Errorf("one more post: %q", <-r.got)
	}
	slices.SortFunc(posts, func(a, b string) int { return len(b) - len(a) })
	var names []string
	for i := range 20 {
		if i != 4 {
			names = append(names, fmt.Sprintf("P%02d", i+1))
		}
	}
	want := "P21: *New comment on your task \"Draft copy\"*\n" + strings.Join(names, ", ") +
		": *You are mentioned on task \"Draft copy\"*\nAnn wrote in project \"Website\":\n\nLook here"
	if posts[0] != want {
		t.Errorf("got  %q\nwant %q", posts[0], want)
	}
}

// A receiver that asks for a pause gets it from all of the tenant's messages over the
// channel. Another tenant's, and another address of the same tenant, don't wait.
func TestReceiversGetTheirPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.replica(nil)
	for name, field := range map[string]string{
		"seconds": "3600", "a date": time.Now().Add(time.Hour).UTC().Format(http.TimeFormat),
	} {
		for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			tired := newReceiver(t, func(rw http.ResponseWriter, req *http.Request) {
				rw.Header().Set("Retry-After", field)
				answers(status)(rw, req)
			})
			awake := newReceiver(t, answers(http.StatusOK))
			tenant, ann, bob := w.onSlack(tired.URL)
			var last int64
			for range 4 {
				last = w.assign(tenant, ann, bob).Seq
			}
			w.queued(tenant, last)
			other, cid, dan := w.onSlack(awake.URL)
			w.queued(other, w.assign(other, cid, dan).Seq)
			run := func() (stop func()) {
				return w.queue(notify.QueueConfig{PerTenant: 1, Providers: map[domain.Channel]notify.Provider{domain.ChannelSlack: w.slack()}})
			}
			stop := run()
			receive(t, tired.got, "the first request")
			receive(t, awake.got, "the other tenant's")
			// The pause is there when the first attempt's outcome is, and another tenant's
			// later message says that the queue has looked since.
			tenanttest.Until(t, w.engine, `select exists (select from deliveries where tenant_id = $1 and attempts = 1 and leased_until is null)`, tenant.UUID())
			for range 3 {
				w.queued(other, w.assign(other, cid, dan).Seq)
				receive(t, awake.got, "the other tenant's")
			}
			stop()
			if len(tired.got) > 0 {
				t.Errorf("%d as %s: one more request during the pause", status, name)
			}
			attempts := 0
			for _, d := range w.deliveries(tenant) {
				attempts += d.Attempts
			}
			if attempts != 1 {
				t.Errorf("%d as %s: %d attempts, want 1", status, name, attempts)
			}

			// At a new address the pause means nothing.
			w.setSlack(tenant, awake.URL)
			w.queued(tenant, w.configure(tenant, map[string]string{"name": `"Acme"`}).Seq)
			stop = run()
			for range 3 {
				receive(t, awake.got, "a request at the new address")
			}
			stop()
			if len(tired.got) > 0 {
				t.Errorf("%d as %s: a request to the old address", status, name)
			}
		}
	}
}

// An address asks for no longer than six hours.
func TestPausesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := newReceiver(t, func(rw http.ResponseWriter, req *http.Request) {
		rw.Header().Set("Retry-After", "999999999")
		answers(http.StatusTooManyRequests)(rw, req)
	})
	tenant, ann, bob := w.onSlack(r.URL)
	w.queued(tenant, w.assign(tenant, ann, bob).Seq)
	stop := w.sends(domain.ChannelSlack, w.slack())
	receive(t, r.got, "a request")
	stop()
	var bounded bool
	if err := w.engine.QueryRow(t.Context(), `select until between now() + interval '5 hours' and now() + interval '6 hours'
		from delivery_pauses where tenant_id = $1`, tenant.UUID()).Scan(&bounded); err != nil || !bounded {
		t.Errorf("paused at most six hours: %t, %v", bounded, err)
	}
}
