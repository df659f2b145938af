// Package commands carries out what clients ask for: it loads the aggregates,
// lets the domain decide, and appends what was decided as one Commit.
//
//	fold (cache or stream) ──▶ domain.Decide… ──▶ Append ──▶ answer from the new state
//	      ▲                        │ refused        │ conflict
//	      └──── read the delta ◀───┴────────────────┘
//
// It promises:
//
//   - every stream that a decision looked at is guarded by the append: the
//     actor's membership always is, so a role that was revoked is never obeyed,
//     on any replica;
//   - a refusal is never made from a stale cache: it is decided again on what
//     the log says before it is answered;
//   - a conflict is decided again a bounded number of times, then it is
//     CodeConcurrentUpdate.
//
// Passwords and sessions are here too (credential.go, session.go), as rows.
// Deliberately absent: HTTP, and any read that a command doesn't need.
package commands
