// Package notify tells members what concerns them.
//
// One subscription reads every tenant's log. For each event a table (rules.go)
// says who is told what, and why; the texts come from the event alone. The inbox
// is the record and always gets a row; where the tenant has chosen another
// channel, the message is queued for it too, and workers send it:
//
//	               ┌─▶ inApp ──▶ notifications
//	page of events ┤
//	               └─▶ outbox ─▶ deliveries ─▶ Queue ─▶ Email, EmailLog, Slack
//	  one transaction, with the checkpoint    │  no transaction
//
// It promises:
//   - nobody is told of their own act;
//   - an event tells a user one thing once, however often its page is handled:
//     the row, the queued message and the checkpoint are one transaction, and the
//     ids of both follow from their content;
//   - what leaves the house leaves at least once, or is recorded as dead with the
//     reason, and nobody waits for another tenant's receiver (Queue);
//   - the channel, and where a member is reached, are those that held at the
//     event: the subscription folds them from the tenant's own log;
//   - a user reads and marks their own notifications only (Inbox): by the scope,
//     by the statements, and by the database's policies;
//   - an address that a tenant has given is reached only where it may be (Egress),
//     and is kept sealed (Secrets).
//
// Notifications are no read model: a rebuild neither sends nor removes any.
//
// Deliberately absent: external calls inside a transaction.
package notify
