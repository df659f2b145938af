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
//   - a message leaves only if its recipient is a member, what it tells of exists and the
//     channel is the tenant's at that moment, and goes to the address of that moment:
//     otherwise it is withdrawn, and its delivery says why (eligibility.go);
//   - what was deleted has no text in the inbox;
//   - one tenant sends one recipient no more than the operator's Limits;
//   - a user reads and marks their own notifications only (Inbox): by the scope, by
//     the statements, and by the database's policies;
//   - an address that a tenant has set is reached only where the operator allows it
//     (Egress), and is stored sealed (Secrets).
//
// Notifications are no read model: a rebuild neither sends nor deletes any.
//
// Deliberately absent: external calls inside a transaction.
package notify
