package projections

import (
	"context"
	"strings"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Weeks are weeks as ISO 8601 has them, in UTC: First is the Monday of the first
// one, at midnight.
type Weeks struct {
	First time.Time
	Count int
}

const week = 7 * 24 * time.Hour

// Until is when the weeks are over.
func (w Weeks) Until() time.Time { return w.First.Add(time.Duration(w.Count) * week) }

// Monday is the beginning of the week that a time is in.
func Monday(at time.Time) time.Time {
	y, m, d := at.UTC().Date()
	return time.Date(y, m, d-(int(at.UTC().Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
}

// CycleStats are how long cycles took. Of no cycles the percentiles are nil.
type CycleStats struct {
	Count              int64
	P50, P75, P90, P95 *time.Duration
}

// cyclePercentiles are those of CycleStats, as SQL.
const cyclePercentiles = `array[0.5, 0.75, 0.9, 0.95]`

// CycleWeek are the cycles that ended in the week of a Monday.
type CycleWeek struct {
	Week   time.Time
	ByKind map[CycleKind]CycleStats
}

// ProjectWeek are the cycles of one project that ended in one week; there are some.
type ProjectWeek struct {
	CycleWeek
	ProjectID   domain.ProjectID
	ProjectName string
}

// CycleTimes is a report of how long cycles took.
type CycleTimes struct {
	Overall map[CycleKind]CycleStats
	// Weeks are all of those asked for, in order.
	Weeks []CycleWeek
	// Items are a page of the projects' weeks, by week and project.
	Items []ProjectWeek
}

// endedIn are the cycles of a tenant ($1) that ended from a time ($2) to before
// another ($3), of a project ($4) or, if null, of all. by is what decides by which
// index the rows are found.
func endedIn(by string) string {
	return ` from cycles c cross join lateral jsonb_to_recordset(c.done) as d (kind text, began timestamptz, ended timestamptz)
where c.tenant_id = $1 and ` + by + ` and d.ended >= $2::timestamptz and d.ended < $3::timestamptz`
}

var (
	// What moved last before the time has no cycle that ended after it. With + 0 the
	// generation is no condition for the key's index, which would read the whole tenant.
	allCycles = `$4::uuid is null and c.moved_at >= $2::timestamptz and c.generation + 0 = ` + cycles.generation("$1")
	ofOne     = `c.project_id = $4 and c.generation = ` + cycles.generation("$1")
)

// measures are for each kind of cycle their number and the percentiles of their
// length, in seconds.
func measures() string {
	var list []string
	for _, r := range cycleRules {
		of := ` filter (where d.kind = '` + string(r.Kind) + `')`
		list = append(list, `count(*)`+of, `percentile_cont(`+cyclePercentiles+`) within group (order by extract(epoch from d.ended - d.began)::float8)`+of)
	}
	return strings.Join(list, ", ")
}

// cycleWeeksSQL measures the cycles of endedIn's $1 to $4 by their weeks, and all
// together where the week is null.
func cycleWeeksSQL(by string) string {
	return `select date_trunc('week', d.ended, 'UTC') as week, ` + measures() + endedIn(by) + `
group by grouping sets ((date_trunc('week', d.ended, 'UTC')), ())`
}

// cycleItemsSQL measures the cycles of endedIn's $1 to $4 by their weeks and
// projects, after a week and project ($5, $6), up to $7.
func cycleItemsSQL(by string) string {
	return `select i.*, coalesce((select p.name from projects p
  where p.tenant_id = $1 and p.generation = ` + projects.generation("$1") + ` and p.id = i.project_id), '')
from (select date_trunc('week', d.ended, 'UTC') as week, ` + measures() + `, c.project_id` + endedIn(by) + `
  and (date_trunc('week', d.ended, 'UTC'), c.project_id) > ($5::timestamptz, $6::uuid)
  group by 1, c.project_id order by 1, c.project_id limit $7) as i`
}

var (
	allCycleWeeksSQL     = cycleWeeksSQL(allCycles)
	projectCycleWeeksSQL = cycleWeeksSQL(ofOne)
	allCycleItemsSQL     = cycleItemsSQL(allCycles)
	projectCycleItemsSQL = cycleItemsSQL(ofOne)
)

// CycleTimes reports the cycles that ended in some weeks, of one project or, if
// nil, of all that weren't deleted. Each page of items comes with the whole of the
// rest.
func (q *Queries) CycleTimes(ctx context.Context, s domain.Scope, weeks Weeks, project *domain.ProjectID, p Page, f Fresh) (CycleTimes, *Keyset, error) {
	if err := q.await(ctx, s, f, cycles.Name, projects.Name); err != nil {
		return CycleTimes{}, nil, err
	}
	weeksSQL, itemsSQL := allCycleWeeksSQL, allCycleItemsSQL
	if project != nil {
		weeksSQL, itemsSQL = projectCycleWeeksSQL, projectCycleItemsSQL
	}
	var (
		report = emptyReport(weeks)
		after  = p.after(firstTime)
		args   = []any{s.Tenant().UUID(), weeks.First, weeks.Until(), optionalUUID(project)}
	)
	also := func(b *pgx.Batch) {
		b.Queue(weeksSQL, args...).Query(report.weeks)
	}
	items, next, err := list(ctx, q, s, "cycles", p, scanProjectWeek, projectWeekKey, also, itemsSQL,
		append(args, after.Value, after.ID, p.limit()+1)...)
	report.Items = items
	return report, next, err
}

// emptyReport has every week, and no cycle in it.
func emptyReport(weeks Weeks) CycleTimes {
	var r CycleTimes
	for i := range weeks.Count {
		r.Weeks = append(r.Weeks, CycleWeek{Week: weeks.First.Add(time.Duration(i) * week), ByKind: map[CycleKind]CycleStats{}})
	}
	return r
}

// weeks reads the rows of cycleWeeksSQL.
func (r *CycleTimes) weeks(rows pgx.Rows) error {
	for rows.Next() {
		var (
			week *time.Time
			m    = newMeasured()
		)
		if err := rows.Scan(append([]any{&week}, m.targets()...)...); err != nil {
			return err
		}
		if week == nil {
			r.Overall = m.byKind()
			continue
		}
		for i := range r.Weeks {
			if r.Weeks[i].Week.Equal(*week) {
				r.Weeks[i].ByKind = m.byKind()
			}
		}
	}
	return rows.Err()
}

// scanProjectWeek reads a row of cycleItemsSQL.
func scanProjectWeek(row pgx.CollectableRow) (ProjectWeek, error) {
	var (
		w  ProjectWeek
		m  = newMeasured()
		id uuid.UUID
	)
	err := row.Scan(append(append([]any{instantTarget{&w.Week}}, m.targets()...), &id, &w.ProjectName)...)
	w.ProjectID, w.ByKind = domain.ProjectID(id), m.byKind()
	return w, err
}

func projectWeekKey(w ProjectWeek) Keyset {
	return Keyset{Value: timeKey(w.Week), ID: w.ProjectID.UUID()}
}

// measured is what measures selects.
type measured struct {
	counts  []int64
	seconds [][]float64
}

func newMeasured() *measured {
	return &measured{counts: make([]int64, len(cycleRules)), seconds: make([][]float64, len(cycleRules))}
}

func (m *measured) targets() []any {
	var out []any
	for i := range cycleRules {
		out = append(out, &m.counts[i], &m.seconds[i])
	}
	return out
}

func (m *measured) byKind() map[CycleKind]CycleStats {
	out := map[CycleKind]CycleStats{}
	for i, r := range cycleRules {
		s := CycleStats{Count: m.counts[i]}
		for j, p := range []**time.Duration{&s.P50, &s.P75, &s.P90, &s.P95} {
			if m.counts[i] > 0 {
				d := time.Duration(m.seconds[i][j] * float64(time.Second)).Round(time.Microsecond)
				*p = &d
			}
		}
		out[r.Kind] = s
	}
	return out
}
