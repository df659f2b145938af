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
	w.run(t, 50, Subscriptions())
	one, ann := fillCompany(t, w, 2)
	two, bea := fillCompany(t, w, 3)
	if err := errors.Join(
		one.project(t, ann, one.projectIDs[0], domain.MoveProject{To: domain.Submitted}),
		two.project(t, bea, two.projectIDs[0], domain.MoveProject{To: domain.Submitted}),
	); err != nil {
		t.Fatal(err)
	}
	w.caught(t, one)
	w.caught(t, two)
	if err := w.rebuild.Rebuild(t.Context(), nil, nil, nil); err != nil { // so that generations has rows
		t.Fatal(err)
	}
	count := func(setting, value, table string) (all, foreign int) {
		t.Helper()
		b := &pgx.Batch{}
		b.Queue(`select set_config('docket.tenant', '', true), set_config('docket.user', '', true)`)
		b.Queue(`select set_config($1, $2, true)`, setting, value)
		// A search that every document is found by: without one, search shows nothing at all.
		b.Queue(`select set_config('docket.search', '!nothing', true)`)
		b.Queue(`select count(*), count(*) filter (where tenant_id <> $1) from `+table, one.id.UUID()).QueryRow(func(row pgx.Row) error {
			return row.Scan(&all, &foreign)
		})
		if err := w.api.SendBatch(t.Context(), b).Close(); err != nil {
			t.Fatal(err)
		}
		return all, foreign
	}
	for _, table := range tables {
		if all, _ := count("docket.nothing", "", table); all != 0 {
			t.Errorf("%s: %d rows without a tenant", table, all)
		}
		if all, foreign := count("docket.tenant", one.id.String(), table); all == 0 || foreign != 0 {
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
	b.Queue(`select set_config('docket.tenant', $1, true), set_config('docket.search', '', true)`, one.id.String())
	b.Queue(`select count(*) from search`).QueryRow(func(row pgx.Row) error { return row.Scan(&unsearched) })
	if err := w.api.SendBatch(t.Context(), b).Close(); err != nil || unsearched != 0 {
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
	w.run(t, 50, Subscriptions())
	one, ann := fillCompany(t, w, 2)
	two, _ := fillCompany(t, w, 2)
	w.caught(t, one)
	w.caught(t, two)
	s := one.scope(t, ann)
	_, err := w.queries.Project(t.Context(), s, two.projectIDs[0], Fresh{})
	isNotFound(t, err)
	_, err = w.queries.Task(t.Context(), s, two.taskIDs[0], Fresh{})
	isNotFound(t, err)
	_, err = w.queries.Comment(t.Context(), s, two.commentIDs[0], Fresh{})
	isNotFound(t, err)
	_, _, err = w.queries.Comments(t.Context(), s, two.taskIDs[0], Page{}, Fresh{})
	isNotFound(t, err)
	_, _, err = w.queries.Tasks(t.Context(), s, TaskFilter{ProjectID: &two.projectIDs[0]}, Page{}, Fresh{})
	isNotFound(t, err)
	_, err = w.queries.ProjectSummary(t.Context(), s, two.projectIDs[0], Fresh{})
	isNotFound(t, err)
	_, _, err = w.queries.History(t.Context(), s, domain.Stream(domain.ProjectStream, two.projectIDs[0]), 0, 0)
	isNotFound(t, err)
	entity := two.projectIDs[0].UUID()
	items, _, err := w.queries.Activity(t.Context(), s, ActivityFilter{EntityID: &entity}, 0, Fresh{})
	if err != nil || len(items) != 0 {
		t.Errorf("activity of another tenant's project: %v, %v", items, err)
	}
	tasks, _, err := w.queries.Tasks(t.Context(), s, TaskFilter{AssigneeID: &two.userIDs[0]}, Page{}, Fresh{})
	if err != nil || len(tasks) != 0 {
		t.Errorf("tasks of another tenant's member: %v, %v", tasks, err)
	}
}

// The log can't be changed by the role that folds it, nor anything by the role
// that reads.
func TestRolesMayNotWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fillCompany(t, w, 1)
	refused := func(pool *pgxpool.Pool, sql string) {
		t.Helper()
		var pg *pgconn.PgError
		if _, err := pool.Exec(context.Background(), sql); !errors.As(err, &pg) || pg.Code != "42501" {
			t.Errorf("%s: %v", sql, err)
		}
	}
	for _, sql := range []string{`update events set seq = seq`, `delete from events`, `truncate events`} {
		refused(w.engine, sql)
	}
	for _, table := range tables {
		refused(w.api, `delete from `+table)
		refused(w.api, `update `+table+` set tenant_id = tenant_id`)
		refused(w.api, `insert into `+table+` select * from `+table)
		refused(w.api, `truncate `+table)
	}
}
