package main

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

// A write has been handled when the last of the subscriptions has, in its own
// tenant; what none has reached stays on the list.
func TestLagIsThatOfTheSlowest(t *testing.T) {
	t.Parallel()
	acme, other := uuid.New(), uuid.New()
	l := &lagWatch{checkpoints: &checkpoints{tenants: []uuid.UUID{acme, other}, subscriptions: []string{"activity", "tasks"}}}
	l.in, l.pending = always(), map[uuid.UUID][]*written{}
	l.figures = newLagFigures(2)
	l.acknowledged(acme.String(), 6)
	l.acknowledged(acme.String(), 5) // answers overtake each other
	l.acknowledged(other.String(), 9)
	begin := time.Now()
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	l.note([]position{{acme, "activity", 6}, {acme, "tasks", 4}, {other, "tasks", 8}, {acme, "unheard of", 9}}, at(100))
	if n := l.figures.all.count(); n != 0 {
		t.Errorf("%d were handled by all, want none", n)
	}
	l.note([]position{{acme, "activity", 6}, {acme, "tasks", 5}, {other, "activity", 9}}, at(200))
	l.note([]position{{acme, "activity", 6}, {acme, "tasks", 6}}, at(400))
	if p := l.figures.all.percentiles(); l.figures.all.count() != 2 || p.P50 < 199 || p.P50 > 300 || p.Max < 399 {
		t.Errorf("%d handled, %+v", l.figures.all.count(), p)
	}
	if p := l.figures.bySubscription[0].percentiles(); l.figures.bySubscription[0].count() != 3 || p.P50 > 199 {
		t.Errorf("activity: %+v", p)
	}
	if len(l.pending[acme]) != 0 || len(l.pending[other]) != 1 {
		t.Errorf("waiting: %v", l.pending)
	}
}

func TestLagOfTheWarmUpDoesNotCount(t *testing.T) {
	t.Parallel()
	l := &lagWatch{in: span{time.Now().Add(time.Hour), time.Now().Add(2 * time.Hour)}}
	l.acknowledged(uuid.NewString(), 1)
	if len(l.fresh) != 0 {
		t.Error("it counts")
	}
}

func TestQuarters(t *testing.T) {
	t.Parallel()
	from := time.Now()
	l := &lagWatch{in: span{from, from.Add(40 * time.Second)}}
	for s, want := range map[int]int{0: 0, 9: 0, 10: 1, 29: 2, 39: 3, 40: 3} {
		if got := l.quarter(from.Add(time.Duration(s) * time.Second)); got != want {
			t.Errorf("second %d is in quarter %d, want %d", s, got, want)
		}
	}
}

// Rounds are joined: no lag of any round may get lost.
func TestLagsOfAllRoundsCount(t *testing.T) {
	t.Parallel()
	var rounds []httpRound
	for i := range 3 {
		r := httpRound{Lag: newLagFigures(1)}
		d := time.Duration(i+1) * time.Second
		r.Lag.all.record(d)
		r.Lag.bySubscription[0].record(d)
		r.Lag.byQuarter[i].record(d)
		r.Lag.unseen = int64(i)
		rounds = append(rounds, r)
	}
	r := summarizeLag(rounds, []string{"tasks"})
	if r.Writes != 3 || r.Unseen != 3 || !near(r.Max, 3000) || !near(r.BySubscription["tasks"].P50, 2000) || !near(r.QuartersP99[1], 2000) || r.QuartersP99[3] != 0 {
		t.Errorf("%+v", r)
	}
	if !(httpReport{Runs: []httpRun{{Lag: r}}}).failed() {
		t.Error("what was never handled is no failure")
	}
}

func TestBehind(t *testing.T) {
	t.Parallel()
	acme, other := uuid.New(), uuid.New()
	c := &checkpoints{tenants: []uuid.UUID{acme, other}}
	heads := map[uuid.UUID]int64{acme: 5, other: 7}
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
