// Package eventstore is Docket's log on Postgres: append, load, and the feed
// that subscriptions read.
//
// Every tenant is its own log. Its events carry seq 1, 2, 3 … without gaps, in
// commit order, because seq is given out while the tenant's row in tenant_logs
// is locked. From that follows what the package promises:
//
//   - a reader that has seen seq n has seen everything before it;
//   - an append is all or nothing: every part, guard and claim of a Commit is
//     checked under the same locks, in one round trip;
//   - a subscription's checkpoint and what its handler writes are one
//     transaction, so an event is neither lost nor handled twice;
//   - a tenant whose event can't be handled stops nobody else.
//
// Appends of many callers go in one call: see queue for how they gather, and
// migrations/0002_events.sql for what is decided under the locks.
//
// The way of an event through the feed:
//
//	Append ──commit──▶ events
//	   │                                     ┌───────────────────────────┐
//	   ├─ local mark ───────────┐            │ worker, one page:         │
//	   ├─ NOTIFY ─▶ LISTEN ─────┼─▶ news ───▶│ lock checkpoint           │
//	   └─ (lost?)  sweep ───────┘            │   SKIP LOCKED             │
//	                                         │ read events after it      │
//	                                         │ message ─▶ Router handler │
//	                                         │ ack: advance, commit      │
//	                                         │ nack: roll back, back off │
//	                                         └───────────────────────────┘
//
// The marks and NOTIFY are only speed; the sweep alone is correct.
//
// Deliberately absent: a global order over tenants, deletion, an update of any
// row on the append path, and NOTIFY inside a transaction (it takes a lock that
// is global to the cluster).
package eventstore
