// Package projections folds the log into what is read: the read models, the
// activity log, and the tenant-scoped queries over them.
//
// A read model is data (model.go): a name, a fold version, a table, a key for
// each event type, and a pure fold of a row and an event into a row or none.
// Everything else is done once for all of them:
//
//	         page of one tenant's events (feed.Feed)
//	                        │
//	keys ──▶ load the touched rows      one statement
//	                        │
//	         fold in memory             pure
//	                        │
//	         write each row once        one statement, and one for deletions
//	                        │
//	the checkpoint advances in the same transaction
//
// One event touches one row of a read model. What hangs on a deleted thing
// vanishes by a join when it is read.
//
// Rows carry the seq that they reflect and a generation. A rebuild (package rebuild)
// fills the next generation from the first event on with the same fold, while
// the one before is read; then one pointer moves. A statement reads the pointer
// and the rows in one snapshot, so it never sees a part of a generation.
//
// The package promises that folding any history in any split into pages gives
// the same rows, that a query sees one tenant and only with a domain.Scope that
// still holds, and that every registered event type is folded or named as
// ignored by every model (a test walks the registry).
//
// Deliberately absent: notifications (they are sent once and never rebuilt),
// other logs than the tenant's own, and any write but the folds'.
package projections
