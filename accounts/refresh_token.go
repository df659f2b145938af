package accounts

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// refreshTokenBytes is the randomness of a refresh token.
const refreshTokenBytes = 32

// addTokenSQL adds a refresh token ($1 SHA-256) to a session ($2).
const addTokenSQL = `insert into refresh_tokens (token_hash, session_id) values ($1, $2)`

// useTokenSQL uses a refresh token ($1 SHA-256) of a session that is alive at a
// time ($2), and adds the session's next token ($3 SHA-256). The row's lock lets
// one of several concurrent requests with the same token through.
const useTokenSQL = `with used as (
  update refresh_tokens t set used_at = $2 from sessions s
  where t.token_hash = $1 and t.used_at is null and s.id = t.session_id and s.revoked_at is null and s.expires_at > $2
  returning s.id, s.user_id, s.expires_at),
next as (insert into refresh_tokens (token_hash, session_id) select $3, id from used)
select id, user_id, expires_at from used`

// revokeByTokenSQL revokes the session of a refresh token ($1 SHA-256) and
// returns its id.
const revokeByTokenSQL = `update sessions s set revoked_at = coalesce(s.revoked_at, now())
from refresh_tokens t where t.token_hash = $1 and s.id = t.session_id returning s.id`

func newRefreshToken() (token string, hash []byte) {
	var raw [refreshTokenBytes]byte
	_, _ = rand.Read(raw[:]) // never fails; it ends the program where there is no randomness
	token = base64.RawURLEncoding.EncodeToString(raw[:])
	return token, hashToken(token)
}

func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
