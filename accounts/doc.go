// Package accounts has what proves who a user is: passwords, sessions, refresh
// tokens, and the access tokens with the keys that sign them.
//
//	login ──▶ SignIns ──▶ Passwords ──▶ session + first refresh token
//	refresh ──▶ next refresh token; a token used again after RefreshGrace revokes the session
//	request ──▶ Tokens.Verify ──▶ Sessions.Check, cached for one second
//	request with an API key ──▶ APIKeys.Find; the account's stream says whether it is valid
//
// It promises:
//
//   - no secret is stored: of a password the argon2id hash, of a refresh token
//     and an API key the SHA-256, of a signing key its private key sealed under the master key;
//   - a wrong password and an unknown address take the same time and get the
//     same answer;
//   - too many wrong passwords are refused before any hashing (SignIns), and addresses
//     from which an account has signed in before are counted apart and hashed first;
//   - a refresh token has one successor, on any replica: every use within
//     RefreshGrace gets the same one;
//   - a key is published before it signs, and no token of it is refused until it
//     expires or an operator retires the key;
//   - what a mail's token may do it does once, and the token is made when its mail is sent:
//     MailSender sends the mails that were queued in the transaction of their cause.
//
// These are rows, not events: an event log is no place for secrets. A user is an
// event stream, so commands registers users and stores their passwords here
// through an interface of its own. Access tokens are signed, not stored.
package accounts
