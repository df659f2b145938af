package projections

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"
)

// moves are the moves of one project, hours apart.
func moves(id domain.ProjectID, to ...domain.Status) []domain.Recorded {
	var out []domain.Recorded
	for i, s := range to {
		out = append(out, domain.Recorded{
			Seq: int64(i + 1), Version: i + 2, Stream: domain.Stream(domain.ProjectStream, id),
			At: hour(i), Event: domain.ProjectStatusChanged{ProjectID: id, To: s},
		})
	}
	return out
}

func hour(i int) time.Time {
	return time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Hour)
}

func TestWhatACycleIs(t *testing.T) {
	t.Parallel()
	const (
		draft, submitted, rejected, approved = domain.Draft, domain.Submitted, domain.Rejected, domain.Approved
		active, onHold, completed, cancelled = domain.Active, domain.OnHold, domain.Completed, domain.Cancelled
	)
	asked := func(began, ended int) cycle { return cycle{SubmittedToApproved, hour(began), hour(ended)} }
	worked := func(began, ended int) cycle { return cycle{ActiveToCompleted, hour(began), hour(ended)} }
	for name, c := range map[string]struct {
		moves []domain.Status
		want  []cycle
		open  map[CycleKind]time.Time
	}{
		"straight on":              {[]domain.Status{submitted, approved, active, completed}, []cycle{asked(0, 1), worked(2, 3)}, nil},
		"not at the end":           {[]domain.Status{submitted, approved, active}, []cycle{asked(0, 1)}, map[CycleKind]time.Time{ActiveToCompleted: hour(2)}},
		"rejected, submitted anew": {[]domain.Status{submitted, rejected, draft, submitted, approved}, []cycle{asked(0, 4)}, nil},
		"withdrawn":                {[]domain.Status{submitted, draft, submitted, approved}, []cycle{asked(0, 3)}, nil},
		"on hold":                  {[]domain.Status{active, onHold, active, completed}, []cycle{worked(0, 3)}, nil},
		"completed from on hold":   {[]domain.Status{active, onHold, completed}, []cycle{worked(0, 2)}, nil},
		"reopened":                 {[]domain.Status{active, completed, active, completed}, []cycle{worked(0, 1), worked(2, 3)}, nil},
		"cancelled":                {[]domain.Status{submitted, cancelled}, nil, nil},
		"cancelled and revived":    {[]domain.Status{submitted, cancelled, draft, submitted, approved, active, cancelled, draft}, []cycle{asked(3, 4)}, nil},
		"an end without beginning": {[]domain.Status{approved, completed}, nil, nil},
	} {
		id := tenanttest.NewID[domain.ProjectID](t)
		done, err := foldEvents(cycles, moves(id, c.moves...))
		if err != nil {
			t.Fatal(err)
		}
		got := done.rows[0].row
		if !slices.Equal(got.Done, c.want) || len(got.Open) != len(c.open) || len(c.open) > 0 && !reflect.DeepEqual(got.Open, c.open) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A row doesn't grow without end.
func TestOldestCyclesAreForgotten(t *testing.T) {
	t.Parallel()
	id := tenanttest.NewID[domain.ProjectID](t)
	to := slices.Repeat([]domain.Status{domain.Active, domain.Completed}, maxCycles+10)
	done, err := foldEvents(cycles, moves(id, to...))
	if err != nil {
		t.Fatal(err)
	}
	got := done.rows[0].row.Done
	if len(got) != maxCycles || !got[maxCycles-1].Ended.Equal(hour(len(to)-1)) {
		t.Errorf("%d cycles, the last %+v", len(got), got[len(got)-1])
	}
}

// naive is a report computed the plain way.
func naive(of []time.Duration) CycleStats {
	s := CycleStats{Count: int64(len(of))}
	if len(of) == 0 {
		return s
	}
	slices.Sort(of)
	at := func(p float64) *time.Duration {
		place := p * float64(len(of)-1)
		below := int(math.Floor(place))
		d := of[below]
		if above := below + 1; above < len(of) {
			d += time.Duration((place - float64(below)) * float64(of[above]-of[below]))
		}
		return &d
	}
	s.P50, s.P75, s.P90, s.P95 = at(0.5), at(0.75), at(0.9), at(0.95)
	return s
}

// near fails unless two are equal to two microseconds: one computes with floats.
func near(t *rapid.T, what string, got, want CycleStats) {
	t.Helper()
	if got.Count != want.Count {
		t.Fatalf("%s: %d cycles, want %d", what, got.Count, want.Count)
	}
	pairs := [][2]*time.Duration{{got.P50, want.P50}, {got.P75, want.P75}, {got.P90, want.P90}, {got.P95, want.P95}}
	for i, p := range pairs {
		if (p[0] == nil) != (p[1] == nil) || p[0] != nil && (*p[0]-*p[1]).Abs() > 2*time.Microsecond {
			t.Fatalf("%s, percentile %d: got %v, want %v", what, i, p[0], p[1])
		}
	}
}

// What SQL reports is what a plain computation does, for random cycles of random
// projects in random weeks.
func TestCycleTimesAreExact(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		tenant := tenanttest.NewID[domain.TenantID](t)
		first := Monday(hour(0)).AddDate(0, 0, -7)
		weeks := Weeks{First: first, Count: rapid.IntRange(1, 4).Draw(t, "weeks")}
		log := map[domain.ProjectID][]domain.Recorded{}
		var want []cycleIn
		for range rapid.IntRange(0, 5).Draw(t, "projects") {
			id := tenanttest.NewID[domain.ProjectID](t)
			at := first.Add(-time.Duration(rapid.IntRange(0, 20).Draw(t, "days before")) * 24 * time.Hour)
			for range rapid.IntRange(1, 6).Draw(t, "cycles") {
				rule := rapid.SampledFrom(cycleRules).Draw(t, "kind")
				began := at.Add(time.Duration(rapid.Int64Range(1, 4*86400e6).Draw(t, "pause")) * time.Microsecond)
				if rapid.IntRange(0, 9).Draw(t, "at midnight") == 0 {
					began = Monday(began.Add(week))
				}
				ended := began.Add(time.Duration(rapid.Int64Range(1, 9*86400e6).Draw(t, "length")) * time.Microsecond)
				if rapid.IntRange(0, 4).Draw(t, "on a Monday") == 0 {
					ended = Monday(ended.Add(week))
				}
				for _, e := range []struct {
					at time.Time
					to domain.Status
				}{{began, rule.Begin}, {ended, rule.End}} {
					log[id] = append(log[id], domain.Recorded{
						Tenant: tenant, Seq: int64(len(log[id]) + 1), Stream: domain.Stream(domain.ProjectStream, id),
						At: e.at, Event: domain.ProjectStatusChanged{ProjectID: id, To: e.to},
					})
				}
				if !ended.Before(weeks.First) && ended.Before(weeks.Until()) {
					want = append(want, cycleIn{id, Monday(ended), rule.Kind, ended.Sub(began)})
				}
				at = ended
			}
		}
		for _, events := range log {
			if err := pgx.BeginFunc(context.Background(), w.Engine, func(tx pgx.Tx) error {
				p := &feed.Page{Subscription: cycles.Name, Tenant: tenant, Generation: 1, Events: events, Tx: tx}
				return errors.Join(cycles.applyPage(context.Background(), p), p.Flush(context.Background()))
			}); err != nil {
				t.Fatal(err)
			}
		}
		isReport(t, w, tenant, weeks, want)
	})
}

// cycleIn is a cycle of a project that ended in a week.
type cycleIn struct {
	project domain.ProjectID
	week    time.Time
	kind    CycleKind
	took    time.Duration
}

func isReport(t *rapid.T, w *world, tenant domain.TenantID, weeks Weeks, all []cycleIn) {
	t.Helper()
	of := func(kind CycleKind, ok func(cycleIn) bool) CycleStats {
		var took []time.Duration
		for _, c := range all {
			if c.kind == kind && ok(c) {
				took = append(took, c.took)
			}
		}
		return naive(took)
	}
	var items []ProjectWeek
	for p := (Page{Limit: rapid.IntRange(1, 5).Draw(t, "limit")}); ; {
		got, next, err := w.queries.CycleTimes(context.Background(), domain.Operate(tenant), weeks, nil, p, Fresh{})
		if err != nil {
			t.Fatal(err)
		}
		for kind, stats := range got.Overall {
			near(t, "overall", stats, of(kind, func(cycleIn) bool { return true }))
		}
		if len(got.Overall) != len(cycleRules) || len(got.Weeks) != weeks.Count {
			t.Fatalf("%d kinds, %d weeks", len(got.Overall), len(got.Weeks))
		}
		for _, x := range got.Weeks {
			for _, r := range cycleRules {
				near(t, "week", x.ByKind[r.Kind], of(r.Kind, func(c cycleIn) bool { return c.week.Equal(x.Week) }))
			}
		}
		items = append(items, got.Items...)
		if p.After = next; next == nil {
			break
		}
	}
	groups := map[Keyset]bool{}
	for _, c := range all {
		groups[Keyset{Value: timeKey(c.week), ID: c.project.UUID()}] = true
	}
	if len(items) != len(groups) {
		t.Fatalf("%d items of %d", len(items), len(groups))
	}
	for _, x := range items {
		if delete(groups, projectWeekKey(x)); x.Week.Location() != time.UTC {
			t.Fatalf("the week is in %v", x.Week.Location())
		}
		for _, r := range cycleRules {
			near(t, "item", x.ByKind[r.Kind], of(r.Kind, func(c cycleIn) bool { return c.week.Equal(x.Week) && c.project == x.ProjectID }))
		}
	}
	if len(groups) > 0 {
		t.Fatalf("not reported: %v", groups)
	}
}
