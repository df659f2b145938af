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

// mailFacts is what a mail says beside its link.
type mailFacts struct {
	address string
	// tenant and role are of an invitation.
	tenant, role string
}

// mailKind is how a kind is written, and the page of the public address that its link opens.
type mailKind struct {
	page, subject, lead, action, end string
}

var mailKinds = map[MailKind]mailKind{
	MailVerify: {page: "/verify-email", subject: "Verify your e-mail address", lead: "Somebody, probably you, registered at Docket with this e-mail address.",
		action: "Verify the address", end: "The link is valid for 24 hours. If it wasn't you, do nothing."},
	MailReset: {page: "/reset-password", subject: "Reset your password", lead: "Somebody, probably you, asked for a new password of your account at Docket.",
		action: "Choose a new password", end: "The link is valid once, for 30 minutes. If it wasn't you, do nothing: the password stays."},
	MailNotice: {subject: "Your password was changed", lead: "The password of your account at Docket was changed, and sessions were ended.",
		end: "If it wasn't you, reset your password at once."},
	MailInvitation: {page: "/accept-invitation", subject: "You are invited to a tenant of Docket",
		action: "Accept the invitation", end: "The invitation is valid once, for 7 days. If you don't know what it is about, do nothing."},
}

//go:embed mail.txt.tmpl mail.html.tmpl
var mailFiles embed.FS

var (
	mailTextTemplate = text.Must(text.ParseFS(mailFiles, "mail.txt.tmpl"))
	mailHTMLTemplate = html.Must(html.ParseFS(mailFiles, "mail.html.tmpl"))
)

// compose writes a mail. The token is behind the link's #, so no server that is on the way to
// the page, and none that the page loads from, gets it.
func compose(kind MailKind, publicURL, token string, f mailFacts) (Mail, error) {
	k := mailKinds[kind]
	content := struct{ Subject, Lead, Link, Action, End string }{Subject: k.subject, Lead: k.lead, Action: k.action, End: k.end}
	if kind == MailInvitation {
		content.Lead = fmt.Sprintf("An owner of %q invites you to it, as %s.", f.tenant, f.role)
	}
	if k.page != "" {
		content.Link = publicURL + k.page + "#token=" + token
	}
	var plain, rich strings.Builder
	if err := mailTextTemplate.Execute(&plain, content); err != nil {
		return Mail{}, fmt.Errorf("write mail: %w", err)
	}
	if err := mailHTMLTemplate.Execute(&rich, content); err != nil {
		return Mail{}, fmt.Errorf("write mail: %w", err)
	}
	return Mail{To: f.address, Subject: k.subject, Text: plain.String(), HTML: rich.String()}, nil
}
