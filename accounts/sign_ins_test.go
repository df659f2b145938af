package accounts_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"docket/accounts"
	"docket/domain"
)

var (
	home   = netip.MustParsePrefix("192.0.2.1/32")
	office = netip.MustParsePrefix("192.0.2.2/32")
	evil   = netip.MustParsePrefix("198.51.100.1/32")
)

// limited is a replica with quotas.
func (f *fixture) limited(q accounts.SignInQuotas) *accounts.Sessions {
	return accounts.NewSessions(f.pool, f.passwords, directory{"ann@example.org": f.ann},
		accounts.NewSignIns(f.pool, []byte(masterKey), q), []byte(masterKey))
}

// guess sends wrong passwords, and counts those that were compared.
func guess(t *testing.T, s *accounts.Sessions, email string, from netip.Prefix, times int) (compared int) {
	t.Helper()
	for range times {
		switch _, err := s.Login(t.Context(), email, password+"x", from, time.Now()); domain.CodeOf(err) {
		case domain.CodeUnauthenticated:
			compared++
		case domain.CodeRateLimited:
		default:
			t.Fatalf("guess: %v", err)
		}
	}
	return compared
}

// Guesses at one account from one address end, on all replicas together, and keep the owner
// out of no other address.
func TestGuessesAreLimited(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	q := accounts.SignInQuotas{Account: 10, AccountOverall: 12, Address: 40}
	one, two := f.limited(q), f.limited(q)
	login := func(s *accounts.Sessions, from netip.Prefix) error {
		_, err := s.Login(t.Context(), "ann@example.org", password, from, time.Now())
		return err
	}
	if err := login(one, home); err != nil {
		t.Fatal(err)
	}
	if n := guess(t, one, "ann@example.org", evil, 5000) + guess(t, two, "ANN@example.org", evil, 5000); n != 5 {
		t.Errorf("%d of 10,000 guesses were compared, want 5", n)
	}
	wantCode(t, "the right password from there", login(two, evil), domain.CodeRateLimited)
	if err := login(two, office); err != nil {
		t.Errorf("the owner from a new address: %v", err)
	}
	// Many addresses use up the account's quota; where it has been known it is apart.
	for i := range 10 {
		guess(t, one, "ann@example.org", netip.MustParsePrefix(fmt.Sprintf("203.0.113.%d/32", i)), 3)
	}
	wantCode(t, "a new address", login(two, netip.MustParsePrefix("203.0.113.99/32")), domain.CodeRateLimited)
	for _, known := range []netip.Prefix{home, office} {
		if err := login(two, known); err != nil {
			t.Errorf("the owner from %s: %v", known, err)
		}
	}
	// An account that isn't there is alike.
	if n := guess(t, one, "none@example.org", home, 20); n != 5 {
		t.Errorf("%d guesses at an unknown account were compared, want 5", n)
	}
	var emails, addresses int
	if err := f.pool.QueryRow(t.Context(), `select count(distinct account), count(*) from known_addresses`).Scan(&emails, &addresses); err != nil {
		t.Fatal(err)
	}
	if emails != 1 || addresses != 2 {
		t.Errorf("%d accounts with %d known addresses", emails, addresses)
	}
}

// One address can't go through many accounts; one that is known there is apart.
func TestGuessesOfAnAddressAreLimited(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.limited(accounts.SignInQuotas{Account: 10, AccountOverall: 50, Address: 16})
	if _, err := s.Login(t.Context(), "ann@example.org", password, home, time.Now()); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for i := range 30 {
		compared += guess(t, s, fmt.Sprintf("user%d@example.org", i), home, 1)
	}
	if compared != 8 {
		t.Errorf("%d guesses were compared, want 8", compared)
	}
	if _, err := s.Login(t.Context(), "ann@example.org", password, home, time.Now()); err != nil {
		t.Errorf("the owner from the same address: %v", err)
	}
}

// Right passwords use up nothing, however many come together.
func TestRightPasswordsAreNotLimited(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.limited(accounts.SignInQuotas{Account: 4, AccountOverall: 4, Address: 4})
	var refused atomic.Int64
	var logins sync.WaitGroup
	for range 12 {
		logins.Go(func() {
			if _, err := s.Login(context.Background(), "ann@example.org", password, home, time.Now()); err != nil {
				refused.Add(1)
				t.Log(err)
			}
		})
	}
	logins.Wait()
	if refused.Load() > 0 {
		t.Errorf("%d were refused", refused.Load())
	}
}

func TestRegistrationsAndRefreshesAreLimited(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := accounts.NewSignIns(f.pool, []byte(masterKey), accounts.SignInQuotas{Registrations: 4, Refreshes: 4})
	ctx := t.Context()
	for range 2 {
		if err := s.Register(ctx, evil); err != nil {
			t.Fatal(err)
		}
		if err := s.MayRefresh(evil); err != nil {
			t.Fatal(err)
		}
		s.RefreshFailed(ctx, evil)
	}
	wantCode(t, "the third registration", s.Register(ctx, evil), domain.CodeRateLimited)
	s.RefreshFailed(ctx, evil)
	wantCode(t, "the fourth refresh", s.MayRefresh(evil), domain.CodeRateLimited)
	if err := s.Register(ctx, home); err != nil {
		t.Errorf("another address: %v", err)
	}
	if err := s.MayRefresh(home); err != nil {
		t.Errorf("another address: %v", err)
	}
	// Counters that mean nothing any more go.
	if _, err := f.pool.Exec(ctx, `update sign_in_limits set full_at = now() - interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	if n, err := accounts.DeleteWholeQuotas(ctx, f.pool, accounts.SignInWindow, 100); err != nil || n != 3 {
		t.Errorf("%d counters were deleted, %v", n, err)
	}
	s.Registered(ctx, "ann@example.org", home)
	if n, err := accounts.DeleteKnownAddresses(ctx, f.pool, 0, 100); err != nil || n != 1 {
		t.Errorf("%d known addresses were deleted, %v", n, err)
	}
}

// The refusal of a login that follows another one comes after the pause.
func TestFollowingRefusalsAreHeldBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const pause = 50 * time.Millisecond
	for name, c := range map[string]struct {
		quotas accounts.SignInQuotas
		second string // whose login is refused
	}{
		"of an account": {accounts.SignInQuotas{Account: 2, Pause: pause}, "held@example.org"},
		"of an address": {accounts.SignInQuotas{Address: 2, Pause: pause}, "another@example.org"},
	} {
		s, from := f.limited(c.quotas), netip.MustParsePrefix("198.51.100.77/32")
		guess(t, s, "held@example.org", from, 1)
		if n := guess(t, s, c.second, from, 1); n != 0 {
			t.Fatalf("%s: the second login is compared", name)
		}
		begin := time.Now()
		if n := guess(t, s, c.second, from, 1); n != 0 || time.Since(begin) < pause {
			t.Errorf("%s: %d compared, after %v", name, n, time.Since(begin))
		}
	}
}
