// Package notify turns events into notifications and delivers them.
//
// One subscription reads every tenant log. A table (rules.go) decides for each event
// who its recipients are, and why. The event alone gives the texts. The inbox is the
// record and gets every notification. If the tenant has chosen another channel, the
// subscription also enqueues a delivery, and workers send it:
//
//	               ┌─▶ notifications (Inbox)
//	page of events ┤
//	               └─▶ deliveries ─▶ Queue ─▶ Email, EmailLog, Slack
//	  one transaction, with the checkpoint │  no transaction
//
// It promises:
//   - a user gets no notification of their own act;
//   - an event causes one notification of a kind for a user, however often its page
//     is handled: the rows and the checkpoint are written in one transaction, and the
//     rows' ids follow from their content;
//   - a delivery is sent at least once, or recorded as dead with the reason, and waits
//     for no other tenant's receiver (Queue);
//   - channel and address are those that held at the event: the subscription folds
//     them from the tenant log;
//   - a user reads and marks their own notifications only (Inbox): by the scope, by
//     the statements, and by the database's policies;
//   - an address that a tenant has set is reached only where the operator allows it
//     (Egress), and is stored sealed (Secrets).
//
// Notifications are no read model: a rebuild neither sends nor deletes any.
//
// Deliberately absent: external calls inside a transaction.
package notify
