package accounts_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"docket/accounts"

	"github.com/alexedwards/argon2id"
)

func TestPasswordRules(t *testing.T) {
	t.Parallel()
	var p *accounts.Passwords
	for password, code := range map[string]string{
		"seven 7": "too_short", "correct horse battery": "", strings.Repeat("🐎", 7): "too_short",
		strings.Repeat("🐎🔋", 64): "", strings.Repeat("🐎🔋", 64) + "x": "too_long",
		strings.Repeat("e\u0301", 7): "too_short", "e\u0301te\u0301 a\u0300 Li\u0301": "", // 10 characters once composed
		strings.Repeat("ä", accounts.MinPassword): "", strings.Repeat("ä", accounts.MinPassword-1): "too_short",
		strings.Repeat("ä", accounts.MaxPassword): "", strings.Repeat("ä", accounts.MaxPassword+1): "too_long",
		"nul\x00in the middle": "characters", "line\nbreak here": "characters", "\xff not UTF-8 \xfe": "characters",
		"password": "common", "Passw0rd": "common", "12345678": "common", "iloveyou1": "common", "qwertyuiop": "common",
		"aaaaaaaaaa": "common", "abcdefgh": "common", "letmein1": "common", "trustno1": "common", "ann@example.org": "common",
		"annabella": "common", "a password that takes long to guess": "",
	} {
		got := ""
		if e := p.Validate("/password", password, "ann@example.org", "Annabella"); e != nil {
			got = e.Code
		}
		if got != code {
			t.Errorf("%.30q: %q, want %q", password, got, code)
		}
	}
}

// One character may come composed or not, by the keyboard; and a hash of earlier parameters,
// or of an earlier form, is renewed by the login.
func TestPasswordsAreCanonical(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const composed, decomposed = "caf\u00e9 au lait 42", "cafe\u0301 au lait 42"
	store := func(hashed string, params *argon2id.Params) {
		t.Helper()
		hash, err := argon2id.CreateHash(hashed, params)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.pool.Exec(t.Context(), `update credentials set password_hash = $1`, hash); err != nil {
			t.Fatal(err)
		}
	}
	logsIn := func(password string, want bool) {
		t.Helper()
		if _, err := f.sessions.Login(t.Context(), "ann@example.org", password, netip.Prefix{}, time.Now()); (err == nil) != want {
			t.Errorf("%q: %v, want a session: %t", password, err, want)
		}
	}
	cheap := &argon2id.Params{Memory: 8 << 10, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	store(decomposed, cheap) // as an earlier release has stored it
	logsIn(composed, false)
	logsIn(decomposed, true)
	logsIn(composed, true)
	logsIn(decomposed, true)
	logsIn(composed+"x", false)
	var hash string
	if err := f.pool.QueryRow(t.Context(), `select password_hash from credentials`).Scan(&hash); err != nil || !strings.Contains(hash, "m=19456,t=2,p=1") {
		t.Errorf("the hash is %q, %v; want one of the present parameters", hash, err)
	}
	if err := f.passwords.Create(t.Context(), f.ann, "ann@example.org", decomposed); err != nil {
		t.Fatal(err)
	}
	logsIn(composed, true)
	var before string
	if err := f.pool.QueryRow(t.Context(), `select password_hash from credentials`).Scan(&before); err != nil {
		t.Fatal(err)
	}
	logsIn(composed, true)
	if err := f.pool.QueryRow(t.Context(), `select password_hash from credentials`).Scan(&hash); err != nil || hash != before {
		t.Errorf("a hash of the present parameters was made again (%v)", err)
	}
}
