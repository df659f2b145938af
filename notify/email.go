package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"slices"
	"strings"
	"unicode"

	"docket/domain"

	gomail "github.com/wneessen/go-mail"
)

// maxSubject is the greatest length of a subject, in characters.
const maxSubject = 250

// EmailLog is the Provider for e-mail while no replica has a mail server: it logs the message.
type EmailLog struct{ log *slog.Logger }

// NewEmailLog makes an EmailLog.
func NewEmailLog(log *slog.Logger) *EmailLog { return &EmailLog{log} }

// Send logs the message.
func (p *EmailLog) Send(ctx context.Context, m Message) error {
	p.log.InfoContext(ctx, "e-mail, not sent: no mail server is set", "tenant", m.Tenant,
		"to", m.Email, "subject", subject(m), "text", m.Body)
	return nil
}

// Email is the Provider that sends by a mail server.
type Email struct {
	server SMTPServer
	// domains are folded.
	domains []string
	tls     *tls.Config
}

// NewEmail makes an Email. domains (ParseDomains) are those that the mail server may send
// for: an address of a tenant in one of them is the sender. base may be nil; it is the TLS
// configuration to start from, for a server whose certificate is signed privately.
func NewEmail(server SMTPServer, domains []string, base *tls.Config) *Email {
	if base == nil {
		base = &tls.Config{}
	}
	cfg := base.Clone()
	cfg.ServerName, cfg.MinVersion = server.host, tls.VersionTLS12
	return &Email{server: server, domains: column(domains, foldDomain), tls: cfg}
}

// Send sends the message. From is the operator's address: any user can make a tenant, and
// so name any address. The tenant's is in Reply-To, or is From where the operator allows
// its domain. The envelope's sender, to which bounces go, is always the server's.
func (p *Email) Send(ctx context.Context, m Message) error {
	out, err := p.compose(m)
	if err != nil {
		return err
	}
	return p.deliver(ctx, out)
}

// compose makes the mail. No text of the message can put a line break into an address
// or a header field.
func (p *Email) compose(m Message) (*gomail.Msg, error) {
	out := gomail.NewMsg()
	to, err := bareAddress(m.Email)
	if err != nil {
		return nil, permanent("the member's e-mail address can't be used", err)
	}
	to.Name = oneLine(m.Recipient.Name)
	p.fromServer(out, m.ID.UUID(), m.CreatedAt)
	if m.EmailFrom != nil {
		own, err := bareAddress(*m.EmailFrom)
		if err != nil {
			return nil, permanent("the tenant's sender address can't be used", err)
		}
		if _, host, _ := cutAddress(own.Address); slices.Contains(p.domains, foldDomain(host)) {
			out.FromMailAddress(own)
		} else {
			out.ReplyToMailAddress(own)
		}
	}
	out.ToMailAddress(to)
	out.Subject(subject(m))
	out.SetBodyString(gomail.TypeTextPlain, m.Body+"\n")
	return out, nil
}

// ParseDomains checks domains of e-mail addresses, such as acme.example. It takes each by
// itself, without its subdomains.
func ParseDomains(list []string) ([]string, error) {
	var out []string
	for _, d := range list {
		d = strings.TrimSpace(d)
		_, err := bareAddress("x@" + d)
		if err != nil || strings.ContainsAny(d, "*[]/") || !strings.Contains(d, ".") {
			return nil, fmt.Errorf("must be domains, such as acme.example, separated by commas: %q is none", d)
		}
		out = append(out, d)
	}
	return out, nil
}

// foldDomain is the form in which domains are compared, that of the users' addresses.
func foldDomain(d string) string {
	_, folded, _ := cutAddress(domain.FoldEmail("x@" + d))
	return folded
}

// cutAddress cuts an address at its last "@".
func cutAddress(s string) (local, host string, found bool) {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// bareAddress parses an address that has no name and no comment.
func bareAddress(s string) (*mail.Address, error) {
	a, err := mail.ParseAddress(s)
	if err != nil {
		return nil, err
	}
	if a.Address != s || strings.ContainsFunc(s, breaksLines) {
		return nil, errors.New("more than an address")
	}
	return a, nil
}

// breaksLines reports whether some reader takes a character for the end of a line.
func breaksLines(r rune) bool { return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) }

func subject(m Message) string {
	s := []rune(oneLine(m.Title))
	if len(s) > maxSubject {
		return string(s[:maxSubject-1]) + "…"
	}
	return string(s)
}

// oneLine replaces each run of spaces and line breaks by one space.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// mailFailure classifies why a mail was not accepted. A failure before the mail is
// offered (connecting, TLS, login) is transient; a 5yz answer to the mail itself is
// permanent (RFC 5321, 4.2.1).
func mailFailure(err error) error {
	var refused *gomail.SendError
	var timeout net.Error
	switch {
	case errors.As(err, &refused) && refused.ErrorCode() >= 500:
		return permanent(fmt.Sprintf("the mail server refused it (%d)", refused.ErrorCode()), err)
	case errors.As(err, &refused) && refused.ErrorCode() > 0:
		return transient(fmt.Sprintf("the mail server put it off (%d)", refused.ErrorCode()), err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return transient("the mail server didn't answer in time", err)
	}
	return transient("the mail server can't be reached", err)
}
