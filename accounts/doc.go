// Package accounts stores what proves who a user is: passwords, sessions and
// refresh tokens.
//
//	login ──▶ Passwords.Verify ──▶ session + first refresh token
//	refresh ──▶ next refresh token; a token used again after RefreshGrace revokes the session
//	request ──▶ Sessions.Check, cached for one second
//
// It promises:
//
//   - no secret is stored: of a password the argon2id hash, of a refresh token
//     the SHA-256;
//   - a wrong password and an unknown address take the same time and get the
//     same answer;
//   - a refresh token has one successor, on any replica: every use within
//     RefreshGrace gets the same one.
//
// These are rows, not events: an event log is no place for secrets. A user is an
// event stream, so commands registers users and stores their passwords here
// through an interface of its own. Access tokens are signed, not stored: see
// httpapi.
package accounts
