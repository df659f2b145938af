package projections

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"docket/domain"
	"docket/internal/tenanttest"
)

var (
	listTasks = flag.Int("lists.tasks", 0, "so many tasks of one tenant in TestTaskListsOfALargeTenant; 0: it is left out")
	listRuns  = flag.Int("lists.runs", 60, "how often TestTaskListsOfALargeTenant asks for each list")
)

// largeTenantSQL inserts tasks ($3) of a tenant ($1) into one of two projects of which the
// second has 40 ($2), created a minute apart: of the newest twentieth most are open, of the
// others one of 50. $4 are users; the last but one has 40 tasks, and created 40 others. It
// inserts up to 50,000, from the $5th on.
const largeTenantSQL = `insert into tasks
select $1, 1, ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, n,
  ($2::uuid[])[case when n % 25000 = 7 then 2 when n % 10 < 3 then 3 else 1 end], md5(n::text), 'What is to be done about ' || n,
  case when n > $3 * 19 / 20 then (array['todo', 'todo', 'in_progress', 'done'])[1 + h % 4] when h % 50 = 0 then 'todo' else 'done' end,
  (array['low', 'low', 'normal', 'normal', 'normal', 'normal', 'normal', 'normal', 'high', 'urgent'])[1 + h % 10],
  case when n % 25000 = 9 then ($4::uuid[])[9] when h % 5 > 0 then ($4::uuid[])[1 + h / 5 % 8] end,
  '[]', case when h % 7 < 4 then to_char(timestamp '2024-01-01' + n * interval '1 minute' + h % 60 * interval '1 day', 'YYYY-MM-DD') end,
  ($4::uuid[])[case when n % 25000 = 11 then 9 else 1 + h % 8 end],
  timestamp '2024-01-01' + n * interval '1 minute', timestamp '2024-01-01' + n * interval '1 minute' + h % 20000 * interval '1 minute', 1
from (select n, abs(hashint4(n)) as h from generate_series($5::integer, least($3, $5 + 49999)) n) r`

// Prints, of each filter in each order, the time until the first page of 50 and its ratio to
// the plain list's, asked for in turns.
func TestTaskListsOfALargeTenant(t *testing.T) {
	if *listTasks == 0 {
		t.Skip("without -lists.tasks")
	}
	w := newWorld(t)
	stop := w.RunAll(t, 100)
	c, ann := w.Found(t, "acme")
	projects := []domain.ProjectID{c.CreateProject(t, ann, "One"), c.CreateProject(t, ann, "Rare"), c.CreateProject(t, ann, "Two")}
	users := []domain.UserID{ann}
	for range 8 {
		users = append(users, tenanttest.NewID[domain.UserID](t))
	}
	w.Caught(t, c)
	stop()
	for n := 1; n <= *listTasks; n += 50_000 {
		if _, err := w.Engine.Exec(t.Context(), largeTenantSQL, c.ID.UUID(), uuids(projects), *listTasks, uuids(users), n); err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range []string{"tasks", "projects"} {
		if _, err := w.DB.Owner(t).Exec(t.Context(), "vacuum analyze "+table); err != nil {
			t.Fatal(err)
		}
	}
	end := time.Date(2024, 1, 1, 0, *listTasks, 0, 0, time.UTC)
	day := func(ago int) *domain.Date { return new(domain.Date(end.AddDate(0, 0, -ago).Format(time.DateOnly))) }
	rare := users[8:9]
	filters := []struct {
		name   string
		filter TaskFilter
	}{
		{"none", TaskFilter{}},
		{"status=todo", TaskFilter{Statuses: []domain.TaskStatus{domain.Todo}}},
		{"not_status=done", TaskFilter{Statuses: []domain.TaskStatus{domain.Todo, domain.InProgress}}},
		{"priority=urgent", TaskFilter{Priorities: []domain.Priority{domain.Urgent}}},
		{"priority=low,urgent", TaskFilter{Priorities: []domain.Priority{domain.Low, domain.Urgent}}},
		{"assignee_id, common", TaskFilter{AssigneeIDs: users[1:2]}},
		{"assignee_id, rare", TaskFilter{AssigneeIDs: rare}},
		{"assignee_id=none", TaskFilter{Unassigned: true}},
		{"created_by, common", TaskFilter{CreatedBy: users[1:2]}},
		{"created_by, rare", TaskFilter{CreatedBy: rare}},
		{"project_id, common", TaskFilter{ProjectIDs: projects[2:]}},
		{"project_id, rare", TaskFilter{ProjectIDs: projects[1:2]}},
		{"project_id, two", TaskFilter{ProjectIDs: projects[1:]}},
		{"due_date=none", TaskFilter{Due: DueFilter{None: true}}},
		{"due_after, many", TaskFilter{Due: DueFilter{After: day(30)}}},
		{"due_before, many", TaskFilter{Due: DueFilter{Before: day(200)}}},
		{"due between, few", TaskFilter{Due: DueFilter{After: day(-45), Before: day(-47)}}},
		{"updated_since, a day", TaskFilter{UpdatedSince: new(end.AddDate(0, 0, 13))}},
		{"updated_since, a month", TaskFilter{UpdatedSince: new(end.AddDate(0, 0, -30))}},
		{"status=todo, assignee_id", TaskFilter{Statuses: []domain.TaskStatus{domain.Todo}, AssigneeIDs: users[1:2]}},
		{"not_status=done, due_before", TaskFilter{Statuses: []domain.TaskStatus{domain.Todo, domain.InProgress}, Due: DueFilter{Before: day(0)}}},
		{"status=todo, priority=urgent", TaskFilter{Statuses: []domain.TaskStatus{domain.Todo}, Priorities: []domain.Priority{domain.Urgent}}},
		{"project_id, assignee_id, status=todo", TaskFilter{ProjectIDs: projects[2:], AssigneeIDs: users[1:2], Statuses: []domain.TaskStatus{domain.Todo}}},
	}
	s := c.Scope(t, ann)
	took := func(f TaskFilter, o Order) time.Duration {
		begin := time.Now()
		if _, _, err := w.queries.Tasks(t.Context(), s, f, o, Page{Limit: 50}, Fresh{}); err != nil {
			t.Fatal(err)
		}
		return time.Since(begin)
	}
	var orders []Order
	for _, by := range []Sort{ByCreated, ByUpdated, ByDue, ByPriority, ByTitle} {
		orders = append(orders, Order{By: by}, Order{By: by, Descending: true})
	}
	var table strings.Builder
	for _, x := range filters {
		var cells []string
		for _, o := range orders {
			took(x.filter, o)
			took(x.filter, o)
			var plain, asked []time.Duration
			for range *listRuns {
				plain = append(plain, took(TaskFilter{}, Order{By: ByCreated}))
				asked = append(asked, took(x.filter, o))
			}
			slices.Sort(plain)
			slices.Sort(asked)
			at := func(list []time.Duration, share float64) float64 {
				return list[int(float64(len(list)-1)*share)].Seconds() * 1e3
			}
			t.Logf("%-38s %-11s %-5v p50 %6.2f ms, p99 %6.2f ms; plain p50 %5.2f, p99 %5.2f; ratio p50 %5.2f, p99 %5.2f", x.name, o.By, o.Descending,
				at(asked, .5), at(asked, .99), at(plain, .5), at(plain, .99), at(asked, .5)/at(plain, .5), at(asked, .99)/at(plain, .99))
			cells = append(cells, fmt.Sprintf("%.1f (%.1f)", at(asked, .99)/at(plain, .99), at(asked, .5)/at(plain, .5)))
		}
		fmt.Fprintf(&table, "| %s | %s |\n", x.name, strings.Join(cells, " | "))
	}
	t.Logf("ratio to the plain list, p99 (p50), by created_at, -created_at, …\n%s", table.String())
}
