package accounts

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"time"
)

// RefreshGrace is how long after its use a refresh token gets the same successor again:
// the client's answer may have been lost, and a session may be refreshed by several tabs
// of a browser at once.
const RefreshGrace = 10 * time.Second

// secretTokenBytes is the randomness of a refresh token, and of a token in a mail.
const secretTokenBytes = 32

// useTokenSQL uses a refresh token ($1 SHA-256) of a session that is alive at a
// time ($2), and adds the session's next token ($3 SHA-256). The row's lock lets
// one of several concurrent requests with the same token through.
const useTokenSQL = `with used as (
  update refresh_tokens t set used_at = now() from sessions s
  where t.token_hash = $1 and t.used_at is null and s.id = t.session_id and s.revoked_at is null and s.expires_at > $2
  returning s.id, s.user_id, s.expires_at),
next as (insert into refresh_tokens (token_hash, session_id) select $3, id from used)
select id, user_id, expires_at from used`

// usedLatelySQL finds the alive session, at a time ($2), of a refresh token ($1 SHA-256)
// that was used less than $4 seconds ago and whose successor is $3 (SHA-256). The time of
// use and its age are of Postgres' clock, the same for all replicas.
const usedLatelySQL = `select s.id, s.user_id, s.expires_at
from refresh_tokens t join sessions s on s.id = t.session_id
where t.token_hash = $1 and t.used_at > now() - make_interval(secs => $4) and s.revoked_at is null and s.expires_at > $2
  and exists (select from refresh_tokens n where n.token_hash = $3 and n.session_id = s.id)`

// revokeByTokenSQL revokes the session of a refresh token ($1 SHA-256) and
// returns its id.
const revokeByTokenSQL = `update sessions s set revoked_at = coalesce(s.revoked_at, now())
from refresh_tokens t where t.token_hash = $1 and s.id = t.session_id returning s.id`

// newSecretToken makes a token and the hash that is stored in its place.
func newSecretToken() (token string, hash []byte) {
	var raw [secretTokenBytes]byte
	_, _ = rand.Read(raw[:]) // never fails; it ends the program where there is no randomness
	token = base64.RawURLEncoding.EncodeToString(raw[:])
	return token, hashToken(token)
}

// successorKey is the key that makes a refresh token's successor, the same on all
// replicas that have the master key.
func successorKey(master []byte) []byte {
	key, err := hkdf.Key(sha256.New, master, nil, "docket refresh token successor v1", sha256.Size)
	if err != nil {
		panic(err) // only for a length that HKDF can't make
	}
	return key
}

// successor is the token that follows a refresh token, made from it so that a request
// that comes again gets the same one though only hashes are stored. Without the key it
// can't be told from a random one.
func (s *Sessions) successor(token string) (next string, hash []byte) {
	mac := hmac.New(sha256.New, s.successorKey)
	mac.Write([]byte(token))
	next = base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	return next, hashToken(next)
}

func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
