package httpapi

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	watermillmiddleware "github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/google/uuid"

	"docket/accounts"
	"docket/commands"
	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/internal/apitest"
	"docket/internal/pgtest"
	"docket/internal/postgres"
	"docket/internal/tenanttest"
	"docket/notify"
	"docket/projections"
	"docket/projections/rebuild"
)

const (
	// password is everyone's.
	password = "correct horse battery"
	// setupCode founds the default tenant from afar.
	setupCode = "let-me-in"
)

// world is a database with the default tenant in it, all subscriptions running,
// and one replica of the API in front.
type world struct {
	testing.TB
	server    *Server
	store     *eventstore.Store
	published *published
	document  *apitest.Document
	rebuild   *rebuild.Rebuilder
	// keys are managed keys, with which no server signs.
	keys *accounts.KeyStore
	// mailboxes are those of the newest server.
	mailboxes *accounts.Mailboxes
	// sendMails sends mails that wait, and returns them.
	sendMails func() []accounts.Mail
	// mails are those that were sent and not looked at, the newest of each address.
	mails map[string]accounts.Mail
	// execute runs a statement as the engine.
	execute func(sql string)
	// replica makes another Server, which shares nothing with the first but the
	// database.
	replica func() *Server
	// peer makes another Server with subscriptions of its own, as another process
	// would run them.
	peer func() *Server
	// stop stops the subscriptions once they are checkpointed; resume runs them again, as
	// another process would.
	stop, resume func()
	// beginSession makes a user's session, as a login does.
	beginSession func(uuid.UUID, domain.UserID)
	// expireGrace makes it long ago that the used refresh tokens were used.
	expireGrace func()
	// insert writes an event at the end of a tenant's log, as another version of
	// Docket would.
	insert func(t domain.TenantID, stream domain.StreamID, eventType string, schema int, data string)
	// events counts the events of all logs, the platform's included.
	events func() int
	// caughtUp waits until all subscriptions have come to a seq of a tenant.
	caughtUp func(domain.TenantID, int64)
	// checkpointed waits until the checkpoints are at the end of all logs. They follow the
	// positions that caughtUp waits for.
	checkpointed func()
	// head is the last seq of a tenant.
	head func(domain.TenantID) int64
	// platformCaughtUp waits until a subscription has come to the end of the
	// platform's log.
	platformCaughtUp func(subscription string)
	// beginEpoch begins an epoch, as an operator does after a restore, and records it in a
	// tenant's log. The first server follows at once.
	beginEpoch func(domain.TenantID)
	persons    atomic.Int64
}

func newWorld(t testing.TB) *world {
	t.Helper()
	db := pgtest.New(t)
	engine, api := db.Engine(t), db.API(t)
	progress := feed.NewPositions(api)
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	feeds := feedConfig(t, db, log)
	events := feed.New(feeds, progress)
	handlers := projections.Subscriptions()
	name, handler := notify.Subscription()
	handlers[name] = handler

	w := &world{TB: t, mails: map[string]accounts.Mail{}, rebuild: rebuild.New(engine)}
	master := bytes.Repeat([]byte("m"), 32)
	var err error
	if w.keys, err = accounts.NewKeyStore(engine, master); err != nil {
		t.Fatal(err)
	}
	// All replicas share the passwords: making them hashes one, which is slow.
	passwords, err := accounts.NewPasswords(engine)
	if err != nil {
		t.Fatal(err)
	}
	var first *eventstore.Store
	replica := func(follower eventstore.Follower, progress *feed.Positions) (*Server, *commands.Commands) {
		t.Helper()
		store := eventstore.New(engine, api, follower)
		if first == nil {
			first = store
		}
		secrets, err := notify.NewSecrets(engine, master)
		if err != nil {
			t.Fatal(err)
		}
		keys := accounts.NewAPIKeys(engine)
		cmds, err := commands.New(commands.Config{Store: store, Passwords: passwords, Secrets: secrets, APIKeys: keys, SetupCode: setupCode, Registration: commands.RegisterAnyone})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cmds.EnsureDefaultTenant(context.Background(), commands.NewTenant{Name: "Default Org", Slug: defaultSlug}); err != nil {
			t.Fatal(err)
		}
		// A read that never sees its write fails its test all the same, later: at the
		// latest when its request does.
		queries, inbox := projections.NewQueries(api, progress), notify.NewInbox(api, progress)
		queries.OwnWait, queries.MinWait, queries.AsOfTime, inbox.OwnWait = time.Minute, time.Minute, time.Minute, time.Minute
		sessions := accounts.NewSessions(engine, passwords, cmds, nil, master)
		w.mailboxes = accounts.NewMailboxes(sessions)
		s, err := New(Config{
			Commands: cmds, Sessions: sessions, Mailboxes: w.mailboxes,
			Queries: queries, Inbox: inbox, Epochs: eventstore.NewEpochs(engine, store, nil, log),
			Egress:  notify.NewEgress(nil),
			APIKeys: keys, Tokens: testTokens(t), MasterKey: master, Version: "test",
			Ready: func(context.Context) error { return nil }, Logger: log,
		})
		if err != nil {
			t.Fatal(err)
		}
		return s, cmds
	}
	var cmds *commands.Commands
	w.server, cmds = replica(events, progress)
	w.replica = func() *Server {
		s, _ := replica(elsewhere{events}, feed.NewPositions(api))
		return s
	}
	w.peer = func() *Server {
		progress := feed.NewPositions(api)
		events := feed.New(feedConfig(t, db, log), progress)
		s, cmds := replica(events, progress)
		handlers := maps.Clone(handlers)
		handlers[commands.Renames] = feed.Handle(cmds.CarryRenames)
		runSubscriptions(t, events, handlers, log)
		return s
	}
	w.beginEpoch = func(tenant domain.TenantID) {
		t.Helper()
		e, err := eventstore.NewEpochs(engine, first, nil, log).Begin(context.Background(), "restored from a backup")
		if err == nil {
			_, err = cmds.BeginEpoch(context.Background(), tenant, e)
		}
		if err != nil {
			t.Fatal(err)
		}
		first.ServerChanged()
	}
	w.store = eventstore.New(engine, api, events)
	handlers[commands.Renames] = feed.Handle(cmds.CarryRenames)
	stop := runSubscriptions(t, events, handlers, log)
	w.stop = func() { w.checkpointed(); stop() }
	w.resume = func() {
		feeds := feeds
		feeds.Sweep = 50 * time.Millisecond // no append wakes this feed
		runSubscriptions(t, feed.New(feeds, progress), handlers, log)
	}
	w.beginSession = func(id uuid.UUID, user domain.UserID) {
		t.Helper()
		_, err := engine.Exec(context.Background(),
			`insert into sessions (id, user_id, expires_at) values ($1, $2, now() + interval '1 day')`, id, user.UUID())
		if err != nil {
			t.Fatal(err)
		}
	}
	w.expireGrace = func() {
		t.Helper()
		if _, err := engine.Exec(context.Background(), `update refresh_tokens set used_at = used_at - interval '1 minute'`); err != nil {
			t.Fatal(err)
		}
	}
	w.sendMails = func() []accounts.Mail {
		t.Helper()
		var post postbox
		if err := accounts.NewMailSender(engine, cmds, &post, "https://docket.example.org", log).Round(context.Background()); err != nil {
			t.Fatal(err)
		}
		return post
	}
	w.execute = func(sql string) {
		t.Helper()
		if _, err := engine.Exec(context.Background(), sql); err != nil {
			t.Fatal(err)
		}
	}
	w.insert = func(id domain.TenantID, stream domain.StreamID, eventType string, schema int, data string) {
		t.Helper()
		_, err := engine.Exec(context.Background(), `insert into events (tenant_id, seq, stream_type, stream_id, version, type, schema_version,
occurred_at, command_id, data, meta)
select $1, max(e.seq) + 1, $2, $3, 1 + count(*) filter (where e.stream_id = $3), $4, $5, clock_timestamp(), $6, $7, '{}'
from events e where e.tenant_id = $1`, id.UUID(), string(stream.Type), stream.ID, eventType, schema, uuid.New(), data)
		if err != nil {
			t.Fatal(err)
		}
		events.Grew([]domain.TenantID{id})
	}
	if w.published, err = readPublished(); err != nil {
		t.Fatal(err)
	}
	if w.document, err = readDocument(); err != nil {
		t.Fatal(err)
	}
	w.events = func() (n int) {
		t.Helper()
		if err := engine.QueryRow(context.Background(), `select count(*) from events`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	w.platformCaughtUp = func(subscription string) {
		t.Helper()
		head := w.head(domain.Platform)
		if !progress.Await(t.Context(), domain.Platform, head, subscription) {
			t.Fatalf("%s never came to seq %d of the platform", subscription, head)
		}
	}
	w.head = func(tenant domain.TenantID) (seq int64) {
		t.Helper()
		if err := engine.QueryRow(context.Background(), `select max(seq) from events where tenant_id = $1`, tenant.UUID()).Scan(&seq); err != nil {
			t.Fatal(err)
		}
		return seq
	}
	w.checkpointed = func() {
		t.Helper()
		names := slices.Collect(maps.Keys(handlers))
		tenanttest.Eventually(t, "subscriptions are behind", func() (bool, any) {
			var behind []string
			if err := engine.QueryRow(context.Background(), sqlBehind, names).Scan(&behind); err != nil {
				t.Fatal(err)
			}
			return len(behind) == 0, behind
		})
	}
	w.caughtUp = func(tenant domain.TenantID, seq int64) {
		t.Helper()
		for name := range handlers {
			if !progress.Await(t.Context(), tenant, seq, name) {
				t.Fatalf("%s never came to seq %d", name, seq)
			}
		}
	}
	return w
}

// feedConns is the size of a feed's pool. Each world starts these sessions anew, which
// costs more than its workers wait for each other.
const feedConns = 3

// feedConfig is the program's, with fewer workers and connections.
func feedConfig(t testing.TB, db *pgtest.DB, log *slog.Logger) feed.Config {
	t.Helper()
	pool, err := postgres.Pool(context.Background(), db.EngineURL, postgres.PoolConfig{
		Role: postgres.EngineRole, MaxConns: feedConns, AppName: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	interests := projections.Interests()
	interests[notify.SubscriptionName] = notify.Interest()
	interests[commands.Renames] = commands.RenameInterest()
	return feed.Config{
		Pool: pool, Workers: 1, Interests: interests, Groups: map[string][]string{projections.GroupName: projections.Models()}, Logger: log,
	}
}

// elsewhere wakes a feed after the appends of a replica without one, as that replica's
// NOTIFY would: it doesn't bring the events.
type elsewhere struct{ *feed.Feed }

func (e elsewhere) Appended(events []domain.Recorded, _ []int) {
	var grown []domain.TenantID
	for _, event := range events {
		grown = append(grown, event.Tenant)
	}
	e.Grew(grown)
}

// sqlBehind lists the subscriptions, of these ($1), that haven't handled all logs.
const sqlBehind = `select coalesce(array_agg(distinct s.name), '{}') from tenant_logs t cross join unnest($1::text[]) as s (name)
left join generations g on g.tenant_id = t.tenant_id and g.subscription = s.name
left join checkpoints c on c.tenant_id = t.tenant_id and c.subscription = s.name and c.generation = coalesce(g.current, 1)
where coalesce(c.seq, 0) < (select coalesce(max(e.seq), 0) from events e where e.tenant_id = t.tenant_id)`

// testKey signs the access tokens of every world.
var testKey = accounts.SigningKey{ID: "k", Secret: bytes.Repeat([]byte("k"), 32)}

// runSubscriptions runs them until stop, at the latest until the test ends.
func runSubscriptions(t testing.TB, events *feed.Feed, handlers map[string]message.NoPublishHandlerFunc, log *slog.Logger) (stop func()) {
	t.Helper()
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NewSlogLogger(log))
	if err != nil {
		t.Fatal(err)
	}
	router.AddMiddleware(watermillmiddleware.Recoverer)
	for name, handler := range handlers {
		router.AddConsumerHandler(name, name, events, handler)
	}
	group, handler := projections.Group()
	router.AddConsumerHandler(group, group, events, handler)
	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.Background()) }()
	<-router.Running()
	stop = sync.OnceFunc(func() {
		if err := router.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// testTokens are access tokens of testKey.
func testTokens(t testing.TB) *accounts.Tokens {
	t.Helper()
	tokens, err := accounts.NewTokens(accounts.TokenConfig{Configured: []accounts.SigningKey{testKey}, ConfiguredSigns: true, Issuer: "docket"})
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// postbox keeps the mails that are sent.
type postbox []accounts.Mail

func (p *postbox) Send(_ context.Context, m accounts.Mail) (bool, error) {
	*p = append(*p, m)
	return false, nil
}
