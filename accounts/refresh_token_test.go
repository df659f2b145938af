package accounts_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"docket/accounts"
	"docket/domain"

	"github.com/jackc/pgx/v5/pgxpool"
)

// cutConn is a connection to Postgres that breaks in place of the next answer.
type cutConn struct {
	net.Conn
	cut *atomic.Bool
}

func (c cutConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.cut.CompareAndSwap(true, false) {
		c.Conn.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// unreliable is a pool of one connection that loses an answer where cut is set.
func (f *fixture) unreliable() (pool *pgxpool.Pool, cut *atomic.Bool) {
	f.t.Helper()
	cfg, err := pgxpool.ParseConfig(f.db.EngineURL)
	if err != nil {
		f.t.Fatal(err)
	}
	cut = &atomic.Bool{}
	cfg.MaxConns = 1
	cfg.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	cfg.ConnConfig.RuntimeParams["role"] = "docket_engine"
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		return cutConn{c, cut}, err
	}
	if pool, err = pgxpool.NewWithConfig(f.t.Context(), cfg); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(pool.Close)
	return pool, cut
}

// The answer to a refresh is lost: the client hears that the outcome is unknown, sends
// the token again, to any replica, and stays logged in.
func TestRefreshWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx, now := t.Context(), time.Now()
	pool, cut := f.unreliable()
	lossy := f.replica(pool, masterKey)
	first := f.login(now)
	// The statement is prepared before the answer is lost.
	session, err := lossy.Refresh(ctx, first.RefreshToken, now)
	if err != nil {
		t.Fatal(err)
	}
	cut.Store(true)
	_, err = lossy.Refresh(ctx, session.RefreshToken, now)
	wantCode(t, "the answer of a refresh was lost", err, domain.CodeOutcomeUnknown)
	if cut.Load() {
		t.Fatal("no answer was lost")
	}
	next, err := f.sessions.Refresh(ctx, session.RefreshToken, now)
	if err != nil {
		t.Fatalf("the token again: %v", err)
	}
	if again, err := lossy.Refresh(ctx, session.RefreshToken, now); err != nil || again != next {
		t.Errorf("the token once more, on another replica: %+v, %v; want %+v", again, err, next)
	}
	if err := f.sessions.Check(ctx, first.ID, f.ann); err != nil {
		t.Errorf("the session: %v", err)
	}
	if _, err := f.sessions.Refresh(ctx, next.RefreshToken, now); err != nil {
		t.Errorf("the next token: %v", err)
	}
	// Other answers that are lost leave as much unknown.
	cut.Store(true)
	_, err = lossy.Login(ctx, "ann@example.org", password, netip.Prefix{}, now)
	if err == nil || cut.Load() {
		t.Errorf("a login whose answer is lost: %v", err)
	}
}

// What the grace gives is bound to its time, to the session and to the key.
func TestRefreshGrace(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx, now := t.Context(), time.Now()
	refresh := func(what string, by *accounts.Sessions, s accounts.Session, code domain.Code) accounts.Session {
		t.Helper()
		next, err := by.Refresh(ctx, s.RefreshToken, now)
		if code == "" && err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if code != "" {
			wantCode(t, what, err, code)
		}
		return next
	}
	other := f.replica(f.pool, "another master key, of 32 bytes and more")

	first := f.login(now)
	second := refresh("first use", f.sessions, first, "")
	if second.RefreshToken == refresh("another session", f.sessions, f.login(now), "").RefreshToken {
		t.Error("two sessions have the same token")
	}
	if err := f.sessions.Logout(ctx, first.ID, f.ann); err != nil {
		t.Fatal(err)
	}
	refresh("a session that was ended", f.sessions, first, domain.CodeUnauthenticated)

	first = f.login(now)
	refresh("first use", f.sessions, first, "")
	refresh("with another master key", other, first, domain.CodeUnauthenticated)

	// The clock is Postgres': that of a replica is an hour behind.
	first = f.login(now)
	second = refresh("first use", f.sessions, first, "")
	f.expireGrace()
	now = now.Add(-time.Hour)
	refresh("after the grace", f.sessions, first, domain.CodeUnauthenticated)
	refresh("the successor of a token that came too late", f.sessions, second, domain.CodeUnauthenticated)
}
