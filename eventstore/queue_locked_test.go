package eventstore

import (
	"errors"
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

// A Commit whose caller stopped waiting during its batch doesn't go back to its lane.
func TestRequeueOfAWithdrawnCommit(t *testing.T) {
	t.Parallel()
	q := newQueue()
	commit := func(n byte) *queued {
		c := Commit{Command: domain.CommandID{n}}
		return &queued{encoded: &encoded{commit: c, tenants: []domain.TenantID{{1}}, size: 1}, outcome: make(chan error, 1)}
	}
	left, stays := commit(1), commit(2)
	f, err := q.enqueue(left)
	if err != nil || f == nil {
		t.Fatalf("a batch: %v, %v", f, err)
	}
	if !f.add(stays) {
		t.Fatal("the batch has no room")
	}
	stays.dispatched = true
	if q.withdraw(left) {
		t.Error("a Commit in flight was withdrawn")
	}
	q.requeue(f, f.commits)
	select {
	case err := <-left.outcome:
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("its outcome: %v", err)
		}
	default:
		t.Error("its caller still waits")
	}
	if waiting, _ := q.load(); waiting != 1 || len(stays.outcome) != 0 {
		t.Errorf("%d wait, want the other one", waiting)
	}
}
