// Package eventstore is Docket's log on Postgres: append, load and scan. Package feed
// hands the log to subscriptions.
//
// Every tenant has a log of its own. Its events carry seq 1, 2, 3 … without gaps, in
// commit order, because Postgres gives out seq while the tenant's row in tenant_logs is
// locked. From that follows what the package promises:
//
//   - a reader that has seen seq n has seen everything before it;
//   - an append is all or nothing: one round trip checks every part, guard and claim of a
//     Commit under the same locks.
//
// Commits of many callers share a call: see queue for how they gather, and
// migrations/0002_events.sql for what is decided under the locks.
//
//	Append ─▶ encode ─▶ queue: a lane per tenant ─▶ dispatch: one call per batch
//	                                                      │
//	          outcome of each Commit ◀─ complete ◀────────┘──▶ Follower (the feed)
//
// Deliberately absent: a global order over tenants, deletion, and an update of any row on
// the append path.
package eventstore
