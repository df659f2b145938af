// Command docketbench measures Docket and, in the same run on the same Postgres,
// what that Postgres could do at best, so that a figure can be told from the
// machine it was taken on.
//
//	append   the event store, against INSERTs without any of its promises
//	http     the API of a real docket serve, and the lag of its subscriptions
//	start    how long docket serve takes to be ready, and what it needs at rest
//
// Without DATABASE_URL it starts a private Postgres in a temporary directory, as
// durable as in production, and removes it at the end, also after Ctrl-C (but not
// after kill -9). A database that DATABASE_URL names keeps what was written to it:
// a log is append-only.
//
// What is common to all of them:
//   - The load is closed, unless it is given a rate: each worker waits for its answer before it asks again.
//     The latencies are therefore those of a caller who waits, and they don't show
//     what would pile up if callers came regardless.
//   - Only what ends after the warm-up and within the measured time counts.
//   - Kinds of load that are compared take turns in short rounds, so that whatever
//     else the machine does hits all of them; the figures are medians of the rounds.
//
// Exit status: 0 done, 1 measured, but some operations failed, 2 could not (usage
// mistakes too). The report is on standard output, everything else on standard error.
package main
