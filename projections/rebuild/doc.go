// Package rebuild fills new generations of the rows of read models.
//
//	Rebuilder.Rebuild  builds the rows again from the log and switches to them
//	Rebuilder.Verify   builds, compares with the live rows, and deletes or switches
//	Background         builds whatever an older fold filled, and new read models
//
// All three read a tenant's log once for all its read models:
//
//	read a range ──┬─▶ builder: fold, write, checkpoint ─┐
//	(ahead of      ├─▶ builder …                         ├─▶ each by itself: the
//	 the builders) └─▶ builder …                         ┘   rest of the log, switch
//
// The live subscription keeps the old rows up to date meanwhile. Queries read the old
// rows until one statement switches to the new ones; then the old rows are deleted in
// chunks. A builder has a checkpoint of its own, so an interrupted build is resumed.
//
// The package promises that a read model which fails keeps its old rows and stops no
// other, and that a throttled rebuild leaves the API quick (throttle.go). The locks and
// checkpoints are those of eventstore/feed; the folds are those of projections.
package rebuild
