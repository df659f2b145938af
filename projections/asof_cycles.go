package projections

import (
	"context"
	"math"
	"slices"
	"time"

	"docket/domain"
)

// CycleTimesAsOf is CycleTimes after a seq of the log. Beside the page it holds the lengths
// of the cycles in the weeks, at most maxCycles of a project.
func (q *Queries) CycleTimesAsOf(ctx context.Context, s domain.Scope, weeks Weeks, project *domain.ProjectID, p Page, seq int64) (CycleTimes, *Keyset, error) {
	byWeek := sorting[ProjectWeek]{values: times, of: func(w *ProjectWeek) place { return place{at: w.Week, id: w.ProjectID.UUID()} }}
	wanted, err := newSelection(p, byWeek, false)
	if err != nil {
		return CycleTimes{}, nil, err
	}
	report, overall, inWeek := emptyReport(weeks), lengths{}, map[int]lengths{}
	visit := func(c *projectCycles) {
		own := map[int]lengths{}
		for _, done := range c.Done {
			if done.Ended.Before(weeks.First) || !done.Ended.Before(weeks.Until()) {
				continue
			}
			i := int(done.Ended.Sub(weeks.First) / week)
			if own[i] == nil {
				own[i] = lengths{}
			}
			if inWeek[i] == nil {
				inWeek[i] = lengths{}
			}
			for _, l := range []lengths{overall, inWeek[i], own[i]} {
				l[done.Kind] = append(l[done.Kind], done.Ended.Sub(done.Began).Seconds())
			}
		}
		for i, l := range own {
			wanted.offer(&ProjectWeek{CycleWeek: CycleWeek{Week: report.Weeks[i].Week, ByKind: l.stats()}, ProjectID: c.ProjectID})
		}
	}
	names := map[domain.ProjectID]string{}
	items, next, err := selected(ctx, q, s, wanted, projectWeekKey, func(ctx context.Context) error {
		if project != nil {
			row, err := pastCycles.row(ctx, q, s, project.UUID(), seq)
			if err != nil {
				return err
			}
			if row != nil {
				visit(row)
			}
		} else if err := pastCycles.each(ctx, q, s, seq, nil, visit); err != nil {
			return err
		}
		for _, b := range wanted.best {
			id := b.item.ProjectID
			if _, known := names[id]; known {
				continue
			}
			p, err := pastProjects.row(ctx, q, s, id.UUID(), seq)
			if err != nil {
				return err
			}
			if names[id] = ""; p != nil {
				names[id] = p.Name
			}
		}
		return nil
	})
	if err != nil {
		return CycleTimes{}, nil, err
	}
	for i := range items {
		items[i].ProjectName = names[items[i].ProjectID]
	}
	for i := range report.Weeks {
		report.Weeks[i].ByKind = inWeek[i].stats()
	}
	report.Overall, report.Items = overall.stats(), items
	return report, next, nil
}

// lengths are how long cycles took, in seconds.
type lengths map[CycleKind][]float64

// stats measures the lengths as cycleWeeksSQL does.
func (l lengths) stats() map[CycleKind]CycleStats {
	out := map[CycleKind]CycleStats{}
	for _, r := range cycleRules {
		sorted := slices.Sorted(slices.Values(l[r.Kind]))
		s := CycleStats{Count: int64(len(sorted))}
		for p, to := range map[float64]**time.Duration{0.5: &s.P50, 0.75: &s.P75, 0.9: &s.P90, 0.95: &s.P95} {
			if len(sorted) > 0 {
				d := time.Duration(percentile(sorted, p) * float64(time.Second)).Round(time.Microsecond)
				*to = &d
			}
		}
		out[r.Kind] = s
	}
	return out
}

// percentile is percentile_cont of Postgres: between two values by their distance.
func percentile(sorted []float64, p float64) float64 {
	at := p * float64(len(sorted)-1)
	low, high := sorted[int(math.Floor(at))], sorted[int(math.Ceil(at))]
	return low + (high-low)*(at-math.Floor(at))
}
