package accounts

import (
	"embed"
	"fmt"
	html "html/template"
	"strings"
	text "text/template"
	"time"

	"github.com/google/uuid"
)

// Mail is a mail of an account with all that a Post needs. ID is the same at every try.
type Mail struct {
	ID         uuid.UUID
	At         time.Time
	To         string
	Subject    string
	Text, HTML string
}

// mailKind is how a kind is written and sent.
type mailKind struct {
	// wait is how long it is tried to be sent.
	wait time.Duration
	// lifetime is of its token, and page what the link with it opens at the public address; a
	// mail without a token has neither.
	lifetime time.Duration
	page     string

	subject, lead, action, end string
}

var mailKinds = map[MailKind]mailKind{
	MailVerify: {wait: 24 * time.Hour, lifetime: VerifyLifetime, page: "/verify-email", subject: "Verify your e-mail address", lead: "Somebody, probably you, registered at Docket with this e-mail address.",
		action: "Verify the address", end: "The link is valid for 24 hours. If it wasn't you, do nothing."},
	MailReset: {wait: ResetLifetime, lifetime: ResetLifetime, page: "/reset-password", subject: "Reset your password", lead: "Somebody, probably you, asked for a new password of your account at Docket.",
		action: "Choose a new password", end: "The link is valid once, for 30 minutes. If it wasn't you, do nothing: the password stays."},
	MailNotice: {wait: 24 * time.Hour, subject: "Your password was changed", lead: "The password of your account at Docket was changed, and sessions were ended.",
		end: "If it wasn't you, reset your password at once."},
}

//go:embed mail.txt.tmpl mail.html.tmpl
var mailFiles embed.FS

var (
	mailTextTemplate = text.Must(text.ParseFS(mailFiles, "mail.txt.tmpl"))
	mailHTMLTemplate = html.Must(html.ParseFS(mailFiles, "mail.html.tmpl"))
)

// link opens the page of a kind with a token. The token is behind the #, so no server that is
// on the way to the page, and none that the page loads from, gets it.
func (k mailKind) link(publicURL, token string) string {
	return publicURL + k.page + "#token=" + token
}

// compose writes a mail to an address.
func compose(kind MailKind, publicURL, token, to string) (Mail, error) {
	k := mailKinds[kind]
	content := struct{ Subject, Lead, Link, Action, End string }{Subject: k.subject, Lead: k.lead, Action: k.action, End: k.end}
	if token != "" {
		content.Link = k.link(publicURL, token)
	}
	var plain, rich strings.Builder
	if err := mailTextTemplate.Execute(&plain, content); err != nil {
		return Mail{}, fmt.Errorf("write mail: %w", err)
	}
	if err := mailHTMLTemplate.Execute(&rich, content); err != nil {
		return Mail{}, fmt.Errorf("write mail: %w", err)
	}
	return Mail{To: to, Subject: k.subject, Text: plain.String(), HTML: rich.String()}, nil
}
