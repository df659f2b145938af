package notify

import (
	"context"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/google/uuid"
)

// AccountMail is a mail of an account, in two forms: accounts writes it.
type AccountMail struct {
	ID         uuid.UUID
	At         time.Time
	To         string
	Subject    string
	Text, HTML string
}

// SendAccountMail sends a mail of an account from the operator's address. Errors are as those
// of Send.
func (p *Email) SendAccountMail(ctx context.Context, m AccountMail) error {
	to, err := bareAddress(m.To)
	if err != nil {
		return permanent("the address can't be used", err)
	}
	out := gomail.NewMsg()
	out.ToMailAddress(to)
	p.fromServer(out, m.ID, m.At)
	out.Subject(oneLine(m.Subject))
	out.SetBodyString(gomail.TypeTextPlain, m.Text)
	out.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return p.deliver(ctx, out)
}

// fromServer sets what all mails have in common. The id is the same at every attempt: the
// receiver can recognize a duplicate.
func (p *Email) fromServer(out *gomail.Msg, id uuid.UUID, at time.Time) {
	from := p.server.from
	out.FromMailAddress(&from)
	out.EnvelopeFromMailAddress(&mail.Address{Address: from.Address})
	_, host, _ := strings.Cut(from.Address, "@")
	out.SetMessageIDWithValue(id.String() + "@" + host)
	out.SetDateWithValue(at)
	out.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no automatic reply
	out.SetUserAgent("Docket")
}

// deliver offers a mail to the mail server.
func (p *Email) deliver(ctx context.Context, out *gomail.Msg) error {
	client, err := p.server.client(ctx, p.tls)
	if err != nil {
		return transient("internal error", err)
	}
	if err := client.DialAndSendWithContext(ctx, out); err != nil && !out.IsDelivered() {
		return mailFailure(err)
	}
	return nil // delivered, even if QUIT failed
}
