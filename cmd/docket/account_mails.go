package main

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"

	"docket/accounts"
	"docket/notify"
)

// mailPost sends mails of accounts by the mail server of the notifications.
type mailPost struct{ email *notify.Email }

// Send sends a mail.
func (p mailPost) Send(ctx context.Context, m accounts.Mail) (permanent bool, err error) {
	err = p.email.SendAccountMail(ctx, notify.AccountMail(m))
	var failure *notify.Failure
	return errors.As(err, &failure) && failure.Permanent, err
}

// startAccountMails starts what sends mails of accounts, or says that none are sent.
func startAccountMails(a *app, p *pools, s settings, log *slog.Logger) (stop func(context.Context) error) {
	if a.delivery.email == nil || s.PublicURL == "" {
		level := slog.LevelInfo // a new installation has neither
		if a.delivery.email != nil {
			level = slog.LevelWarn
		}
		log.Log(context.Background(), level, "no mail verifies an address or resets a password: set DOCKET_SMTP_URL and DOCKET_PUBLIC_URL, or use docket users reset-link")
		return func(context.Context) error { return nil }
	}
	sender := accounts.NewMailSender(p.Login, a.commands, mailPost{a.delivery.email}, s.linkBase(), log)
	sender.Start()
	return func(ctx context.Context) error {
		return within(ctx, poolsTimeout, "stop the mails of accounts", func() error { sender.Stop(); return nil })
	}
}

// linkBase begins the links in mails; empty without a public address.
func (s *settings) linkBase() string { return strings.TrimSuffix(s.PublicURL, "/") }

// checkPublicURL is what is wrong with the public address, or nil.
func checkPublicURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("must be an address such as https://docket.example.org")
	}
	return nil
}
