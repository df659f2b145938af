package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"docket/commands"
	"docket/eventstore/feed"
	"docket/internal/postgres"
	"docket/migrations"

	"github.com/spf13/cobra"
)

// How long the steps of stopping may take; see the package comment.
const (
	requestsTimeout = 20 * time.Second
	feedTimeout     = 10 * time.Second
)

// defaultTenant is the tenant of a request that names none.
var defaultTenant = commands.NewTenant{Name: "Default Org", Slug: "default"}

func (p *program) serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the API",
		Long: `Run the API and keep the read models and notifications up to date.

Without DATABASE_URL it starts a private Postgres in the data directory and keeps its
keys there. With DATABASE_URL it needs DOCKET_MASTER_KEY and the schema: run docket
migrate first, or set DOCKET_MIGRATE=true.

SIGINT (Ctrl-C) or SIGTERM stops it after the requests under way; a second signal cuts
them off.

Environment:
  DATABASE_URL               Postgres 15 to 18; the login appends and runs the subscriptions
  DOCKET_API_DATABASE_URL    the login that reads (default: DATABASE_URL)
  DOCKET_OWNER_DATABASE_URL  the login that migrates (default: DATABASE_URL)
  DOCKET_MIGRATE             true: migrate before serving
  DOCKET_DATABASE_WAIT       how long to wait for a Postgres that isn't there yet (default 30s; 0s: not at all)
  DOCKET_ADDR                where to listen (default 127.0.0.1:8000; port 0: any)
  DOCKET_OPS_ADDR            the address of /metrics and /debug/pprof, without a password (default: none)
  DOCKET_DATA_DIR            default $XDG_DATA_HOME/docket; for root /var/lib/docket
  DOCKET_JWT_ALGORITHM       EdDSA: managed keys sign access tokens (docket keys); HS256: the first of DOCKET_JWT_KEYS (default: HS256 where that is set)
  DOCKET_JWT_KEYS            shared secrets, kid:base64 of at least 32 bytes, separated by commas; all verify (default: none)
  DOCKET_MASTER_KEY          base64 of at least 32 bytes
  DOCKET_SETUP_CODE          the code that founds the default tenant from another machine
  DOCKET_REGISTRATION        who may register: local (default: from this machine), anyone, invited, "nobody"
  DOCKET_TENANT_CREATION     who creates tenants: anyone (default) or operators
  DOCKET_TENANTS_PER_USER    how many tenants a user may own who creates one (default 100; 0: any number)
  DOCKET_ISSUER              the issuer in access tokens (default docket)
  DOCKET_SMTP_URL            smtp://user:password@host:587?from=docket@example.org, or smtps:// (default: e-mail is written to the log)
  DOCKET_PUBLIC_URL          begins the links in mails of accounts, as https://docket.example.org (default: none; those mails aren't sent)
  DOCKET_SMTP_FROM_DOMAINS   domains of tenants' addresses that e-mail may come from (default: none; a tenant's address is where replies go)
  DOCKET_DELIVERIES_PER_HOUR how many messages of a channel a tenant may send to one recipient (default 30; 0: any number)
  DOCKET_DELIVERIES_PER_DAY  the same in 24 hours (default 200; 0: any number)
  DOCKET_KEEP_SESSIONS       how long a session that has ended is kept (default 168h; 0s: for ever; so are the next five)
  DOCKET_KEEP_REFRESH_TOKENS how long a used refresh token is kept: so long its reuse ends the session (default 168h)
  DOCKET_KEEP_DELIVERIES     how long a finished delivery is kept (default 720h)
  DOCKET_KEEP_NOTIFICATIONS  how long a notification is kept after it was read (default 2160h)
  DOCKET_KEEP_SECRETS        how long a replaced secret is kept (default 168h)
  DOCKET_KEEP_MAILS          how long a mail of an account, and its token, is kept after its time (default 168h)
  DOCKET_TRUSTED_PROXIES     networks of proxies whose X-Forwarded-For names the client (default: none)
  DOCKET_CORS_ORIGINS        origins whose pages may read answers in a browser, such as https://app.example (default: none)
  DOCKET_REQUESTS_PER_ADDRESS the most requests a second of an address, of one server (default 5000; 0: any number; so are the next two)
  DOCKET_REQUESTS_PER_USER   the same of a user (default 3000)
  DOCKET_REQUESTS_PER_TENANT the same of a tenant's members (default 5000)
  DOCKET_WRONG_LOGINS       how often logins of an account may fail from one address in 15 minutes (default 10; 0: any number; so are the next three)
  DOCKET_WRONG_LOGINS_PER_ACCOUNT the same from all addresses that it hasn't logged in from (default 50)
  DOCKET_WRONG_LOGINS_PER_ADDRESS the same of an address, with all accounts (default 200)
  DOCKET_NEW_USERS_PER_ADDRESS how many may register from an address in 15 minutes (default 2000)
  DOCKET_EGRESS_ALLOW        networks that webhooks may reach beside public ones, by http too
  DOCKET_LOG_FORMAT          text or json (default: text on a terminal)
  DOCKET_LOG_LEVEL           debug, info, warn or error (default info); requests are lines at info

Examples of the three logins, which docs/operations.md creates:
  DATABASE_URL=postgres://docket_engine_login:change-me-2@db:5432/docket?sslmode=require
  DOCKET_API_DATABASE_URL=postgres://docket_api_login:change-me-3@db:5432/docket?sslmode=require
  DOCKET_OWNER_DATABASE_URL=postgres://docket_owner:change-me-1@db:5432/docket?sslmode=require`,
		Example: `  docket serve
  docket serve --addr 127.0.0.1:9000
  DATABASE_URL=postgres://docket@db/docket DOCKET_MIGRATE=true docket serve`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := p.settings(c)
			if err != nil {
				return err
			}
			return p.serve(c.Context(), s, newLogger(p.stderr, s))
		},
	}
	serveFlags(c)
	return c
}

// serveFlags are the flags of serve, and of config check.
func serveFlags(c *cobra.Command) {
	c.Flags().String("addr", "", "where to listen, `host:port` (DOCKET_ADDR)")
	c.Flags().String("ops-addr", "", "the address of metrics and profiles, `host:port` (DOCKET_OPS_ADDR)")
	c.Flags().Bool("migrate", false, "migrate before serving (DOCKET_MIGRATE)")
	c.Flags().String("database-wait", "", "how long to wait for a Postgres that isn't there yet, a `duration` (DOCKET_DATABASE_WAIT)")
	c.Flags().String("jwt-algorithm", "", "what signs access tokens, `EdDSA` or HS256 (DOCKET_JWT_ALGORITHM)")
	c.Flags().String("issuer", "", "the issuer in access tokens, a `word` (DOCKET_ISSUER)")
	c.Flags().String("registration", "", "who may register: local, anyone, invited or \"nobody\", a `policy` (DOCKET_REGISTRATION)")
	c.Flags().String("tenant-creation", "", "who creates tenants: `anyone` or operators (DOCKET_TENANT_CREATION)")
	c.Flags().String("tenants-per-user", "", "how many tenants a user may own who creates one, a `number` (DOCKET_TENANTS_PER_USER)")
	c.Flags().String("public-url", "", "the `address` that begins the links in mails of accounts (DOCKET_PUBLIC_URL)")
	c.Flags().String("smtp-from-domains", "", "`domains` of tenants' addresses that e-mail may come from (DOCKET_SMTP_FROM_DOMAINS)")
	c.Flags().String("deliveries-per-hour", "", "the most messages of a channel from a tenant to one recipient, a `number` (DOCKET_DELIVERIES_PER_HOUR)")
	c.Flags().String("deliveries-per-day", "", "the same in 24 hours, a `number` (DOCKET_DELIVERIES_PER_DAY)")
	c.Flags().String("keep-sessions", "", "how long sessions are kept that have ended, a `duration` (DOCKET_KEEP_SESSIONS)")
	c.Flags().String("keep-refresh-tokens", "", "how long used refresh tokens are kept, a `duration` (DOCKET_KEEP_REFRESH_TOKENS)")
	c.Flags().String("keep-deliveries", "", "how long finished deliveries are kept, a `duration` (DOCKET_KEEP_DELIVERIES)")
	c.Flags().String("keep-notifications", "", "how long notifications are kept after they were read, a `duration` (DOCKET_KEEP_NOTIFICATIONS)")
	c.Flags().String("keep-secrets", "", "how long replaced secrets are kept, a `duration` (DOCKET_KEEP_SECRETS)")
	c.Flags().String("keep-mails", "", "how long mails of accounts are kept after their time, a `duration` (DOCKET_KEEP_MAILS)")
	c.Flags().String("trusted-proxies", "", "`networks` of proxies whose X-Forwarded-For names the client (DOCKET_TRUSTED_PROXIES)")
	c.Flags().String("cors-origins", "", "`origins` whose pages may read answers in a browser (DOCKET_CORS_ORIGINS)")
	c.Flags().String("requests-per-address", "", "the most requests a second of an address, a `number` (DOCKET_REQUESTS_PER_ADDRESS)")
	c.Flags().String("requests-per-user", "", "the same of a user, a `number` (DOCKET_REQUESTS_PER_USER)")
	c.Flags().String("requests-per-tenant", "", "the same of a tenant's members, a `number` (DOCKET_REQUESTS_PER_TENANT)")
	c.Flags().String("wrong-logins", "", "how often logins of an account may fail from one address in 15 minutes, a `number` (DOCKET_WRONG_LOGINS)")
	c.Flags().String("wrong-logins-per-account", "", "the same from all new addresses, a `number` (DOCKET_WRONG_LOGINS_PER_ACCOUNT)")
	c.Flags().String("wrong-logins-per-address", "", "the same of an address, a `number` (DOCKET_WRONG_LOGINS_PER_ADDRESS)")
	c.Flags().String("new-users-per-address", "", "how many may register from an address in 15 minutes, a `number` (DOCKET_NEW_USERS_PER_ADDRESS)")
	c.Flags().String("egress-allow", "", "`networks` that webhooks may reach beside public ones (DOCKET_EGRESS_ALLOW)")
}

// closers stop what was started, in reverse order.
type closers []func(context.Context) error

func (cs *closers) add(f func(context.Context) error) { *cs = append(*cs, f) }

func (cs closers) close(ctx context.Context) error {
	var errs []error
	for _, f := range slices.Backward(cs) {
		errs = append(errs, f(ctx))
	}
	return errors.Join(errs...)
}

// serve runs a server until ctx ends. It has stopped everything that it started when it
// returns.
func (p *program) serve(ctx context.Context, s settings, log *slog.Logger) (err error) {
	if err := s.requireSecrets(); err != nil {
		return err
	}
	log, outage := newOutages(log)
	var started closers
	defer func() {
		if ctx.Err() != nil {
			err = nil // of a start that the signal has interrupted
		}
		err = errors.Join(err, started.close(p.cutOff))
	}()

	// Before the database: a start that can't listen changes nothing.
	listener, err := listen(ctx, s.Addr)
	if err != nil {
		return err
	}
	started.add(func(context.Context) error { return listener.close() })
	operatorsListener, err := listenForOperations(ctx, s.OpsAddr, log)
	if err != nil {
		return err
	}
	if operatorsListener != nil {
		started.add(func(context.Context) error { return operatorsListener.close() })
	}
	db, err := openDatabase(ctx, s, log)
	if err != nil {
		return err
	}
	started.add(db.stop)
	secrets, err := s.readSecrets()
	if err != nil {
		return err
	}
	awaitDatabase(ctx, db, s.DatabaseWait, log)
	if err := prepareSchema(ctx, s, db, log); err != nil {
		return err
	}
	pools, err := openPools(ctx, db, "docket serve", postgres.AppendConns, true, log)
	if err != nil {
		return err
	}
	started.add(pools.close)
	if err := pools.warnOfWeakWall(ctx, db, log); err != nil {
		return err
	}
	if err := pools.warnOfFewSlots(ctx, log); err != nil {
		return err
	}
	durable := func() error { return nil }
	if !p.onUnsafePostgres {
		watch := watchDurability(ctx, pools, log)
		started.add(watch.stop)
		durable = watch.check
	}
	metrics := newMetrics()
	app, err := newApp(pools, s, secrets, durable, metrics, log)
	if err != nil {
		return err
	}
	if err := app.tokens.Start(ctx); err != nil {
		return err
	}
	started.add(func(context.Context) error { app.tokens.Stop(); return nil })
	outage.watch(ctx, app.ready.access)
	started.add(outage.stop)
	operators := startOperations(operatorsListener, operations(app.handler, metrics, log), log)
	started.add(operators.stop)
	// Before the first tenant is created: its subscriptions then begin at its first event.
	if err := app.feed.Begin(ctx); err != nil {
		return err
	}
	founded, err := app.ensureDefaultTenant(ctx)
	if err != nil {
		return err
	}
	app.refoldEmails(ctx, log)
	if err := app.epochs.Start(ctx); err != nil {
		return err
	}
	started.add(func(ctx context.Context) error {
		return within(ctx, poolsTimeout, "stop looking at the epoch", func() error { app.epochs.Stop(); return nil })
	})
	app.builds.Start()
	started.add(func(ctx context.Context) error { return stopBuilds(ctx, app.builds) })
	router, err := startRouter(ctx, app.feed, app.commands, app.delivery.queue, log)
	if err != nil {
		return err
	}
	started.add(router.stop)
	awaitSweeps(ctx, app.feed, log)
	app.epochs.StartRecording() // it appends to the tenants' logs
	started.add(newHousekeeping(pools.Engine, chores(s, pools.Engine, app.store), metrics, log).start().stop)
	started.add(startRenames(pools.Engine, app.commands, metrics, log).stop)
	started.add(startAccountMails(app, pools, s, log))
	server := startHTTP(listener, app.handler, log)
	started.add(server.stop)
	app.ready.setServing(true)
	started.add(func(context.Context) error { app.ready.setServing(false); return nil })
	announce(log, listener, founded, secrets.SetupCode)

	select {
	case <-ctx.Done():
		log.Info("stopping: requests under way are answered first; a second signal cuts them off")
		return nil
	case err := <-server.ended:
		return fmt.Errorf("the HTTP server ended: %w", err)
	case err := <-operators.ended:
		return fmt.Errorf("the HTTP server of the operations address ended: %w", err)
	case err := <-router.ended:
		return fmt.Errorf("the subscriptions ended: %w", err)
	case <-db.exited():
		return fmt.Errorf("the private Postgres ended; see postgres.log in %s", s.DataDir)
	}
}

// sweepsWait bounds the wait for the first sweeps: with a damaged database a server starts
// too.
const sweepsWait = 15 * time.Second

// awaitSweeps waits until checkpoints that are ahead of logs were found, before requests and
// the records of an epoch can make the logs grow past them.
func awaitSweeps(ctx context.Context, events *feed.Feed, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, sweepsWait)
	defer cancel()
	if !events.AwaitSweeps(ctx) {
		log.Warn("not all subscriptions were compared with the logs yet; starting nevertheless")
	}
}

// prepareSchema migrates if it may, and refuses a database that does not suit.
func prepareSchema(ctx context.Context, s settings, d *database, log *slog.Logger) error {
	if err := checkServer(ctx, d, log); err != nil {
		return err
	}
	if d.Private || s.Migrate {
		current, target, err := migrations.Pending(ctx, d.Owner)
		if err != nil {
			return err
		}
		if current <= target { // requireSchema refuses a newer one
			if err := migrations.Up(ctx, d.Owner, log); err != nil {
				return err
			}
		}
	}
	return requireSchema(ctx, d)
}

// announce logs the address of the server, and how to become the first owner.
func announce(log *slog.Logger, l *listener, founded bool, setupCode string) {
	log.Info("listening", "url", l.url(), "docs", l.url()+"/docs", "version", version())
	switch {
	case founded:
	case setupCode == "":
		log.Info("the first to register becomes the owner, on this machine only; set DOCKET_SETUP_CODE to allow it from elsewhere")
	default:
		log.Info("the first to register becomes the owner; from another machine that needs the setup code", "setup_code", setupCode)
	}
}
