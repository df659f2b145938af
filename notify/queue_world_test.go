package notify_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"docket/domain"
	"docket/notify"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// masterKey is the master key of every server in these tests.
var masterKey = []byte("an example of 32 bytes, no more.")

// loopback is the network of the tests' receivers.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func (w *world) secrets() *notify.Secrets {
	w.t.Helper()
	s, err := notify.NewSecrets(w.engine, masterKey)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) slack() notify.Provider {
	return notify.NewSlack(notify.NewEgress(loopback), w.secrets())
}

// queue runs a delivery queue on connections of its own until the test ends, or stop is
// called: it waits for messages that are being sent.
func (w *world) queue(cfg notify.QueueConfig) (stop func()) {
	w.t.Helper()
	if cfg.Pool == nil {
		cfg.Pool = w.db.Engine(w.t)
	}
	if cfg.Poll == 0 {
		cfg.Poll = 5 * time.Millisecond
	}
	// A slow machine has the time to finish an attempt.
	if cfg.Drain == 0 {
		cfg.Drain = time.Minute
	}
	if cfg.Interrupt == 0 {
		cfg.Interrupt = time.Minute
	}

	q, err := notify.NewQueue(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: 3 * time.Minute}, watermill.NopLogger{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range q.Channels() {
		router.AddConsumerHandler("deliver "+string(c), string(c), q, q.Deliver)
	}
	return w.run(router)
}

// sends runs a queue for one channel.
func (w *world) sends(c domain.Channel, p notify.Provider) (stop func()) {
	w.t.Helper()
	return w.queue(notify.QueueConfig{Providers: map[domain.Channel]notify.Provider{c: p}})
}

// configure changes settings of a tenant: field names with their new JSON values.
func (w *world) configure(t domain.TenantID, to map[string]string) domain.Recorded {
	w.t.Helper()
	e := domain.TenantUpdated{Name: "Acme"}
	for field, value := range to {
		e.Changes = append(e.Changes, domain.Change{Field: field, From: []byte(`null`), To: []byte(value)})
	}
	return w.act(t, domain.UserID{}, domain.Stream(domain.TenantStream, t), e)
}

// onSlack makes a tenant with two members whose channel is a webhook.
func (w *world) onSlack(address string) (t domain.TenantID, ann, bob domain.UserID) {
	w.t.Helper()
	ann, bob = newID[domain.UserID](w.t), newID[domain.UserID](w.t)
	t, _ = w.tenant(ann, bob)
	id := newID[domain.SecretID](w.t)
	if err := w.secrets().Put(w.t.Context(), t, id, address); err != nil {
		w.t.Fatal(err)
	}
	w.configure(t, map[string]string{"default_notification_channel": `"slack"`, "slack_webhook": `"` + id.String() + `"`})
	return t, ann, bob
}

// assign makes a task of ann's with bob as its assignee, who is its recipient.
func (w *world) assign(t domain.TenantID, ann, bob domain.UserID) domain.Recorded {
	w.t.Helper()
	k := task{newID[domain.TaskID](w.t), project{newID[domain.ProjectID](w.t), ann}}
	return w.act(t, ann, k.stream(), k.created(&bob))
}

// queued waits until the subscription has handled the tenant log up to seq. It runs a
// replica meanwhile if none is running.
func (w *world) queued(t domain.TenantID, seq int64) {
	w.t.Helper()
	if w.running == 0 {
		defer w.replica(nil)()
	}
	w.caught(t, seq)
}

// delivery is a row of the queue.
type delivery struct {
	Channel  string
	Seq      int64
	State    string
	Attempts int
	Problem  string
	Leased   bool
	// Due is the time until the next attempt, as of now.
	Due time.Duration
}

// row is what the database has of a delivery beside its message, its place and its time.
type row struct {
	State    string
	Attempts int
	Problem  string
	Leased   bool
}

// is fails the test unless the delivery's row is this one, due between two times from
// now.
func (d delivery) is(t *testing.T, when string, want row, least, most time.Duration) {
	t.Helper()
	if got := (row{d.State, d.Attempts, d.Problem, d.Leased}); got != want {
		t.Errorf("%s: got  %+v\nwant %+v", when, got, want)
	}
	if d.Due < least || d.Due > most {
		t.Errorf("%s: due in %s, want %s to %s", when, d.Due, least, most)
	}
}

// ever is more than any pause.
const ever = 24 * time.Hour

func (w *world) deliveries(t domain.TenantID) []delivery {
	w.t.Helper()
	rows, err := w.engine.Query(w.t.Context(), `select channel, seq, state, attempts, coalesce(problem, ''), leased_until is not null,
		extract(epoch from due_at - clock_timestamp())::float8 from deliveries where tenant_id = $1 order by seq`, t.UUID())
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	var out []delivery
	for rows.Next() {
		var d delivery
		var due float64
		if err := rows.Scan(&d.Channel, &d.Seq, &d.State, &d.Attempts, &d.Problem, &d.Leased, &due); err != nil {
			w.t.Fatal(err)
		}
		d.Due = time.Duration(due * float64(time.Second))
		out = append(out, d)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// one is a tenant's only delivery.
func (w *world) one(t domain.TenantID) delivery {
	w.t.Helper()
	all := w.deliveries(t)
	if len(all) != 1 {
		w.t.Fatalf("%d deliveries: %+v", len(all), all)
	}
	return all[0]
}

// elapse makes all queued deliveries due and ends all pauses, as if time had passed.
func (w *world) elapse() {
	w.t.Helper()
	if _, err := w.engine.Exec(w.t.Context(), `with ended as (update delivery_pauses set until = now())
		update deliveries set due_at = now() - interval '1 second', leased_until = case when leased_until is not null then now() - interval '1 second' end where finished_at is null`); err != nil {
		w.t.Fatal(err)
	}
}

// receiver is a webhook with a given answer that keeps the requests.
type receiver struct {
	*httptest.Server
	// got has each text that was posted.
	got chan string
}

func newReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{got: make(chan string, 100)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		raw, err := io.ReadAll(req.Body)
		var body struct{ Text string }
		if err == nil {
			err = json.Unmarshal(raw, &body)
		}
		if err != nil || req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %q: %v", req.Method, raw, err)
		}
		r.got <- body.Text
		answer(rw, req)
	}))
	t.Cleanup(r.Close)
	return r
}

func answers(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "the receiver's own words")
	}
}
