package accounts

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"docket/domain"
	"docket/eventstore"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// SignInQuotas are how often signing in may fail in SignInWindow, half of it at once; 0 is
// any number. All replicas share the counts.
type SignInQuotas struct {
	// Account is of one account from one address, AccountOverall of one account from all
	// addresses that it hasn't signed in from before, Address of one address with all
	// accounts that haven't signed in from it before.
	Account, AccountOverall, Address int
	// Registrations are all of one address, failed or not. Refreshes are its failed uses of
	// refresh tokens and of tokens from mails.
	Registrations, Refreshes int
	// Pause is how long the refusal of a login is held back that follows another one.
	Pause time.Duration
	// Mails are the resets of passwords that one address asks for, whosoever's.
	Mails int
}

// SignInWindow is the time of SignInQuotas.
const SignInWindow = 15 * time.Minute

const (
	// slots is how many counters a scope has at most.
	slots = 1 << 18
	// maxRefused is how many counters this replica remembers as used up.
	maxRefused = 50_000
	// KnownAddressLifetime is how long an address stays known without being used.
	KnownAddressLifetime = 90 * 24 * time.Hour
	// maxKnown is how many known addresses an account has; the oldest make room.
	maxKnown = 20
	// giveBackTimeout bounds the statement after a sign-in.
	giveBackTimeout = 5 * time.Second
)

// The scopes of counters, which are the names of the quotas too.
const (
	scopeAccount       = "login"
	scopeAddress       = "login-address"
	scopeOverall       = "login-account"
	scopeRegistrations = "register-address"
	scopeRefreshes     = "refresh-address"
	scopeMails         = "mail-address"
)

// SignInScopes are the names of the quotas of SignIns.
var SignInScopes = []string{scopeAccount, scopeAddress, scopeOverall, scopeRegistrations, scopeRefreshes, scopeMails}

// SignIns limits signing in, before any hashing. A nil SignIns limits nothing. Its methods may
// be called from any goroutine.
type SignIns struct {
	pool   *pgxpool.Pool
	key    []byte
	quotas map[string]quota
	// refused are the counters that are used up until a time: they answer without Postgres.
	refused *lru.Cache[counter, time.Time]
	turns   turns
	held    heldRefusals
}

// quota is one of SignInQuotas. Requests fill it up one each interval.
type quota struct {
	name     string
	burst    int
	interval time.Duration
}

// counter is a row of sign_in_limits.
type counter struct {
	scope string
	slot  int32
}

// NewSignIns makes SignIns over a pool of the engine role. All replicas have the same master
// key, without which no slot can be foreseen and no address be read from the database.
func NewSignIns(pool *pgxpool.Pool, masterKey []byte, q SignInQuotas) *SignIns {
	key, err := hkdf.Key(sha256.New, masterKey, nil, "docket sign-in limits v1", sha256.Size)
	if err != nil {
		panic(err) // only for a length that HKDF can't make
	}
	refused, err := lru.New[counter, time.Time](maxRefused)
	if err != nil {
		panic(err) // only for a size that isn't positive
	}
	quotas := map[string]quota{}
	for scope, most := range map[string]int{scopeAccount: q.Account, scopeAddress: q.Address, scopeOverall: q.AccountOverall,
		scopeRegistrations: q.Registrations, scopeRefreshes: q.Refreshes, scopeMails: q.Mails} {
		quotas[scope] = newQuota(scope, most)
	}
	return &SignIns{pool: pool, key: key, quotas: quotas, refused: refused, turns: turns{of: map[string]*turn{}}, held: newHeldRefusals(q.Pause)}
}

// newQuota allows at most so many in SignInWindow, whenever it begins: half of them at once.
func newQuota(name string, most int) quota {
	if most <= 0 {
		return quota{name: name, burst: 1 << 30}
	}
	burst := (most + 1) / 2
	return quota{name, burst, SignInWindow / time.Duration(max(most-burst, 1))}
}

// attempt is a login that may hash.
type attempt struct {
	client
	account, address []byte
	counted          []counter
	signIns          *SignIns
	turn             func()
}

// begin counts a login of an address as failed, or returns CodeRateLimited. The caller calls
// end. Known and unknown accounts are alike to it.
func (s *SignIns) begin(ctx context.Context, email string, from netip.Prefix) (a attempt, err error) {
	a = attempt{client: client{network: from}, signIns: s}
	if s == nil {
		return a, nil
	}
	folded, network := domain.FoldEmail(email), from.String()
	a.account, a.address = s.hash("account", folded), s.hash("address", network)
	pair := counter{scopeAccount, s.slot(folded + "\x00" + network)}
	address, overall := counter{scopeAddress, s.slot(network)}, counter{scopeOverall, s.slot(folded)}
	if err := s.remembered(pair); err != nil {
		return a, s.held.hold(ctx, err)
	}
	// No more of one account and address at once than may fail: right passwords that come
	// together are counted only while they are checked.
	if a.turn, err = s.turns.take(ctx, folded+"\x00"+network, s.quotas[scopeAccount].burst); err != nil {
		return a, err
	}
	if err := s.count(ctx, &a, pair, address, overall); err != nil {
		a.turn()
		return a, err
	}
	return a, nil
}

// beginUser is begin for a signed-in user who repeats their password, from wherever.
func (s *SignIns) beginUser(ctx context.Context, u domain.UserID) (a attempt, err error) {
	a = attempt{client: client{known: true}, signIns: s}
	if s == nil {
		return a, nil
	}
	key := "user " + u.String()
	c := counter{scopeAccount, s.slot(key)}
	if a.turn, err = s.turns.take(ctx, key, s.quotas[scopeAccount].burst); err != nil {
		return a, err
	}
	if err := s.countOne(ctx, c); err != nil {
		a.turn()
		return a, err
	}
	a.counted = []counter{c}
	return a, nil
}

// count counts in Postgres.
func (s *SignIns) count(ctx context.Context, a *attempt, pair, address, overall counter) error {
	if err := s.remembered(pair); err != nil {
		return err
	}
	refusal := s.remembered(address)
	if refusal == nil {
		refusal = s.remembered(overall)
	}
	if refusal != nil {
		if err := s.pool.QueryRow(ctx, knownSQL, a.account, a.address, KnownAddressLifetime.Seconds()).Scan(&a.known); err != nil {
			return fmt.Errorf("look up the address: %w", eventstore.Unreachable(err))
		}
		if !a.known {
			return s.held.hold(ctx, refusal)
		}
	}
	var refused string
	var fullIn float64
	p, q, r := s.quotas[pair.scope], s.quotas[address.scope], s.quotas[overall.scope]
	err := s.pool.QueryRow(ctx, countLoginSQL, a.account, a.address, KnownAddressLifetime.Seconds(),
		pair.slot, p.interval.Seconds(), p.allowance(), address.slot, q.interval.Seconds(), q.allowance(),
		overall.slot, r.interval.Seconds(), r.allowance()).Scan(&a.known, &refused, &fullIn)
	if err != nil {
		return fmt.Errorf("count the login: %w", eventstore.Unreachable(err))
	}
	all := []counter{pair, address, overall}
	if a.known {
		all = all[:1]
	}
	for i, c := range all {
		if c.scope == refused {
			s.giveBack(ctx, all[:i], nil)
			return s.refuse(c, fullIn)
		}
	}
	a.counted = all
	return nil
}

// end gives back what was counted, unless the password was wrong. A right one makes the
// address known.
func (a attempt) end(ctx context.Context, hashed, right bool) {
	if a.signIns == nil {
		return
	}
	defer a.turn()
	switch {
	case right && a.account != nil:
		a.signIns.giveBack(ctx, a.counted, func(b *pgx.Batch) { queueKnown(b, a.account, a.address) })
	case right || !hashed:
		a.signIns.giveBack(ctx, a.counted, nil)
	}
}

// giveBack is for what will not fail: to fail itself costs the client a part of its quota.
func (s *SignIns) giveBack(ctx context.Context, counted []counter, also func(*pgx.Batch)) {
	b := &pgx.Batch{} // one implicit transaction; its rows in the order in which they are counted
	for _, c := range counted {
		b.Queue(giveBackSQL, c.scope, c.slot, s.quotas[c.scope].interval.Seconds())
	}
	if also != nil {
		also(b)
	}
	if b.Len() == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTimeout)
	defer cancel()
	_ = s.pool.SendBatch(ctx, b).Close()
}

// Register counts a registration of an address, or returns CodeRateLimited.
func (s *SignIns) Register(ctx context.Context, from netip.Prefix) error {
	if s == nil {
		return nil
	}
	return s.countOne(ctx, counter{scopeRegistrations, s.slot(from.String())})
}

// AskMail counts a reset of a password that an address asks for, or returns CodeRateLimited.
func (s *SignIns) AskMail(ctx context.Context, from netip.Prefix) error {
	if s == nil {
		return nil
	}
	return s.countOne(ctx, counter{scopeMails, s.slot(from.String())})
}

// Registered makes the address known to the account that has registered from it.
func (s *SignIns) Registered(ctx context.Context, email string, from netip.Prefix) {
	if s == nil {
		return
	}
	s.giveBack(ctx, nil, func(b *pgx.Batch) {
		queueKnown(b, s.hash("account", domain.FoldEmail(email)), s.hash("address", from.String()))
	})
}

// MayRefresh returns CodeRateLimited for an address whose refresh tokens have failed too often.
func (s *SignIns) MayRefresh(from netip.Prefix) error {
	if s == nil {
		return nil
	}
	return s.remembered(counter{scopeRefreshes, s.slot(from.String())})
}

// RefreshFailed counts a refresh token that was refused. The next one is refused where that
// was one too many, so a failure of the count does no harm.
func (s *SignIns) RefreshFailed(ctx context.Context, from netip.Prefix) {
	if s != nil {
		_ = s.countOne(ctx, counter{scopeRefreshes, s.slot(from.String())})
	}
}

func (s *SignIns) countOne(ctx context.Context, c counter) error {
	if err := s.remembered(c); err != nil {
		return err
	}
	q := s.quotas[c.scope]
	var counted bool
	var fullIn float64
	if err := s.pool.QueryRow(ctx, countSQL, c.scope, c.slot, q.interval.Seconds(), q.allowance()).Scan(&counted, &fullIn); err != nil {
		return fmt.Errorf("count %s: %w", c.scope, eventstore.Unreachable(err))
	}
	if !counted {
		return s.refuse(c, fullIn)
	}
	return nil
}

// allowance is how many seconds ahead full_at may be.
func (q quota) allowance() float64 {
	if q.interval == 0 {
		return 1e9
	}
	return float64(q.burst) * q.interval.Seconds()
}

// refuse remembers that a counter is used up, whose quota is whole in so many seconds.
func (s *SignIns) refuse(c counter, fullIn float64) error {
	q := s.quotas[c.scope]
	wait := min(max(fullIn+q.interval.Seconds()-q.allowance(), 0), q.interval.Seconds())
	s.refused.Add(c, time.Now().Add(time.Duration(wait*float64(time.Second))))
	return q.refusal(time.Duration(wait * float64(time.Second)))
}

// remembered is the refusal of a counter that is used up. Until then only what is being
// checked can be given back.
func (s *SignIns) remembered(c counter) error {
	until, ok := s.refused.Get(c)
	if wait := time.Until(until); ok && wait > 0 {
		return s.quotas[c.scope].refusal(wait)
	}
	return nil
}

func (q quota) refusal(wait time.Duration) error {
	return domain.RateLimited(domain.Quota{
		Name: q.name, Requests: q.burst, Window: time.Duration(q.burst) * q.interval, Retry: wait,
	}, "too many attempts; try again later")
}

// hash is what the database has in place of an account or address.
func (s *SignIns) hash(kind, value string) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(kind + "\x00" + value))
	return mac.Sum(nil)[:16]
}

func (s *SignIns) slot(value string) int32 {
	return int32(binary.BigEndian.Uint32(s.hash("slot", value)) % slots)
}

// turns bounds how much of one key runs at once.
type turns struct {
	mu sync.Mutex
	of map[string]*turn
}

type turn struct {
	places  chan struct{}
	waiting int
}

// take waits for a place among so many of a key, no longer than ctx.
func (t *turns) take(ctx context.Context, key string, places int) (done func(), err error) {
	t.mu.Lock()
	of := t.of[key]
	if of == nil {
		of = &turn{places: make(chan struct{}, min(places, maxWaitingHashes))}
		t.of[key] = of
	}
	of.waiting++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if of.waiting--; of.waiting == 0 {
			delete(t.of, key)
		}
	}
	select {
	case of.places <- struct{}{}:
		return func() { <-of.places; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
