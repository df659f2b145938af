// Command docketbench measures Docket and, in the same run on the same Postgres,
// what that Postgres does at best. The ratio of the two depends little on the machine.
//
//	append    the event store beside plain INSERTs
//	http      the API of a docket serve, and the lag of its subscriptions
//	rebuild   docket projections rebuild beside reading the same events
//
// Common to all:
//   - The load is a closed loop, unless it has a rate: a worker waits for its answer
//     before it asks again.
//   - An operation counts if it ends after the warm-up and within the measured time.
//   - Kinds of load that are compared take turns in short rounds. Figures are medians
//     of the rounds.
//
// Without DATABASE_URL it starts a private Postgres in a temporary directory and removes
// it at the end, also after Ctrl-C, but not after kill -9.
//
// Exit status: 0 done, 1 measured, but some operations failed, 2 failed (usage errors
// too). The report is on standard output, everything else on standard error.
package main
