package notify_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"docket/domain"
	"docket/notify"
)

// The receiver's answer decides between permanent and transient. The problem contains
// its status and size only, and no error contains the address.
func TestAnswersAreClassified(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/services/T000/B000/s3cret"
	const inAnHour = "a date an hour after the case began"
	for _, c := range []struct {
		status    int
		after     string
		permanent bool
		wait      time.Duration
	}{
		{status: 400, permanent: true}, {status: 403, permanent: true}, {status: 404, permanent: true},
		{status: 410, permanent: true}, {status: 408}, {status: 425}, {status: 500}, {status: 502}, {status: 504},
		{status: 429}, {status: 429, after: "30", wait: 30 * time.Second}, {status: 503, after: "120", wait: 2 * time.Minute},
		{status: 429, after: "-1"}, {status: 429, after: "soon"}, {status: 429, after: inAnHour, wait: time.Hour},
		{status: 429, after: "Mon, 02 Jan 2006 15:04:05 GMT"},
	} {
		began := time.Now()
		if c.after == inAnHour {
			c.after = began.Add(time.Hour).UTC().Format(http.TimeFormat)
		}
		r := newReceiver(t, func(rw http.ResponseWriter, req *http.Request) {
			if c.after != "" {
				rw.Header().Set("Retry-After", c.after)
			}
			answers(c.status)(rw, req)
		})
		err := w.post(notify.NewEgress(loopback), r.URL+path)
		var f *notify.Failure
		// A date has no fractions of a second, and has come nearer since.
		least := c.wait - time.Since(began) - time.Second
		if !errors.As(err, &f) || f.Permanent != c.permanent || f.After > c.wait || f.After < least {
			t.Errorf("%d (%s): got %+v", c.status, c.after, err)
			continue
		}
		if strings.Contains(err.Error(), "own words") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%d: %v", c.status, err)
		}
	}
	for _, status := range []int{200, 201, 204} {
		if err := w.post(notify.NewEgress(loopback), newReceiver(t, answers(status)).URL); err != nil {
			t.Errorf("%d: %v", status, err)
		}
	}
	// A closed port, and a receiver that hangs up.
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	rude := newReceiver(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for _, address := range []string{gone.URL, rude.URL} {
		err := w.post(notify.NewEgress(loopback), address+path)
		var f *notify.Failure
		if !errors.As(err, &f) || f.Permanent || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v", address, err)
		}
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			t.Errorf("the error holds the address: %v", err)
		}
	}
}

// An endless answer is read up to a limit.
func TestLongAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cut := make(chan error, 1)
	r := newReceiver(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(http.StatusBadRequest)
		for {
			if _, err := rw.Write(make([]byte, 1<<20)); err != nil {
				cut <- err
				return
			}
		}
	})
	var f *notify.Failure
	if err := w.post(notify.NewEgress(loopback), r.URL); !errors.As(err, &f) || f.Problem != "the receiver answered 400 (65536 bytes)" {
		t.Errorf("got %v", err)
	}
	receive(t, cut, "the end of the answer")
}

// Markup in names and texts is shown, not obeyed.
func TestSlackMarkupIsEscaped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := newReceiver(t, answers(http.StatusOK))
	tenant, id := newID[domain.TenantID](t), newID[domain.SecretID](t)
	if err := w.secrets().Put(t.Context(), tenant, id, r.URL); err != nil {
		t.Fatal(err)
	}
	m := notify.Message{Notification: notify.Notification{Tenant: tenant, Title: "Ship <!channel>\nnow", Body: "<https://evil.example|here> & there"},
		Recipient: notify.Recipient{Name: "<@U1>"}, SlackWebhook: &id}
	if err := w.slack().Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got, want := receive(t, r.got, "a request"), "&lt;@U1&gt;: *Ship &lt;!channel&gt; now*\n&lt;https://evil.example|here&gt; &amp; there"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	m.Body = strings.Repeat("ü", 20_000)
	if err := w.slack().Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, r.got, "a request"); len(got) > 12_010 || !strings.HasSuffix(got, "ü…") {
		t.Errorf("%d bytes, the end %q", len(got), got[len(got)-10:])
	}
}

func TestSlackWithoutAWebhook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := newID[domain.SecretID](t)
	for name, webhook := range map[string]*domain.SecretID{"none": nil, "unknown": &id} {
		err := w.slack().Send(t.Context(), notify.Message{SlackWebhook: webhook})
		var f *notify.Failure
		if !errors.As(err, &f) || !f.Permanent {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
