// Package faults is nothing but tests: the whole program, as processes on a real
// Postgres, under load and faults, held against what it promises.
//
//	clients ──HTTP──▶ replica ──▶ proxy ──▶ Postgres, fsync on, on a disk
//	   │    └─HTTP──▶ replica ──▶ proxy ──▶    ▲
//	   │                 ▲           ▲         │
//	   │                 └───────────┴─────────┴── schedule: kills, stops, cuts,
//	   ▼                                           holds, slows, by a seed
//	record ──▶ checks ◀── the log, the read models, the inboxes
//
// TestFaults is that run. What is true is decided from the clients' own record:
// when they asked, when they were answered and with what. Every event carries the
// id of the request that wrote it, so that a command is found again in the log
// whether or not a client got its answer. The run fails too when there was too
// little load, or when a fault hit no request: a quiet run proves nothing.
//
// The other tests take one promise each and drive it into the corner where it
// would break: roles that are revoked, owners who leave, replicas that die in the
// middle of a page, keys that come fifty times at once.
//
// TestLargestTexts is about sizes: -faults.sizes D and -faults.edits N make it longer.
//
// Plain go test runs the quick form: each fault once and few rounds. -faults.long is
// the long one, which .ci/soak and the mutants run. -faults.seed N repeats a schedule and the clients' choices (not the timing of
// the machine), -faults.duration D goes on for that long. The program in mutants
// breaks the code in known ways, and reports which test noticed it.
// docs/reliability.md says what all this proves and what it doesn't.
//
// Linux only: faults are aimed by what /proc says of processes.
package faults
