package notify_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"docket/domain"
	"docket/notify"

	"github.com/google/uuid"
)

// mailer may send for the domains, where any are given.
func mailer(t *testing.T, url string, trust *tls.Config, domains ...string) *notify.Email {
	t.Helper()
	server, err := notify.ParseSMTP(url)
	if err != nil {
		t.Fatal(err)
	}
	return notify.NewEmail(server, domains, trust)
}

const sender = "?from=Docket+%3Cdocket%40example.org%3E"

func exampleMessage(t *testing.T) notify.Message {
	t.Helper()
	return notify.Message{
		Notification: notify.Notification{
			ID: domain.NotificationID(newID[domain.TaskID](t)), Tenant: newID[domain.TenantID](t),
			Title: `Task "Läuft" is assigned to you`, Body: "Ann assigned it to you.\n.\nBye",
			CreatedAt: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
		},
		Recipient: notify.Recipient{Email: "bob@example.org", Name: "Bob"},
	}
}

// read parses a mail as its reader would.
func read(t *testing.T, data string) (h mail.Header, body string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
	raw, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	return m.Header, string(raw)
}

func TestMailIsSent(t *testing.T) {
	t.Parallel()
	own, stranger := "acme@example.org", "ceo@bank.example"
	for name, c := range map[string]struct {
		cfg    mailConfig
		scheme string
		login  string
		more   string
		from   *string
		// domains are those of tenants' that the operator allows.
		domains []string
		want    mailTaken
		header  string
		replyTo string
	}{
		"by STARTTLS": {cfg: mailConfig{startTLS: true}, scheme: "smtp", want: mailTaken{secure: true}, header: `"Docket" <docket@example.org>`},
		"by STARTTLS, logged in": {cfg: mailConfig{startTLS: true, login: "us er"}, scheme: "smtp", login: "us:er@",
			want: mailTaken{secure: true, loggedIn: true}, header: `"Docket" <docket@example.org>`},
		"by TLS, logged in": {cfg: mailConfig{implicit: true, login: "us er"}, scheme: "smtps", login: "us:er@",
			want: mailTaken{secure: true, loggedIn: true}, header: `"Docket" <docket@example.org>`},
		"without": {scheme: "smtp", more: "&tls=off", header: `"Docket" <docket@example.org>`},
		"for a tenant": {cfg: mailConfig{startTLS: true}, scheme: "smtp", from: &own, want: mailTaken{secure: true},
			domains: []string{"other.example", "EXAMPLE.org"}, header: `<acme@example.org>`},
		"for a tenant of a domain that isn't allowed": {cfg: mailConfig{startTLS: true}, scheme: "smtp", from: &own, want: mailTaken{secure: true},
			domains: []string{"sub.example.org", "ample.org", "org"}, header: `"Docket" <docket@example.org>`, replyTo: "<acme@example.org>"},
		"for a tenant where none is allowed": {cfg: mailConfig{startTLS: true}, scheme: "smtp", from: &stranger, want: mailTaken{secure: true},
			header: `"Docket" <docket@example.org>`, replyTo: "<ceo@bank.example>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newMailServer(t, c.cfg)
			m := exampleMessage(t)
			m.EmailFrom = c.from
			if err := mailer(t, c.scheme+"://"+c.login+s.Addr+sender+c.more, s.Trust, c.domains...).Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			got := receive(t, s.got, "a mail")
			if got.secure != c.want.secure || got.loggedIn != c.want.loggedIn {
				t.Errorf("secure %t, logged in %t", got.secure, got.loggedIn)
			}
			if !strings.HasPrefix(got.from, "FROM:<docket@example.org>") || !strings.HasPrefix(got.to, "TO:<bob@example.org>") {
				t.Errorf("envelope %q, %q", got.from, got.to)
			}
			h, body := read(t, strings.ReplaceAll(got.data, "\r\n..", "\r\n."))
			subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
			if err != nil || subject != m.Title || h.Get("From") != c.header || h.Get("To") != `"Bob" <bob@example.org>` {
				t.Errorf("header %v, %v", h, err)
			}
			if h.Get("Reply-To") != c.replyTo || h.Get("Message-Id") != "<"+m.ID.String()+"@example.org>" || h.Get("Auto-Submitted") != "auto-generated" {
				t.Errorf("header %v", h)
			}
			if at, err := h.Date(); err != nil || !at.Equal(m.CreatedAt) {
				t.Errorf("date %v, %v", at, err)
			}
			if got := strings.ReplaceAll(body, "\r\n", "\n"); got != m.Body+"\n" {
				t.Errorf("body %q", got)
			}
		})
	}
}

// Whatever names, titles and texts hold, the header has the same fields, and the
// envelope one recipient.
func TestHeadersCannotBeForged(t *testing.T) {
	t.Parallel()
	s := newMailServer(t, mailConfig{startTLS: true})
	e := mailer(t, "smtp://"+s.Addr+sender, s.Trust)
	const forged = "x\r\nBcc: eve@example.org\r\n\r\nforged\n.\nQUIT\" <eve@example.org>, \x00"
	m := exampleMessage(t)
	m.Title, m.Body, m.Recipient.Name = forged, forged, forged
	if err := e.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := receive(t, s.got, "a mail")
	if got.to != "TO:<bob@example.org>" {
		t.Errorf("recipient %q", got.to)
	}
	h, _ := read(t, got.data)
	for name := range h {
		switch name {
		case "Date", "Mime-Version", "Message-Id", "Subject", "User-Agent", "X-Mailer", "Auto-Submitted", "From", "To", "Content-Type", "Content-Transfer-Encoding":
		default:
			t.Errorf("header field %s: %q", name, h[name])
		}
	}
	to, err := h.AddressList("To")
	if err != nil || len(to) != 1 || to[0].Address != "bob@example.org" {
		t.Errorf("to %v, %v", to, err)
	}
	// Addresses that are more than one are refused, and not by the server.
	for _, address := range []string{
		"bob@example.org, eve@example.org", "Bob <bob@example.org>", "bob@example.org>\r\nRCPT TO:<eve@example.org", "\"bob@example.org> eve\"@example.org\r\n", "", "bob",
	} {
		for _, from := range []bool{false, true} {
			m := exampleMessage(t)
			if from {
				m.EmailFrom = &address
			} else {
				m.Email = address
			}
			err := e.Send(t.Context(), m)
			var f *notify.Failure
			if !errors.As(err, &f) || !f.Permanent {
				t.Errorf("%q: got %v", address, err)
			}
		}
	}
	if len(s.got) > 0 {
		t.Errorf("it was sent: %+v", <-s.got)
	}
}

// Without the encryption that was asked for, and without a certificate that can be
// trusted, nothing is sent: no password either.
func TestMailNeedsTLS(t *testing.T) {
	t.Parallel()
	plain := newMailServer(t, mailConfig{login: "us er"})
	open := newMailServer(t, mailConfig{})
	strange := newMailServer(t, mailConfig{startTLS: true, login: "us er"})
	secure := newMailServer(t, mailConfig{implicit: true, login: "us er"})
	for name, e := range map[string]*notify.Email{
		"no STARTTLS":                 mailer(t, "smtp://us:er@"+plain.Addr+sender, plain.Trust),
		"no STARTTLS, no login":       mailer(t, "smtp://"+open.Addr+sender, open.Trust),
		"no TLS":                      mailer(t, "smtps://us:er@"+plain.Addr+sender, plain.Trust),
		"strange certificate":         mailer(t, "smtp://us:er@"+strange.Addr+sender, nil),
		"strange certificate, by TLS": mailer(t, "smtps://us:er@"+secure.Addr+sender, nil),
	} {
		err := e.Send(t.Context(), exampleMessage(t))
		var f *notify.Failure
		if !errors.As(err, &f) || f.Permanent || strings.Contains(err.Error(), "us:er") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, s := range []*mailServer{plain, open, strange, secure} {
		if len(s.got) > 0 {
			t.Errorf("it was sent: %+v", <-s.got)
		}
	}
}

func TestMailServersAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer    map[string]string
		permanent bool
		problem   string
	}{
		"no such mailbox":    {map[string]string{"RCPT": "550 5.1.1 no such user bob@example.org"}, true, "the mail server refused it (550)"},
		"mailbox full":       {map[string]string{"RCPT": "452 4.2.2 full"}, false, "the mail server put it off (452)"},
		"greylisted":         {map[string]string{"MAIL": "451 4.7.1 later"}, false, "the mail server put it off (451)"},
		"sender refused":     {map[string]string{"MAIL": "553 5.7.1 not you"}, true, "the mail server refused it (553)"},
		"content refused":    {map[string]string{".": "554 5.7.1 spam"}, true, "the mail server refused it (554)"},
		"content put off":    {map[string]string{".": "421 4.3.0 busy"}, false, "the mail server put it off (421)"},
		"no login":           {map[string]string{"AUTH": "535 5.7.8 no"}, false, "the mail server can't be reached"},
		"no hello":           {map[string]string{"EHLO": "554 go away", "HELO": "554 go away"}, false, "the mail server can't be reached"},
		"no goodbye":         {map[string]string{"QUIT": "421 gone"}, false, ""},
		"nothing afterwards": {map[string]string{"RSET": "421 gone"}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newMailServer(t, mailConfig{implicit: true, login: "us er", answer: c.answer})
			err := mailer(t, "smtps://us:er@"+s.Addr+sender, s.Trust).Send(t.Context(), exampleMessage(t))
			var f *notify.Failure
			switch {
			case c.problem == "":
				if err != nil || len(s.got) != 1 {
					t.Errorf("got %v, and %d were taken", err, len(s.got))
				}
			case !errors.As(err, &f) || f.Permanent != c.permanent || f.Problem != c.problem:
				t.Errorf("got %+v, want permanent %t with the problem %q", err, c.permanent, c.problem)
			}
		})
	}
}

// A server that never speaks is left when the attempt's time is over.
func TestMailGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	cfg := mailConfig{reached: make(chan struct{}), closed: make(chan struct{})}
	s := newMailServer(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() { failed <- mailer(t, "smtp://"+s.Addr+sender, nil).Send(ctx, exampleMessage(t)) }()
	receive(t, cfg.reached, "the connection")
	cancel()
	var f *notify.Failure
	if err := receive(t, failed, "the error of Send"); !errors.As(err, &f) || f.Permanent || f.Problem != "the mail server can't be reached" {
		t.Errorf("got %v", err)
	}
	receive(t, cfg.closed, "the end of the connection")
}

func TestEmailGoesToTheLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	m := exampleMessage(t)
	if err := notify.NewEmailLog(slog.New(slog.NewTextHandler(&out, nil))).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"bob@example.org", "Läuft", "Ann assigned it to you", m.Tenant.String()} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, out.String())
		}
	}
	if strings.Count(out.String(), "\n") != 1 {
		t.Errorf("more than a line: %s", out.String())
	}
}

func TestParseSMTP(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"", "mail.example.org", "http://mail.example.org?from=a@b.c", "smtp://?from=a@b.c", "smtp://mail.example.org", "smtp://mail.example.org?from=s3cret",
		"smtp://u:s3cret@mail:port?from=a@b.c", "smtp://mail:0?from=a@b.c", "smtp://mail:65536?from=a@b.c", "smtp://mail/path?from=a@b.c",
		"smtp://mail?from=a@b.c&from=d@e.f", "smtp://mail?from=a@b.c&tls=maybe", "smtps://mail?from=a@b.c&tls=off", "smtp://mail?from=a@b.c&starttls=no",
		"smtp://u:s3cret%zz@mail?from=a@b.c",
	} {
		if _, err := notify.ParseSMTP(raw); err == nil {
			t.Errorf("%q passes", raw)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q is quoted: %v", raw, err)
		}
	}
	for _, raw := range []string{
		"smtp://mail.example.org?from=a@b.c", "smtps://u:p@mail.example.org:465/?from=Docket%20%3Ca@b.c%3E", "smtp://[::1]:25?from=a@b.c&tls=off",
	} {
		if _, err := notify.ParseSMTP(raw); err != nil {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestParseDomains(t *testing.T) {
	t.Parallel()
	for _, list := range [][]string{{""}, {"acme.example", ""}, {"@acme.example"}, {"*.acme.example"}, {"ann@acme.example"}, {"acme"}, {"acme.example/x"}, {"a b.example"}, {"a.example\n"}} {
		if got, err := notify.ParseDomains(list); err == nil && !slices.Equal(got, []string{"a.example"}) {
			t.Errorf("%q passes as %q", list, got)
		}
	}
	if got, err := notify.ParseDomains([]string{" acme.example", "bücher.example"}); err != nil || !slices.Equal(got, []string{"acme.example", "bücher.example"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

// A mail of an account has two forms of the same text, and no name or address becomes a
// header.
func TestAccountMailIsSent(t *testing.T) {
	t.Parallel()
	s := newMailServer(t, mailConfig{startTLS: true})
	e := mailer(t, "smtp://"+s.Addr+sender, s.Trust)
	m := notify.AccountMail{
		ID: uuid.Max, At: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), To: "bob@example.org", Subject: "Reset\r\nBcc: eve@example.org",
		Text: "Choose: https://docket.example.org/reset-password#token=abc\n", HTML: "<p><a href=\"https://docket.example.org/\">Choose</a></p>\n",
	}
	if err := e.SendAccountMail(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := <-s.got
	msg, err := mail.ReadMessage(strings.NewReader(got.data))
	if err != nil {
		t.Fatal(err)
	}
	if h := msg.Header; h.Get("Subject") != "Reset Bcc: eve@example.org" || h.Get("Bcc") != "" || h.Get("To") != "<bob@example.org>" || h.Get("Auto-Submitted") == "" {
		t.Errorf("%v", h)
	}
	_, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	var types, bodies []string
	for parts := multipart.NewReader(msg.Body, params["boundary"]); ; {
		part, err := parts.NextPart()
		if err != nil {
			break
		}
		body, _ := io.ReadAll(part) // NextPart decodes quoted-printable
		types, bodies = append(types, part.Header.Get("Content-Type")), append(bodies, strings.ReplaceAll(string(body), "\r\n", "\n"))
	}
	if len(types) != 2 || !strings.HasPrefix(types[0], "text/plain") || !strings.HasPrefix(types[1], "text/html") || bodies[0] != m.Text || bodies[1] != m.HTML {
		t.Errorf("%q %q", types, bodies)
	}
	for _, to := range []string{"bob@example.org\r\nBcc: eve@example.org", "Bob <bob@example.org>", "a b@example.org", "bob@example.org\u2028"} {
		m.To = to
		var f *notify.Failure
		if err := e.SendAccountMail(t.Context(), m); !errors.As(err, &f) || !f.Permanent {
			t.Errorf("%q: %v", to, err)
		}
	}
}
