package accounts_test

import (
	"context"
	"net/netip"
	"os"
	"testing"
	"time"

	"docket/accounts"
	"docket/domain"
	"docket/internal/pgtest"

	"github.com/jackc/pgx/v5/pgxpool"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

const password = "correct horse battery"

// directory are the users by e-mail address.
type directory map[string]domain.UserID

func (d directory) UserByEmail(_ context.Context, email string) (domain.UserID, bool, error) {
	id, found := d[domain.FoldEmail(email)]
	return id, found, nil
}

// fixture is one database with one user, ann@example.org.
type fixture struct {
	t         *testing.T
	db        *pgtest.DB
	pool      *pgxpool.Pool
	passwords *accounts.Passwords
	sessions  *accounts.Sessions
	ann       domain.UserID
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	db := pgtest.New(t)
	pool := db.Engine(t)
	passwords, err := accounts.NewPasswords(pool)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, db: db, pool: pool, passwords: passwords, ann: domain.UserID{1, 2, 3}}
	f.sessions = f.replica(pool, masterKey)
	if err := passwords.Create(t.Context(), f.ann, "ann@example.org", password); err != nil {
		t.Fatal(err)
	}
	return f
}

const masterKey = "a master key of at least 32 bytes"

// replica is another process's Sessions.
func (f *fixture) replica(pool *pgxpool.Pool, master string) *accounts.Sessions {
	return accounts.NewSessions(pool, f.passwords, directory{"ann@example.org": f.ann}, nil, []byte(master))
}

// expireGrace makes it long ago that the used refresh tokens were used.
func (f *fixture) expireGrace() {
	f.t.Helper()
	_, err := f.pool.Exec(f.t.Context(), `update refresh_tokens set used_at = used_at - $1::float8 * interval '1 second'`, accounts.RefreshGrace.Seconds())
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) login(now time.Time) accounts.Session {
	f.t.Helper()
	s, err := f.sessions.Login(f.t.Context(), "ann@example.org", password, netip.Prefix{}, now)
	if err != nil {
		f.t.Fatalf("log in: %v", err)
	}
	return s
}

// wantCode fails the test unless err is a refusal with the code.
func wantCode(t *testing.T, what string, err error, code domain.Code) {
	t.Helper()
	if err == nil || domain.CodeOf(err) != code {
		t.Fatalf("%s: error is %v, want code %s", what, err, code)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx, now := t.Context(), time.Now()
	s, err := f.sessions.Login(ctx, "aNN@example.org", password, netip.Prefix{}, now)
	if err != nil {
		t.Fatalf("log in with another case of the address: %v", err)
	}
	if s.User != f.ann || !s.ExpiresAt.Equal(now.Add(accounts.SessionLifetime)) {
		t.Errorf("session of %s until %s, want %s until %s", s.User, s.ExpiresAt, f.ann, now.Add(accounts.SessionLifetime))
	}
	_, err = f.sessions.Login(ctx, "ann@example.org", password+"x", netip.Prefix{}, now)
	wantCode(t, "wrong password", err, domain.CodeUnauthenticated)
	_, err = f.sessions.Login(ctx, "unknown@example.org", password, netip.Prefix{}, now)
	wantCode(t, "unknown address", err, domain.CodeUnauthenticated)

	if err := f.passwords.Delete(ctx, f.ann); err != nil {
		t.Fatalf("delete password: %v", err)
	}
	_, err = f.sessions.Login(ctx, "ann@example.org", password, netip.Prefix{}, now)
	wantCode(t, "deleted password", err, domain.CodeUnauthenticated)
}

func TestRefreshAndRevoke(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx, now := t.Context(), time.Now()
	first := f.login(now)
	second, err := f.sessions.Refresh(ctx, first.RefreshToken, now)
	if err != nil {
		t.Fatalf("refresh: %v", err)
	}
	if second.ID != first.ID || second.User != f.ann || second.RefreshToken == first.RefreshToken {
		t.Fatalf("refreshed session %s of %s, want %s of %s with another token", second.ID, second.User, first.ID, f.ann)
	}
	if err := f.sessions.Check(ctx, first.ID, f.ann); err != nil {
		t.Fatalf("check a session after login: %v", err)
	}
	f.expireGrace()
	_, err = f.sessions.Refresh(ctx, first.RefreshToken, now)
	wantCode(t, "used token", err, domain.CodeUnauthenticated)
	_, err = f.sessions.Refresh(ctx, second.RefreshToken, now)
	wantCode(t, "unused token of a session whose used token came again", err, domain.CodeUnauthenticated)
	wantCode(t, "check that session", f.sessions.Check(ctx, first.ID, f.ann), domain.CodeUnauthenticated)

	_, err = f.sessions.Refresh(ctx, "never-issued", now)
	wantCode(t, "unknown token", err, domain.CodeUnauthenticated)
	_, err = f.sessions.Refresh(ctx, f.login(now).RefreshToken, now.Add(accounts.SessionLifetime+time.Second))
	wantCode(t, "expired session", err, domain.CodeUnauthenticated)

	third := f.login(now)
	if err := f.sessions.Check(ctx, third.ID, f.ann); err != nil {
		t.Fatalf("check a session after login: %v", err)
	}
	wantCode(t, "check for another user", f.sessions.Check(ctx, third.ID, domain.UserID{1}), domain.CodeUnauthenticated)
	if err := f.sessions.Logout(ctx, third.ID, f.ann); err != nil {
		t.Fatalf("log out: %v", err)
	}
	wantCode(t, "check after logout", f.sessions.Check(ctx, third.ID, f.ann), domain.CodeUnauthenticated)
	_, err = f.sessions.Refresh(ctx, third.RefreshToken, now)
	wantCode(t, "refresh after logout", err, domain.CodeUnauthenticated)
}

// Concurrent requests with the same refresh token, as of a browser's tabs, get the same
// next one: one request makes it.
func TestConcurrentRefresh(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.login(time.Now())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const n = 20
	errs := make(chan error, n)
	tokens := make(chan string, n)
	for range n {
		go func() {
			next, err := f.sessions.Refresh(ctx, s.RefreshToken, time.Now())
			errs <- err
			tokens <- next.RefreshToken
		}()
	}
	next := map[string]bool{}
	for range n {
		if err := <-errs; err != nil {
			t.Errorf("a request with the token: %v", err)
		}
		next[<-tokens] = true
	}
	if len(next) != 1 {
		t.Errorf("%d requests got %d tokens, want 1", n, len(next))
	}
	var stored int
	if err := f.pool.QueryRow(ctx, `select count(*) from refresh_tokens`).Scan(&stored); err != nil || stored != 2 {
		t.Errorf("%d tokens are stored, %v; want the used one and the next", stored, err)
	}
}
