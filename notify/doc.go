// Package notify tells members what concerns them.
//
// One subscription reads every tenant's log. For each event a table (rules.go)
// says who is told what, and why; the texts come from the event alone. A
// provider then sends each notification over its channel:
//
//	page of events ──rules──▶ notifications ──channel──▶ Provider
//
// It promises:
//   - nobody is told of their own act;
//   - an event tells a user one thing once, however often its page is handled:
//     the in-app provider writes in the transaction in which the checkpoint
//     advances, and a notification's id follows from its content;
//   - a user reads and marks their own notifications only (Inbox): by the scope,
//     by the statements, and by the database's policies.
//
// Notifications are no read model: a rebuild neither sends nor removes any.
//
// Deliberately absent: external calls inside a page's transaction. A provider
// that needs one queues a delivery there and leaves the call to a worker.
package notify
