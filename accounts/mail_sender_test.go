package accounts_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"docket/accounts"
	"docket/domain"
)

// User is the user of an id.
func (d directory) User(_ context.Context, id domain.UserID) (domain.User, error) {
	for email, of := range d {
		if of == id {
			return domain.User{ID: id, Email: email}, nil
		}
	}
	return domain.User{}, domain.NotFound("user")
}

// post keeps mails, or fails with err.
type post struct {
	sent      []accounts.Mail
	err       error
	permanent bool
}

func (p *post) Send(_ context.Context, m accounts.Mail) (bool, error) {
	p.sent = append(p.sent, m)
	return p.permanent, p.err
}

// A mail that fails is sent again later, with the same id and another token; one that is
// refused for good isn't. No token is in the database, an address gets so many a day, and a
// disabled account none.
func TestMailsAreTriedAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := &post{err: errors.New("busy")}
	sender := accounts.NewMailSender(f.pool, directory{"ann@example.org": f.ann}, p, "https://docket.example.org", slog.New(slog.DiscardHandler))
	boxes := accounts.NewMailboxes(f.sessions)
	execute := func(sql string) {
		t.Helper()
		if _, err := f.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	round := func(want int) {
		t.Helper()
		p.sent = nil
		if err := sender.Round(t.Context()); err != nil || len(p.sent) != want {
			t.Fatalf("%d mails, %v; want %d", len(p.sent), err, want)
		}
	}
	ask := func() {
		t.Helper()
		execute(`update account_mails set created_at = created_at - interval '2 minutes'`)
		if err := boxes.AskReset(t.Context(), "ann@example.org", netip.Prefix{}); err != nil {
			t.Fatal(err)
		}
	}
	round(1) // the verification, since the account was made
	first := p.sent[0]
	round(0)
	p.err = nil
	execute(`update account_mails set next_at = now()`)
	round(1)
	if again := p.sent[0]; again.ID != first.ID || again.Text == first.Text {
		t.Errorf("%+v, and then %+v", first, again)
	}
	_, token, _ := strings.Cut(strings.TrimSpace(p.sent[0].Text), "#token=")
	token, _, _ = strings.Cut(token, "\n")
	var rows string
	err := f.pool.QueryRow(t.Context(), `select (select string_agg(m::text, '') from account_mails m) || (select string_agg(t::text, '') from account_tokens t)`).Scan(&rows)
	if err != nil || len(token) != 43 || strings.Contains(rows, token) {
		t.Errorf("the token %q in %s, %v", token, rows, err)
	}
	p.err, p.permanent = errors.New("no such mailbox"), true
	ask()
	round(1)
	execute(`update account_mails set next_at = now()`)
	round(0)
	p.err = nil
	for range 12 {
		ask()
	}
	execute(`update account_mails set next_at = now()`)
	round(9) // ten a day
	execute(`delete from account_mails`)
	if found, err := f.passwords.Disable(t.Context(), f.ann); err != nil || !found {
		t.Fatal(found, err)
	}
	ask()
	round(0)
}
