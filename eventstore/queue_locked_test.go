package eventstore

import (
	"testing"
	"time"

	"docket/domain"
)

// A log stays among the locked ones no longer than it is found so: one that never comes
// into being, or that no Commit touches any more, is forgotten.
func TestLockedLogsAreForgotten(t *testing.T) {
	t.Parallel()
	q := newQueue()
	gone, tried, done := domain.TenantID{1}, domain.TenantID{2}, domain.TenantID{3}
	start := time.Now()
	batch := func(alone bool, tenants ...domain.TenantID) *inFlightBatch {
		f := &inFlightBatch{batch: newBatch(), alone: alone}
		for _, id := range tenants {
			f.tenants[id] = 1
		}
		return f
	}
	is := func(when string, want ...domain.TenantID) {
		t.Helper()
		for _, id := range want {
			if _, locked := q.locked[id]; !locked {
				t.Errorf("%s: %s isn't locked", when, id)
			}
		}
		if len(q.locked) != len(want) {
			t.Errorf("%s: %d are locked, want %d", when, len(q.locked), len(want))
		}
	}
	q.noteLocks(batch(false, gone, tried, done), completion{locked: []domain.TenantID{gone, tried, done}}, start)
	is("found", gone, tried, done)
	q.noteLocks(batch(true, tried), completion{failed: true}, start.Add(lockedFor/2))
	q.noteLocks(batch(true, done), completion{}, start.Add(lockedFor/2))
	is("one was tried, one done", gone, tried)
	q.noteLocks(batch(false), completion{}, start.Add(lockedFor))
	is("later", tried)
	q.noteLocks(batch(false), completion{}, start.Add(2*lockedFor))
	is("at the end")
}
