package main

import (
	"testing"
	"time"

	"docket/domain"
)

// watchOf is a lagWatch of two subscriptions, at the begin of a round.
func watchOf(t *testing.T, in span) *lagWatch {
	t.Helper()
	l := newLagWatch(&checkpoints{subscriptions: []string{"activity", "tasks"}})
	l.reset(in)
	return l
}

// A lag ends at the first read at which a subscription has reached the write, in the
// write's own tenant.
func TestLag(t *testing.T) {
	t.Parallel()
	acme, other := newID[domain.TenantID](), newID[domain.TenantID]()
	l := watchOf(t, always())
	l.acknowledged(acme, 6)
	l.acknowledged(acme, 5) // answers overtake each other
	l.acknowledged(other, 9)
	begin := time.Now()
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	l.note([]position{{acme, "activity", 6}, {acme, "tasks", 4}, {other, "tasks", 8}, {acme, "unheard of", 9}}, at(100))
	l.note([]position{{acme, "activity", 6}, {acme, "tasks", 5}, {other, "activity", 9}}, at(200))
	if err := l.record(); err == nil {
		t.Error("a write that tasks hasn't handled is no error")
	}
	l.lags = newLagWatch(l.checkpoints).lags
	l.note([]position{{acme, "activity", 6}, {acme, "tasks", 6}, {other, "tasks", 10}}, at(400))
	if err := l.record(); err != nil {
		t.Fatal(err)
	}
	if of := l.lags["tasks"]; of.count() != 3 || of.at(30) < 199 || of.at(30) > 300 || of.at(60) < 399 || of.at(100) < 399 {
		t.Errorf("tasks: %d handled, %v, %v, %v ms", of.count(), of.at(30), of.at(60), of.at(100))
	}
	if of := l.lags["activity"]; of.count() != 3 || of.at(50) > 199 || of.at(100) < 199 {
		t.Errorf("activity: %d handled, %v, %v ms", of.count(), of.at(50), of.at(100))
	}
}

func TestLagOfTheWarmUpDoesNotCount(t *testing.T) {
	t.Parallel()
	l := watchOf(t, span{time.Now().Add(time.Hour), time.Now().Add(2 * time.Hour)})
	l.acknowledged(newID[domain.TenantID](), 1)
	if len(l.writes) != 0 {
		t.Error("it counts")
	}
}

// Rounds are joined: each lag of each round counts.
func TestLagsOfAllRoundsCount(t *testing.T) {
	t.Parallel()
	acme := newID[domain.TenantID]()
	l := watchOf(t, always())
	for i := range 3 {
		l.reset(always())
		l.acknowledged(acme, int64(i))
		later := time.Now().Add(time.Duration(i+1) * time.Second)
		l.note([]position{{acme, "activity", int64(i)}, {acme, "tasks", int64(i)}}, later)
		if err := l.record(); err != nil {
			t.Fatal(err)
		}
	}
	r := newReport()
	l.addTo(r, "create-task")
	if row := r.tables["lag"][1]; row.what != "create-task: tasks" || row.value("writes") != 3 || row.value("p50_ms") < 2000 || row.value("max_ms") < 3000 {
		t.Errorf("%+v", row)
	}
}

func TestBehind(t *testing.T) {
	t.Parallel()
	acme, other := newID[domain.TenantID](), newID[domain.TenantID]()
	c := &checkpoints{tenants: []domain.TenantID{acme, other}}
	heads := map[domain.TenantID]int64{acme: 5, other: 7}
	for name, tc := range map[string]struct {
		at   []position
		want bool
	}{
		"nothing yet":       {nil, true},
		"one behind":        {[]position{{acme, "tasks", 5}, {other, "tasks", 6}}, true},
		"one not yet begun": {[]position{{acme, "tasks", 5}, {other, "tasks", 7}, {acme, "activity", 5}}, true},
		"all there":         {[]position{{acme, "tasks", 5}, {other, "tasks", 9}}, false},
	} {
		if _, behind := c.behind(tc.at, heads); behind != tc.want {
			t.Errorf("%s: behind %t", name, behind)
		}
	}
}
