package projections

import (
	"context"
	"errors"
	"testing"

	"docket/domain"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// tables are all that the api role may read of this package's.
var tables = []string{"events", "projects", "tasks", "comments", "search", "members", "tenants", "summaries", "cycles", "activity", "generations", "checkpoints"}

// The database itself shows the api role one tenant, or none.
func TestAPIRoleSeesOneTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 50)
	one, ann := w.Company(t, 2)
	two, bea := w.Company(t, 3)
	if err := errors.Join(
		one.ChangeProject(t, ann, one.ProjectIDs[0], domain.MoveProject{To: domain.Submitted}),
		two.ChangeProject(t, bea, two.ProjectIDs[0], domain.MoveProject{To: domain.Submitted}),
	); err != nil {
		t.Fatal(err)
	}
	w.Caught(t, one)
	w.Caught(t, two)
	w.switchAll(t, one) // so that generations has rows
	w.switchAll(t, two)
	count := func(setting, value, table string) (all, foreign int) {
		t.Helper()
		b := &pgx.Batch{}
		b.Queue(`select set_config('docket.tenant', '', true), set_config('docket.user', '', true)`)
		b.Queue(`select set_config($1, $2, true)`, setting, value)
		// A search that every document is found by: without one, search shows nothing at all.
		b.Queue(`select set_config('docket.search', '!nothing', true)`)
		b.Queue(`select count(*), count(*) filter (where tenant_id <> $1) from `+table, one.ID.UUID()).QueryRow(func(row pgx.Row) error {
			return row.Scan(&all, &foreign)
		})
		if err := w.API.SendBatch(t.Context(), b).Close(); err != nil {
			t.Fatal(err)
		}
		return all, foreign
	}
	for _, table := range tables {
		if all, _ := count("docket.nothing", "", table); all != 0 {
			t.Errorf("%s: %d rows without a tenant", table, all)
		}
		if all, foreign := count("docket.tenant", one.ID.String(), table); all == 0 || foreign != 0 {
			t.Errorf("%s: %d rows, %d of them another tenant's", table, all, foreign)
		}
		// A user sees the own memberships over all tenants, those tenants, and
		// nothing of what is in them.
		all, foreign := count("docket.user", ann.String(), table)
		wide := map[string]bool{"members": true, "tenants": true, "generations": true, "checkpoints": true}[table]
		if foreign != 0 || (all > 0) != wide {
			t.Errorf("%s: a user sees %d rows, %d of them of a tenant they aren't in", table, all, foreign)
		}
	}
	var unsearched int
	b := &pgx.Batch{}
	b.Queue(`select set_config('docket.tenant', $1, true), set_config('docket.search', '', true)`, one.ID.String())
	b.Queue(`select count(*) from search`).QueryRow(func(row pgx.Row) error { return row.Scan(&unsearched) })
	if err := w.API.SendBatch(t.Context(), b).Close(); err != nil || unsearched != 0 {
		t.Errorf("search: %d rows without a search, %v", unsearched, err)
	}
	if all, _ := count("docket.user", ann.String(), "members"); all != 1 {
		t.Errorf("a user sees %d memberships, has one", all)
	}
}

// A scope of one tenant reaches nothing in another, whatever ids it is given.
func TestScopeReachesOneTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 50)
	one, ann := w.Company(t, 2)
	two, _ := w.Company(t, 2)
	w.Caught(t, one)
	w.Caught(t, two)
	s := one.Scope(t, ann)
	_, err := w.queries.Project(t.Context(), s, two.ProjectIDs[0], Fresh{})
	isNotFound(t, err)
	_, err = w.queries.Task(t.Context(), s, two.TaskIDs[0], Fresh{})
	isNotFound(t, err)
	_, err = w.queries.Comment(t.Context(), s, two.CommentIDs[0], Fresh{})
	isNotFound(t, err)
	_, _, err = w.queries.Comments(t.Context(), s, two.TaskIDs[0], Page{}, Fresh{})
	isNotFound(t, err)
	_, _, err = w.queries.Tasks(t.Context(), s, TaskFilter{ProjectID: &two.ProjectIDs[0]}, Order{}, Page{}, Fresh{})
	isNotFound(t, err)
	_, err = w.queries.ProjectSummary(t.Context(), s, two.ProjectIDs[0], Fresh{})
	isNotFound(t, err)
	_, _, err = w.queries.History(t.Context(), s, domain.Stream(domain.ProjectStream, two.ProjectIDs[0]), Span{}, 0)
	isNotFound(t, err)
	entity := two.ProjectIDs[0].UUID()
	items, _, err := w.queries.Activity(t.Context(), s, ActivityFilter{EntityID: &entity}, 0, Fresh{})
	if err != nil || len(items) != 0 {
		t.Errorf("activity of another tenant's project: %v, %v", items, err)
	}
	tasks, _, err := w.queries.Tasks(t.Context(), s, TaskFilter{AssigneeIDs: two.UserIDs[:1]}, Order{}, Page{}, Fresh{})
	if err != nil || len(tasks) != 0 {
		t.Errorf("tasks of another tenant's member: %v, %v", tasks, err)
	}
}

// The log can't be changed by the role that folds it, nor anything by the role
// that reads.
func TestRolesMayNotWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Company(t, 1)
	refused := func(pool *pgxpool.Pool, sql string) {
		t.Helper()
		var pg *pgconn.PgError
		if _, err := pool.Exec(context.Background(), sql); !errors.As(err, &pg) || pg.Code != "42501" {
			t.Errorf("%s: %v", sql, err)
		}
	}
	for _, sql := range []string{`update events set seq = seq`, `delete from events`, `truncate events`} {
		refused(w.Engine, sql)
	}
	for _, table := range tables {
		refused(w.API, `delete from `+table)
		refused(w.API, `update `+table+` set tenant_id = tenant_id`)
		refused(w.API, `insert into `+table+` select * from `+table)
		refused(w.API, `truncate `+table)
	}
}
