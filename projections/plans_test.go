package projections

import (
	"context"
	"docket/eventstore"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// statement is one that runs often, and the index by which it must find its rows.
type statement struct {
	pool  func(*world) *pgxpool.Pool
	sql   string
	index string
	// bitmaps is what searchScopeSQL sets beside the statement; empty: it doesn't.
	bitmaps string
}

// onSearch is a statement beside searchScopeSQL.
func onSearch(sql, index, bitmaps string) statement {
	s := onAPI(sql, index)
	s.bitmaps = bitmaps
	return s
}

func onAPI(sql, index string) statement {
	return statement{pool: func(w *world) *pgxpool.Pool { return w.API }, sql: sql, index: index}
}

func onEngine(sql, index string) statement {
	return statement{pool: func(w *world) *pgxpool.Pool { return w.Engine }, sql: sql, index: index}
}

// hot are all statements of the package by the names of the constants and
// variables that hold them; a function of statements is listed with what it makes.
func hot() map[string]statement {
	list := map[string]statement{
		"scope":                onAPI(eventstore.ScopeSQL, ""),
		"userSQL":              onAPI(userSQL, ""),
		"membership's version": onAPI(eventstore.VersionSQL, "events_stream"),
		"projectSQL":           onAPI(projectSQL, "projects_pk"),
		"catalogSQL":           onAPI(catalogSQL, "projects_public"),
		"taskSQL":              onAPI(taskSQL, "tasks_pk"),
		"projectThereSQL":      onAPI(projectThereSQL, "projects_pk"),
		"commentSQL":           onAPI(commentSQL, "comments_pk"),
		"commentsSQL":          onAPI(commentsSQL, "comments_by_task"),
		"taskThereSQL":         onAPI(taskThereSQL, "tasks_pk"),
		"summarySQL":           onAPI(summarySQL, "summaries_pk"),
		"memberCountSQL":       onAPI(memberCountSQL, "members_"),
		"projectCountsSQL":     onAPI(projectCountsSQL, "projects_"),
		"taskCountsSQL":        onAPI(taskCountsSQL, "tasks_"),
		"commentCountSQL":      onAPI(commentCountSQL, "comments_"),
		"projectTaskCountsSQL": onAPI(projectTaskCountsSQL, "tasks_by_project"),
		"allCycleWeeksSQL":     onAPI(allCycleWeeksSQL, "cycles_by_moved"),
		"allCycleItemsSQL":     onAPI(allCycleItemsSQL, "cycles_by_moved"),
		"projectCycleWeeksSQL": onAPI(projectCycleWeeksSQL, "cycles_pk"),
		"projectCycleItemsSQL": onAPI(projectCycleItemsSQL, "cycles_pk"),
		"membersSQL":           onAPI(membersSQL, "members_by_joined"),
		"userTenantsSQL":       onAPI(userTenantsSQL, "members_by_user"),
		"tenantSQL":            onAPI(tenantSQL, "tenants_pk"),
		"eventsSQL":            onAPI(eventsSQL, "events_pk"),
		"newestEventsSQL":      onAPI(newestEventsSQL, "events_pk"),
		"historySQL":           onAPI(historySQL, "events_stream"),
		"newestHistorySQL":     onAPI(newestHistorySQL, "events_stream"),
		"streamThereSQL":       onAPI(streamThereSQL, "events_stream"),
		"momentSQL":            onAPI(momentSQL, "events_pk"),
		"pastStreamSQL":        onAPI(pastStreamSQL, "events_stream"),
		"pastPageSQL":          onAPI(pastPageSQL, "events_pk"),
		"eventTimeSQL":         onAPI(eventTimeSQL, "events_pk"),
		"tasksThereThenSQL":    onAPI(tasksThereThenSQL, "events_stream"),
		"lastActivityAsOfSQL":  onAPI(lastActivityAsOfSQL, "events_pk"),
		"head":                 onAPI(eventstore.HeadSQL, "events_pk"),
		"seqAtSQL":             onAPI(seqAtSQL, ""),
		"slugsSQL":             onAPI(slugsSQL, "claims_pk"),
		"slugsFromSQL":         onAPI(slugsFromSQL, "claims_pk"),
		"tenantStreamSQL":      onAPI(tenantStreamSQL, "events_stream"),
		// What seq_at asks, restated: EXPLAIN doesn't look into functions.
		"in seq_at: head":   onAPI(`select e.seq from events e where e.tenant_id = $1 order by e.seq desc limit 1`, "events_pk"),
		"in seq_at: at":     onAPI(`select e.occurred_at from events e where e.tenant_id = $1 and e.seq = $2`, "events_pk"),
		"searchScopeSQL":    onAPI(searchScopeSQL, ""),
		"listScopeSQL":      onAPI(listScopeSQL, ""),
		"rankedTasksSQL":    onSearch(rankedTasksSQL, "search_document", byIndex),
		"rankedProjectsSQL": onSearch(rankedProjectsSQL, "search_document", byIndex),
		"newestProjectsSQL": onSearch(newestProjectsSQL, "projects_by_created", byKey),
		"sampleTasksSQL":    onSearch(sampleTasksSQL, "tasks_by_created", byKey),
		"sampleProjectsSQL": onSearch(sampleProjectsSQL, "projects_by_created", byKey),
	}
	for o, sql := range projectListings {
		list[fmt.Sprintf("projectsSQL %v", o)] = onAPI(sql, orderIndex("projects", o))
	}
	for o := range taskOrders() {
		list[fmt.Sprintf("foundTasksSQL %v", o)] = onSearch(foundTasksSQL(o), "search_document", byIndex)
	}
	for p := range searchPlans() {
		list[fmt.Sprintf("tasks that match %v", p)] = onSearch(p.sql(), p.walk.index(p.order), byKey)
	}
	for l, sql := range activityListings {
		index := map[activitySource]string{
			activityOfAll: "activity_pk", activityOfEntity: "events_stream", activityOfProject: "activity_by_project",
			activityOfActor: "activity_by_actor", activityOfActions: "activity_by_action",
		}[l.source]
		list[fmt.Sprintf("activity %v", l)] = onAPI(sql, index)
	}
	addModel(list, tenants)
	addModel(list, members)
	addModel(list, projects)
	addModel(list, tasks)
	addModel(list, comments)
	addModel(list, search)
	addModel(list, summaries)
	addModel(list, cycles)
	addModel(list, activity)
	return list
}

func addModel[K comparable, R any](list map[string]statement, m *model[K, R]) {
	key := m.Table + "_pk"
	list[m.Name+" write"] = onEngine(m.sql.write, "")
	if !m.InsertOnly {
		list[m.Name+" load"] = onEngine(m.sql.load, key)
		list[m.Name+" remove"] = onEngine(m.sql.remove, key)
	}
}

var parameter = regexp.MustCompile(`\$[0-9]+`)

// plan is the generic plan of a statement: the one a session keeps.
func plan(t *testing.T, pool *pgxpool.Pool, sql, bitmaps string) string {
	t.Helper()
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	params := map[string]bool{}
	for _, p := range parameter.FindAllString(sql, -1) {
		params[p] = true
	}
	execute := "explain execute hot"
	if n := len(params); n > 0 {
		execute += "(" + strings.Repeat("null, ", n-1) + "null)"
	}
	settings := "set plan_cache_mode = force_generic_plan"
	if bitmaps != "" {
		settings += "; set enable_seqscan = off; set enable_bitmapscan = " + bitmaps
	}
	for _, s := range []string{settings, "prepare hot as " + sql} {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s\n%v", s, err)
		}
	}
	rows, err := conn.Query(t.Context(), execute)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(context.WithoutCancel(t.Context()), "deallocate hot; reset plan_cache_mode; reset enable_seqscan; reset enable_bitmapscan"); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// On empty tables, without statistics, and so for ever in a session that keeps
// the plan.
func TestPlans(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := hot()
	for _, name := range slices.Sorted(maps.Keys(list)) {
		s := list[name]
		p := plan(t, s.pool(w), s.sql, s.bitmaps)
		if !strings.Contains(p, s.index) {
			t.Errorf("%s: the plan doesn't use %s:\n%s", name, s.index, p)
		}
		// A sort or a bitmap would read more than the page.
		bad := []string{"Seq Scan", "Sort  (", "Bitmap"}
		switch name {
		case "userTenantsSQL":
			bad = bad[:1] // a user's tenants are few, and read all at once
		case "projectCountsSQL", "taskCountsSQL",
			"allCycleWeeksSQL", "allCycleItemsSQL", "projectCycleWeeksSQL", "projectCycleItemsSQL":
			bad = bad[:1] // all of the tenant's, the project's or the weeks' are counted
		case "historySQL", "newestHistorySQL",
			"activity {entity false}", "activity {entity true}", "activity {actions false}", "activity {actions true}":
			bad = []string{"Seq Scan", "Bitmap"} // some pages are merged, each in its order
		case "rankedTasksSQL", "rankedProjectsSQL":
			bad = bad[:1] // what is found is sorted, and GIN answers by bitmaps
		}
		if strings.HasPrefix(name, "foundTasksSQL") {
			bad = bad[:1]
		}
		for _, bad := range bad {
			if strings.Contains(p, bad) {
				t.Errorf("%s: the plan has a %s:\n%s", name, bad, p)
			}
		}
	}
}

// With many tenants of few documents each, as the statistics say, the key would look as
// good as the words: but the policy of search lets no search go by the key, which would
// read all of the tenant's documents. It would where the tenant was compared with =.
func TestSearchGoesByItsWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner, err := pgx.Connect(t.Context(), w.DB.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(context.Background())
	if _, err := w.Engine.Exec(t.Context(), `insert into search
select t.id, 1, gen_random_uuid(), n, to_tsvector('simple', 'word' || n || ' common')
from (select gen_random_uuid() as id from generate_series(1, 2000)) t, generate_series(1, 5) n`); err != nil {
		t.Fatal(err)
	}
	// As migrations/0010_search.sql has it at first, and then as it must not be.
	for _, policy := range []string{"", `alter policy api_tenant on search using (tenant_id = current_tenant() and document @@ current_search())`} {
		if _, err := owner.Exec(t.Context(), policy+`; analyze search`); err != nil {
			t.Fatal(err)
		}
		// Sessions with no plan from before, and a search for a word that all have.
		cfg := w.API.Config()
		cfg.ConnConfig.RuntimeParams["docket.search"] = "common"
		api, err := pgxpool.NewWithConfig(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer api.Close()
		for _, name := range []string{"rankedTasksSQL", "foundTasksSQL {created_at false}", "foundTasksSQL {due_date true}", "rankedProjectsSQL"} {
			s := hot()[name]
			p := plan(t, api, s.sql, s.bitmaps)
			if byWords := strings.Contains(p, s.index); byWords != (policy == "") {
				t.Errorf("%s under %q:\n%s", name, policy, p)
			}
		}
	}
}

// Every constant and variable whose name ends in SQL is in the list above.
func TestPlansKnowEveryStatement(t *testing.T) {
	t.Parallel()
	list := hot()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var found int
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range g.Specs {
				v, ok := s.(*ast.ValueSpec)
				if !ok || !strings.HasSuffix(v.Names[0].Name, "SQL") {
					continue
				}
				found++
				name := v.Names[0].Name
				if list[name].sql == "" {
					t.Errorf("%s isn't planned by TestPlans", name)
				}
			}
		}
	}
	if found < 20 {
		t.Fatalf("found only %d statements", found)
	}
}
