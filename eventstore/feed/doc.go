// Package feed hands tenants' logs to subscriptions, as pages of events and with
// Watermill's message.Subscriber.
//
// A subscription has one checkpoint per tenant. The checkpoint and what the handler writes
// are one transaction, so no event is lost or handled twice. A tenant whose event can't be
// handled stops no other tenant.
//
//	Append ──commit──▶ events
//	   │                                        ┌───────────────────────────┐
//	   ├─ wake-up here ─────────┐               │ worker, one page:         │
//	   ├─ NOTIFY ─▶ LISTEN ─────┼─▶ pending ───▶│ lock checkpoint           │
//	   └─ (lost?)  sweep ───────┘    tenants    │   SKIP LOCKED             │
//	                                            │ read events after it      │
//	                                            │ message ─▶ Router handler │
//	                                            │ ack: advance, commit      │
//	                                            │ nack: roll back, back off │
//	                                            └───────────────────────────┘
//
// Wake-ups and NOTIFY are only speed; the sweep alone is correct.
//
// A sweep also finds checkpoints that are ahead of logs that have lost events, and has them
// brought back (ahead.go).
//
// The package owns the tables checkpoints, generations, skips, subscriptions and
// postponed_copies: it has all statements on them. Builds are its API for filling a new generation.
//
// Deliberately absent: NOTIFY inside a transaction (it takes a lock that is global to the
// cluster), and an order between tenants.
package feed
