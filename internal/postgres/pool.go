package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"
)

// PoolConfig says who a pool's sessions are.
type PoolConfig struct {
	// Role the sessions take on; "" leaves the login as it is (migrations).
	Role Role
	// MaxConns bounds the pool; 0 leaves it to the URL's pool_max_conns, else to
	// pgx (the number of CPUs, at least 4).
	MaxConns int32
	// AppName shows in pg_stat_activity.
	AppName string
	// Watch, if not nil, looks at every new connection, and closes those to a server that
	// has been replaced.
	Watch *ServerWatch
	// Requests says that the pool serves requests, whose clients may hang up: a statement
	// whose context ends is cancelled without the loss of its connection, and its error is
	// SQLSTATE 57014. Else the connection is closed at once.
	Requests bool
}

// Time limits of a session, per role, in milliseconds. They stop what went wrong, they
// are not the deadline of a request: that is the context's.
const (
	engineStatement = 60_000 // a page of a rebuild
	// Below the time that an append is waited for, so that one that couldn't get its
	// tenant's lock hears that nothing was done.
	engineLock = 5_000
	// A replica that stopped in the middle of a page loses its checkpoint lock
	// after this. It is above what a handler may take for a page.
	engineIdleInTx = 45_000
	apiStatement   = 15_000
	apiLock        = 5_000
	apiIdleInTx    = 10_000
)

// ErrBadURL says that a connection string cannot be read. It does not say why:
// the causes quote parts of the string, and with them parts of passwords.
var ErrBadURL = errors.New("not a valid Postgres connection string (it should look like postgres://user:password@host:5432/database)")

// Pool opens a pool on url whose sessions are cfg.Role from the first moment:
// the role is a startup parameter, so it costs no round trip, and RESET ROLE
// leads back to it. The login must be that role's member (or superuser).
//
// A pooler between (PgBouncer) must work in session mode and pass startup
// parameters on.
//
// The pool has connected once when Pool returns.
func Pool(ctx context.Context, url string, cfg PoolConfig) (*pgxpool.Pool, error) {
	pc, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, ErrBadURL
	}
	if cfg.MaxConns > 0 {
		pc.MaxConns = cfg.MaxConns
	}
	// Sessions end at different times, so that the pool never reconnects at once.
	pc.MaxConnLifetime = time.Hour
	pc.MaxConnLifetimeJitter = 10 * time.Minute
	if pc.ConnConfig.ConnectTimeout == 0 {
		pc.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	for name, value := range sessionParams(cfg) {
		pc.ConnConfig.RuntimeParams[name] = value
	}
	pc.ConnConfig.DialFunc = dialer(pc.ConnConfig.ConnectTimeout, silence(cfg.Role))
	if cfg.Requests {
		keepWhenCancelled(pc)
	}
	// Without it pgx turns ids into text, and back, on every way.
	pc.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		pgxuuid.Register(conn.TypeMap())
		if cfg.Watch == nil {
			return nil
		}
		return cfg.Watch.opened(ctx, conn)
	}
	if cfg.Watch != nil {
		pc.PrepareConn = func(_ context.Context, conn *pgx.Conn) (bool, error) { return cfg.Watch.current(conn), nil }
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, explain(ctx, err, cfg.Role, url, pc.ConnConfig.User)
	}
	return pool, nil
}

// silence is how long the sessions of a role wait for an answer; 0 for ever, where no
// statement_timeout ends statements.
func silence(role Role) time.Duration {
	switch role {
	case EngineRole:
		return engineStatement*time.Millisecond + silenceMargin
	case APIRole:
		return apiStatement*time.Millisecond + silenceMargin
	}
	return 0
}

// explain says what to do where a session could not take on its role.
func explain(ctx context.Context, err error, role Role, url, login string) error {
	switch other := otherRole(role); {
	case role != "" && hasCode(err, codeInsufficientPrivilege) && mayBecome(ctx, url, other):
		// With the grant that it lacks it would be both, and the wall between them gone.
		return fmt.Errorf("postgres: login %s may not become %s, but %s: are DATABASE_URL and DOCKET_API_DATABASE_URL swapped? %w", login, role, other, err)
	case role != "" && hasCode(err, codeInsufficientPrivilege):
		return fmt.Errorf("postgres: login %s may not become %s: have a superuser run GRANT %s TO %s: %w", login, role, role, login, err)
	case role != "" && hasCode(err, codeInvalidParameter, codeUndefinedObject):
		return fmt.Errorf("postgres: role %s does not exist: run docket migrate first: %w", role, err)
	default:
		return fmt.Errorf("postgres: %w", err)
	}
}

func otherRole(role Role) Role {
	if role == EngineRole {
		return APIRole
	}
	return EngineRole
}

// mayBecome reports whether the login of url may take on a role; false where it can't tell.
func mayBecome(ctx context.Context, url string, role Role) (may bool) {
	c, err := connect(ctx, url)
	if err != nil {
		return false
	}
	defer c.Close(context.WithoutCancel(ctx))
	err = c.QueryRow(ctx, `SELECT pg_has_role(current_user, $1, 'MEMBER')`, role).Scan(&may)
	return may && err == nil
}

// sessionParams are the settings every session starts with.
func sessionParams(cfg PoolConfig) map[string]string {
	params := map[string]string{
		"TimeZone":                      "UTC",
		"default_transaction_isolation": "read committed", // Append's SQL function needs it
		"jit":                           "off",
		// pg_temp last: first, as by default, a temporary table would hide a real one.
		"search_path": "public, pg_temp",
		// A dead peer is noticed within about 40 s; no effect on a Unix socket.
		"tcp_keepalives_idle":     "15",
		"tcp_keepalives_interval": "5",
		"tcp_keepalives_count":    "5",
		"tcp_user_timeout":        "30000",
	}
	if cfg.AppName != "" {
		params["application_name"] = cfg.AppName
	}
	limits := func(statement, lock, idle int) {
		params["statement_timeout"] = strconv.Itoa(statement)
		params["lock_timeout"] = strconv.Itoa(lock)
		params["idle_in_transaction_session_timeout"] = strconv.Itoa(idle)
	}
	switch cfg.Role {
	case EngineRole:
		limits(engineStatement, engineLock, engineIdleInTx)
		// Every statement of the engine is by key. On a fresh database the
		// planner, without statistics, would prefer to scan the small tables, and
		// cached plans would keep doing so as they grow.
		params["enable_seqscan"] = "off"
	case APIRole:
		limits(apiStatement, apiLock, apiIdleInTx)
	}
	if cfg.Role != "" {
		params["role"] = string(cfg.Role)
	}
	return params
}
