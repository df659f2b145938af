package httpapi

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"docket/domain"
	"docket/httpapi/edge"
)

// page is a list's page whose items are kept as they came.
type page = edge.List[json.RawMessage]

// readAll follows the cursors of a list to its end, calling between after each
// page but the last.
func readAll(p person, target string, limit int, between func()) (all []string) {
	p.w.Helper()
	sep := "?"
	if strings.Contains(target, "?") {
		sep = "&"
	}
	next := target + sep + fmt.Sprint("limit=", limit)
	for n := 0; ; n++ {
		got := as[page](p.get(next).want(200))
		for _, item := range got.Items {
			all = append(all, string(item))
		}
		switch {
		case got.NextCursor == nil:
			return all
		case len(got.Items) != limit:
			p.w.Fatalf("%s: %d items on a page that isn't the last", next, len(got.Items))
		case n > 100:
			p.w.Fatalf("%s never ends", target)
		}
		next = target + sep + fmt.Sprint("limit=", limit) + "&cursor=" + url.QueryEscape(*got.NextCursor)
		if between != nil {
			between()
		}
	}
}

// listed is a company with several of everything that there are lists of.
type listed struct {
	*company
	project projectBody
	task    taskBody
	// lists are the targets of all lists that have pages.
	lists []string
}

func newListed(w *world, slug string) *listed {
	w.Helper()
	l := &listed{company: w.company(slug, slug)}
	owner, member := l.as(domain.Owner), l.as(domain.Member)
	for _, name := range []string{"b", "B", "a", "ä", "b", "\U0001F600", "aa", "b "} {
		l.project = as[projectBody](owner.post("/v1/projects", jsonOf(map[string]any{"name": slug + name, "visibility": "public"})).want(201))
	}
	for i := range 5 {
		body := jsonOf(map[string]any{"title": fmt.Sprint(slug, i), "assignee_id": member.id, "labels": []string{"x"}, "due_date": "2027-01-01"})
		l.task = as[taskBody](owner.post("/v1/projects/"+l.project.ID.String()+"/tasks", body).want(201))
	}
	for i := range 4 {
		owner.patch("/v1/tasks/"+l.task.ID.String(), fmt.Sprintf(`{"description":"%d"}`, i)).want(200)
	}
	owner.patch("/v1/projects/"+l.project.ID.String(), `{"due_date":"2027-01-01"}`).want(200)
	owner.patch("/v1/projects/"+l.project.ID.String(), `{"due_date":null}`).want(200)
	owner.patch("/v1/projects/"+l.project.ID.String(), `{"description":"x"}`).want(200)
	w.caughtUp(l.id, owner.patch("/v1/admin/tenant", `{"name":"`+slug+`!"}`).want(200).seq())

	for i := range 5 {
		owner.comment(l.task.ID, fmt.Sprint(slug, i))
	}
	w.caughtUp(l.id, owner.patch("/v1/admin/tenant", `{"name":"`+slug+`?"}`).want(200).seq())
	for i := range 3 {
		another := owner.post("/v1/tenants", fmt.Sprintf(`{"name":"Another","slug":"%s-%d"}`, slug, i)).want(201)
		w.caughtUp(as[tenantBody](another).ID, another.seq())
	}

	for range 4 {
		owner.session()
		l.service(`{"name":"` + slug + `","role":"viewer"}`)
		p := owner.project(slug + "moved")
		owner.move(p.ID, domain.Submitted, domain.Approved)
	}
	w.caughtUp(l.id, owner.patch("/v1/admin/tenant", `{"name":"`+slug+`."}`).want(200).seq())

	project, task := "/v1/projects/"+l.project.ID.String(), "/v1/tasks/"+l.task.ID.String()
	l.lists = []string{
		"/v1/tenants", "/v1/members", "/v1/catalog/projects", "/v1/me/sessions", "/v1/api-keys",
		"/v1/projects", "/v1/projects?visibility=public&status=draft&owner_id=" + owner.id.String(),
		project + "/tasks", project + "/tasks?status=todo&priority=normal&label=x", project + "/tasks?assignee_id=" + member.id.String(),
		"/v1/tasks", "/v1/tasks?status=todo&priority=normal&label=x", "/v1/tasks?assignee_id=" + member.id.String(), "/v1/tasks?due_before=2030-01-01",
		"/v1/projects?q=" + slug, "/v1/tasks?q=" + slug, project + "/tasks?q=" + slug, project + "/tasks?q=x&label=x&status=todo", "/v1/tasks?q=x",
		project + "/history", task + "/history", task + "/comments",
		"/v1/notifications", "/v1/notifications?unread=true",
		"/v1/admin/activity", "/v1/admin/activity?order=desc", "/v1/admin/activity?action=project.created,task.created&order=desc", "/v1/admin/events?order=desc", "/v1/admin/activity?after_seq=3", "/v1/admin/activity?entity_type=project", "/v1/admin/activity?actor_id=" + owner.id.String(),
		"/v1/admin/activity?entity_id=" + l.task.ID.String(), "/v1/admin/activity?action=task.updated",
		"/v1/admin/activity?from=2026-01-01T00:00:00Z&to=2099-01-01T00:00:00Z",
		"/v1/admin/events", "/v1/admin/events?after_seq=3",
		"/v1/reports/cycle-time", "/v1/reports/cycle-time?from=" + time.Now().UTC().AddDate(0, 0, -20).Format(time.DateOnly),
	}
	for _, sort := range []string{"created_at", "updated_at", "due_date", "name"} {
		l.lists = append(l.lists, "/v1/projects?sort="+sort, "/v1/projects?sort=-"+sort)
	}
	for _, sort := range []string{"created_at", "updated_at", "due_date", "priority", "title"} {
		l.lists = append(l.lists, "/v1/tasks?sort="+sort, "/v1/tasks?sort=-"+sort)
	}
	l.lists = append(l.lists, "/v1/members?role=owner,manager,member,viewer", "/v1/tasks?assignee_id=me,none,"+member.id.String()+"&sort=priority")
	return l
}

// reader is who may read a list and has something in it.
func (l *listed) reader(target string) person {
	if strings.HasPrefix(target, "/v1/notifications") {
		return l.as(domain.Member)
	}
	return l.as(domain.Owner)
}

// Every list with pages: each item once, in the same order, however long the
// pages are.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := newListed(w, "acme")
	tried := map[string]bool{}
	for _, target := range l.lists {
		p := l.reader(target)
		path, _, _ := strings.Cut(target, "?")
		tried[w.published.find("GET", path).ID] = true
		whole := readAll(p, target, 200, nil)
		if len(whole) < 4 {
			t.Errorf("%s has %d items, which proves little", target, len(whole))
		}
		for _, limit := range []int{1, 2, 3, len(whole)} {
			if got := readAll(p, target, limit, nil); !slices.Equal(got, whole) {
				t.Errorf("%s by %d:\n%s\nas a whole:\n%s", target, limit, strings.Join(got, "\n"), strings.Join(whole, "\n"))
			}
		}
		for _, bad := range []string{"0", "201", "-1", "x", "1.0"} {
			sep := "?"
			if strings.Contains(target, "?") {
				sep = "&"
			}
			p.get(target + sep + "limit=" + bad).refused(domain.CodeValidationFailed)
		}
	}
	for _, e := range w.published.endpoints {
		paged := slices.ContainsFunc(e.Parameters, func(p *endpointParameter) bool { return p.Name == "cursor" })
		if paged && !tried[e.ID] {
			t.Errorf("no test read a second page of %s", e.ID)
		}
	}
}

func TestOrdersOfProjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("Ann")
	names := []string{"b", "B", "a", "ä", "b", "\U0001F600", "aa", "\uFFFD", "b "}
	ids := map[string]string{}
	for _, name := range names {
		p := ann.project(name)
		ids[p.ID.String()] = name
	}
	second := items[projectBody](ann.get("/v1/projects"))[1]
	ann.patch("/v1/projects/"+second.ID.String(), `{"description":"later"}`).want(200)
	for query, want := range map[string]string{
		"":                 "b,B,a,ä,b,\U0001F600,aa,\uFFFD,b ",
		"?sort=created_at": "b,B,a,ä,b,\U0001F600,aa,\uFFFD,b ",
		"?sort=updated_at": "b,a,ä,b,\U0001F600,aa,\uFFFD,b ,B",
		"?sort=name":       "B,a,aa,b,b,b ,ä,\uFFFD,\U0001F600", // by code point, not by UTF-16 unit
	} {
		for _, limit := range []int{2, 200} {
			for _, minus := range []bool{false, true} {
				target, expected := "/v1/projects"+query, strings.Split(want, ",")
				if minus && query != "" {
					target = strings.Replace(target, "sort=", "sort=-", 1)
					slices.Reverse(expected)
				}
				var got []string
				for _, item := range readAll(ann, target, limit, nil) {
					var p projectBody
					if err := json.Unmarshal([]byte(item), &p); err != nil {
						t.Fatal(err)
					}
					got = append(got, p.Name)
				}
				if !slices.Equal(got, expected) {
					t.Errorf("%s by %d: got %q, want %q", target, limit, got, expected)
				}
			}
		}
	}
	for _, bad := range []string{"Name", "+name", "--name", "status", "name,created_at", "name&sort=name"} {
		ann.get("/v1/projects?sort=" + bad).refused(domain.CodeValidationFailed)
	}
}

// What is inserted, changed or deleted between two pages makes nothing else
// appear twice or be left out.
func TestPagesWhileOthersWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, target := range []string{"/v1/projects", "/v1/projects?sort=-created_at", "/v1/projects?sort=name", "/v1/projects?sort=-name", "/v1/projects?sort=-updated_at"} {
		p := w.user("Ann")
		p = p.in(as[tenantBody](p.post("/v1/tenants", `{"name":"T","slug":"t`+fmt.Sprint(w.persons.Load())+`"}`).want(201)).ID)
		var old []string
		for i := range 7 {
			old = append(old, p.project(fmt.Sprint("n", i)).ID.String())
		}
		var seen []string
		n := 0
		for _, item := range readAll(p, target, 2, func() {
			// Among those that were read, and among those to come; and what stood
			// at the page's end is gone.
			if n++; n <= 3 {
				p.project(fmt.Sprint("n", n-1))
				p.project(fmt.Sprint("n", 6-n))
				p.delete("/v1/projects/" + old[n-1]).want(204)
				p.delete("/v1/projects/" + old[7-n]).want(204)
			}
		}) {
			var project projectBody
			if err := json.Unmarshal([]byte(item), &project); err != nil {
				t.Fatal(err)
			}
			seen = append(seen, project.ID.String())
		}
		slices.Sort(seen)
		if len(slices.Compact(slices.Clone(seen))) != len(seen) || !slices.Contains(seen, old[3]) {
			t.Errorf("%s: something is there twice, or %s isn't, in %v", target, old[3], seen)
		}
	}
}

// A cursor opens its own list and no other.
func TestCursorsAreBound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := newListed(w, "acme"), newListed(w, "bolt")
	cursor := func(l *listed, target string) string {
		sep := map[bool]string{true: "&", false: "?"}[strings.Contains(target, "?")]
		next := as[page](l.reader(target).get(target + sep + "limit=1").want(200)).NextCursor
		if next == nil {
			t.Fatalf("%s has one page", target)
		}
		return *next
	}
	use := func(l *listed, target, cursor string) *answer {
		sep := map[bool]string{true: "&", false: "?"}[strings.Contains(target, "?")]
		return l.reader(target).get(target + sep + "cursor=" + url.QueryEscape(cursor))
	}
	for i, from := range a.lists {
		c := cursor(a, from)
		for j, to := range a.lists {
			same := i == j || strings.TrimSuffix(from, "?sort=created_at") == strings.TrimSuffix(to, "?sort=created_at")
			if got := use(a, to, c); same {
				got.want(200)
			} else {
				got.refused(domain.CodeCursorInvalid)
			}
		}
		use(b, b.lists[i], c).refused(domain.CodeCursorInvalid)
		for _, bad := range []string{c + "A", c[:len(c)-1], "B" + c[1:], strings.ToUpper(c), c + "=", "%", "\n", "null", c + c} {
			use(a, from, bad).refused(domain.CodeCursorInvalid)
		}
		use(a, from, strings.Repeat("A", 5000)).refused(domain.CodeCursorInvalid)
		use(a, from, "\x00\xff").refused(domain.CodeCursorInvalid)
		use(a, from, "").invalid("/cursor too_short")
	}
	// Another's notifications begin somewhere else.
	c := cursor(a, "/v1/notifications")
	a.as(domain.Manager).get("/v1/notifications?cursor=" + c).refused(domain.CodeCursorInvalid)
	// Pages may differ in length.
	a.as(domain.Owner).get("/v1/members?limit=200&cursor=" + cursor(a, "/v1/members")).want(200)
}
