// Package commands carries out what clients ask for: it loads the aggregates,
// lets the domain decide, and appends the events as one Commit. command.go shows
// the way of a command, attempt.go its steps.
//
//	load (cache or stream) ──▶ domain.Decide… ──▶ append ──▶ Result from the new state
//	      ▲                         │ refused       │ conflict
//	      └──── load what is new ◀──┴───────────────┘
//
// It promises:
//
//   - the append guards every stream that the decision depends on. The actor's
//     membership always is one, so no replica obeys a revoked role;
//   - a refusal never comes from a stale cache: a command that would be refused
//     loads again and decides again;
//   - after a conflict it decides again, a bounded number of times, then it
//     returns CodeConcurrentUpdate.
//
// Deliberately absent: HTTP, passwords and sessions (see accounts), and any read
// that a command doesn't need.
package commands
