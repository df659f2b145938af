package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"docket/accounts"
	"docket/commands"
	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/httpapi"
	"docket/httpapi/edge"
	"docket/notify"
	"docket/projections"
	"docket/projections/rebuild"

	"github.com/prometheus/client_golang/prometheus"
)

// refreshFailures is how many refresh tokens of one address may be refused in
// accounts.SignInWindow. They can't be guessed; each costs the database some work.
const refreshFailures = 1000

// refusalPause is short for whoever mistyped a password too often, and makes 80 connections
// that guess without end 320 requests a second.
const refusalPause = 250 * time.Millisecond

// mailsPerAddress is how many resets of passwords one address may ask for in that time.
const mailsPerAddress = 100

// app is everything between the pools and HTTP.
type app struct {
	store    *eventstore.Store
	epochs   *eventstore.Epochs
	commands *commands.Commands
	feed     *feed.Feed
	builds   *rebuild.Background
	delivery *delivery
	tokens   *accounts.Tokens
	ready    *readiness
	handler  *httpapi.Server
}

func newApp(p *pools, s settings, sec secrets, durable func() error, metrics prometheus.Registerer, log *slog.Logger) (*app, error) {
	positions := feed.NewPositions(p.API)
	builds := newBackgroundBuilds(p.Feed, metrics, log)
	a := &app{builds: builds, feed: newFeed(p.Feed, positions, builds, metrics, log)}
	a.ready = newReadiness(p.API, p.Login, durable, a.feed.SinceSweep, log)
	a.store = eventstore.New(p.Engine, p.API, a.feed)
	a.store.Register(metrics)
	a.ready.register(metrics)
	p.register(metrics)
	var err error
	if a.delivery, err = newDelivery(p, s, sec, metrics, log); err != nil {
		return nil, err
	}
	passwords, err := accounts.NewPasswords(p.Login)
	if err != nil {
		return nil, err
	}
	apiKeys := accounts.NewAPIKeys(p.Login)
	a.commands, err = commands.New(commands.Config{
		APIKeys: apiKeys,
		Store:   a.store, Passwords: passwords, Secrets: a.delivery.secrets, SetupCode: sec.SetupCode, Logger: log,
		Registration: commands.RegistrationPolicy(s.Registration), OnlyOperatorsCreate: s.TenantCreation == createdByOperators,
		TenantsPerUser: s.TenantsPerUser,
		Metrics:        metrics,
	})
	if err != nil {
		return nil, err
	}
	a.epochs = eventstore.NewEpochs(p.Engine, a.store, func(ctx context.Context, e domain.Epoch) error {
		return recordEpoch(ctx, p.Engine, a.commands, e, log)
	}, log)
	keys, err := accounts.NewKeyStore(p.Login, sec.MasterKey)
	if err != nil {
		return nil, err
	}
	a.tokens, err = accounts.NewTokens(accounts.TokenConfig{
		Configured: sec.SigningKeys, ConfiguredSigns: sec.SharedSecretSigns, Managed: keys, Issuer: s.Issuer, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	signIns := accounts.NewSignIns(p.Login, sec.MasterKey, accounts.SignInQuotas{
		Account: s.WrongLogins, AccountOverall: s.WrongLoginsPerAccount, Address: s.WrongLoginsPerAddress,
		Registrations: s.RegistrationsPerAddress, Refreshes: refreshFailures, Mails: mailsPerAddress, Pause: refusalPause,
	})
	sessions := accounts.NewSessions(p.Login, passwords, a.commands, signIns, sec.MasterKey)
	proxies, err := parseNetworks(s.TrustedProxies)
	if err != nil {
		return nil, &settingError{"DOCKET_TRUSTED_PROXIES", err.Error()}
	}
	origins, err := edge.ParseOrigins(s.CORSOrigins)
	if err != nil {
		return nil, &settingError{"DOCKET_CORS_ORIGINS", err.Error()}
	}
	a.handler, err = httpapi.New(httpapi.Config{
		Epochs: a.epochs, Commands: a.commands, Sessions: sessions, Mailboxes: accounts.NewMailboxes(sessions), SignIns: signIns,
		Queries: projections.NewQueries(p.API, positions), Inbox: notify.NewInbox(p.API, positions), Egress: a.delivery.egress,
		Tokens: a.tokens, APIKeys: apiKeys, MasterKey: sec.MasterKey, Version: apiVersion,
		Logger: log, Ready: a.ready.check, Metrics: metrics, Proxies: proxies, Origins: origins,
		Limits: edge.Limits{Address: s.RequestsPerAddress, User: s.RequestsPerUser, Tenant: s.RequestsPerTenant},
	})
	if err != nil {
		return nil, err
	}
	p.Watch.OnChange(a.serverChanged)
	return a, nil
}

// refoldEmails moves the claims of addresses to the form in which they are compared now.
// Until it has, users are found by either form.
func (a *app) refoldEmails(ctx context.Context, log *slog.Logger) {
	moved, collisions, err := a.store.RefoldEmails(ctx)
	if err != nil {
		log.Warn("the claims of e-mail addresses weren't all brought into their present form; the next start tries it again", "error", err)
	}
	if moved > 0 {
		log.Info("claims of e-mail addresses were brought into their present form", "moved", moved)
	}
	for _, u := range collisions {
		log.Warn("a user's e-mail address is, by its ASCII form, another user's too; each still logs in with it as it was registered", "user_id", u)
	}
}

// serverChanged forgets what came from another database server. The store is first: what
// is read before that is not remembered afterwards.
func (a *app) serverChanged() {
	a.store.ServerChanged()
	a.commands.ServerChanged()
	a.feed.ServerChanged()
	a.handler.ServerChanged()
}

// ensureDefaultTenant creates the default tenant if it is missing, and reports whether it
// has an owner.
func (a *app) ensureDefaultTenant(ctx context.Context) (founded bool, err error) {
	id, err := a.commands.EnsureDefaultTenant(ctx, defaultTenant)
	if err != nil {
		return false, fmt.Errorf("default tenant: %w", err)
	}
	// The log is read, as the read model may lag.
	var t domain.Tenant
	err = a.store.Fold(ctx, id, domain.Stream(domain.TenantStream, id), 0, eventstore.Head, func(e domain.Recorded) (err error) {
		t, err = t.Evolve(e)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("default tenant: %w", err)
	}
	return !t.AwaitsFounder, nil
}
