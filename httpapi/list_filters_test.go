package httpapi

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"docket/domain"
)

// Filters and orders as clients write them: several values, words for users, what excludes
// each other, and bad values.
func TestListFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	owner, member := c.as(domain.Owner), c.as(domain.Member)
	one := as[projectBody](owner.post("/v1/projects", `{"name":"b","due_date":"2027-01-02"}`).want(201))
	two := as[projectBody](owner.post("/v1/projects", `{"name":"a","visibility":"public"}`).want(201))
	for _, x := range []struct {
		by   person
		in   projectBody
		body string
	}{
		{owner, one, `{"title":"1","priority":"urgent","due_date":"2027-01-05","labels":["a,b"]}`},
		{member, one, `{"title":"2","priority":"low","due_date":"2027-01-03","assignee_id":"` + member.id.String() + `","labels":["a"]}`},
		{owner, two, `{"title":"3","priority":"normal","labels":["b"]}`},
		{member, two, `{"title":"4","priority":"high","due_date":"2027-01-04","assignee_id":"` + owner.id.String() + `"}`},
	} {
		x.by.post("/v1/projects/"+x.in.ID.String()+"/tasks", x.body).want(201)
	}
	all := items[taskBody](owner.get("/v1/tasks"))
	owner.patch("/v1/tasks/"+all[0].ID.String(), `{"status":"done"}`).want(200)
	changed := as[taskBody](owner.patch("/v1/tasks/"+all[1].ID.String(), `{"status":"in_progress"}`).want(200))
	seq := owner.patch("/v1/admin/tenant", `{"name":"Acme!"}`).want(200).seq()
	w.caughtUp(c.id, seq)

	project := "/v1/projects/" + one.ID.String() + "/tasks"
	for target, want := range map[string]string{
		"/v1/tasks?status=todo,in_progress":                                   "234",
		"/v1/tasks?status=todo,todo":                                          "34",
		"/v1/tasks?not_status=todo":                                           "12",
		"/v1/tasks?status=todo,done&not_status=done":                          "34",
		"/v1/tasks?status=done&not_status=done":                               "",
		"/v1/tasks?assignee_id=none":                                          "13",
		"/v1/tasks?assignee_id=none,me":                                       "134",
		"/v1/tasks?created_by=me":                                             "13",
		"/v1/tasks?created_by=me," + member.id.String() + "&sort=-created_at": "4321",
		"/v1/tasks?priority=low,urgent":                                       "12",
		"/v1/tasks?due_date=none":                                             "3",
		"/v1/tasks?due_date=none&due_before=2028-01-01":                       "",
		"/v1/tasks?due_after=2027-01-03":                                      "14",
		"/v1/tasks?due_after=2027-01-03&due_before=2027-01-05":                "4",
		"/v1/tasks?label=a":                                                   "2",
		"/v1/tasks?label=a,b":                                                 "23",
		`/v1/tasks?label=a%5C,b`:                                              "1",
		"/v1/tasks?project_id=" + two.ID.String():                             "34",
		"/v1/tasks?updated_since=0000-01-01T00:00:00Z":                        "1234",
		"/v1/tasks?updated_since=0001-01-01T00:00:00%2B02:00&sort=updated_at": "3412",
		"/v1/tasks?project_id=" + two.ID.String() + "," + one.ID.String():     "1234",
		"/v1/tasks?project_id=00000000-0000-0000-0000-000000000000":           "",
		"/v1/tasks?sort=due_date":                                             "2413",
		"/v1/tasks?sort=-due_date":                                            "3142",
		"/v1/tasks?sort=priority":                                             "2341",
		"/v1/tasks?sort=-priority&status=todo,in_progress":                    "432",
		"/v1/tasks?sort=-priority&priority=low,high":                          "42",
		"/v1/tasks?sort=-title":                                               "4321",
		"/v1/tasks?sort=updated_at":                                           "3412",
		"/v1/tasks?sort=title&updated_since=" + changed.UpdatedAt.Format("2006-01-02T15:04:05.999999Z07:00"): "2",
		project + "?not_status=done": "2",
		project + "?due_date=none":   "",
		project + "?sort=-priority":  "12",
	} {
		asOf := fmt.Sprintf("%s%sas_of=%d", target, map[bool]string{true: "&", false: "?"}[strings.Contains(target, "?")], seq)
		for _, read := range []string{target, asOf} {
			for _, limit := range []int{1, 200} {
				var got strings.Builder
				for _, item := range readAll(owner, read, limit, nil) {
					got.WriteString(titleOf(t, item))
				}
				if got.String() != want {
					t.Errorf("%s by %d: got %q, want %q", read, limit, got.String(), want)
				}
			}
		}
	}

	// One set of filters has one cursor, however it is written.
	cursor := *as[page](owner.get("/v1/tasks?status=todo,done&not_status=done&created_by=me," + member.id.String() + "&limit=1").want(200)).NextCursor
	owner.get("/v1/tasks?created_by=" + member.id.String() + "," + owner.id.String() + "&status=todo,todo&cursor=" + cursor).want(200)
	for _, other := range []string{"", "?status=todo", "?status=todo&created_by=me," + member.id.String() + "&sort=title", "?status=todo&created_by=me"} {
		sep := map[bool]string{true: "&", false: "?"}[strings.Contains(other, "?")]
		owner.get("/v1/tasks" + other + sep + "cursor=" + cursor).refused(domain.CodeCursorInvalid)
	}
}

// titleOf is the title of a task, the name of a project, or the role of a member.
func titleOf(t *testing.T, item string) string {
	t.Helper()
	var v struct{ Title, Name, Role string }
	if err := json.Unmarshal([]byte(item), &v); err != nil {
		t.Fatal(err)
	}
	if v.Role != "" {
		return v.Role + " "
	}
	return v.Title + v.Name
}

func TestFiltersOfProjectsAndMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	owner, member := c.as(domain.Owner), c.as(domain.Member)
	owner.post("/v1/projects", `{"name":"b","due_date":"2027-01-02"}`).want(201)
	moved := as[projectBody](member.post("/v1/projects", `{"name":"a","visibility":"public"}`).want(201))
	owner.post("/v1/projects", `{"name":"c","due_date":"2027-01-01"}`).want(201)
	member.post("/v1/projects/"+moved.ID.String()+"/transitions", `{"to":"submitted"}`).want(200)
	seq := owner.patch("/v1/admin/tenant", `{"name":"Acme!"}`).want(200).seq()
	w.caughtUp(c.id, seq)
	address := as[currentUserBody](member.get("/v1/me").want(200)).Email
	for target, want := range map[string]string{
		"/v1/projects?status=draft,submitted&sort=name":                  "abc",
		"/v1/projects?not_status=draft":                                  "a",
		"/v1/projects?owner_id=me":                                       "bc",
		"/v1/projects?created_by=" + member.id.String():                  "a",
		"/v1/projects?owner_id=me," + member.id.String() + "&sort=-name": "cba",
		"/v1/projects?visibility=private,public&sort=due_date":           "cba",
		"/v1/projects?sort=-due_date":                                    "abc",
		"/v1/projects?due_date=none":                                     "a",
		"/v1/projects?due_after=2027-01-01":                              "b",
		"/v1/projects?due_before=2027-01-02":                             "c",
		"/v1/projects?updated_since=2100-01-01T00:00:00Z":                "",
		"/v1/projects?updated_since=0000-01-01T00:00:00Z":                "bac",
		"/v1/members?role=owner":                                         "owner ",
		"/v1/members?role=auditor,owner,owner":                           "owner auditor ",
		"/v1/members?q=" + url.QueryEscape(strings.ToUpper(address)):     "member ",
		"/v1/members?role=owner&q=" + url.QueryEscape(address):           "",
		"/v1/members?q=nothing%20that%20begins%20so":                     "",
	} {
		asOf := fmt.Sprintf("%s%sas_of=%d", target, map[bool]string{true: "&", false: "?"}[strings.Contains(target, "?")], seq)
		for _, read := range []string{target, asOf} {
			for _, limit := range []int{1, 200} {
				var got strings.Builder
				for _, item := range readAll(owner, read, limit, nil) {
					got.WriteString(titleOf(t, item))
				}
				// The roles' order of joining is the world's.
				if sortedWords(got.String()) != sortedWords(want) {
					t.Errorf("%s by %d: got %q, want %q", read, limit, got.String(), want)
				}
			}
		}
	}
}

// sortedWords sorts the words of what was listed where it has any; other lists keep their order.
func sortedWords(text string) string {
	list := strings.Fields(text)
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestBadListFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("Ann")
	for target, want := range map[string]string{
		"/v1/tasks?status=todo,nonsense":                 "/status enum",
		"/v1/tasks?status=todo,":                         "/status too_short",
		"/v1/tasks?status=,todo":                         "/status too_short",
		"/v1/tasks?not_status=nonsense":                  "/not_status enum",
		"/v1/tasks?priority=low,,high":                   "/priority too_short",
		"/v1/tasks?assignee_id=none,Ann":                 "/assignee_id format",
		"/v1/tasks?created_by=none":                      "/created_by format",
		"/v1/tasks?project_id=me":                        "/project_id format",
		"/v1/tasks?label=a,,b":                           "/label too_short",
		"/v1/tasks?label=" + strings.Repeat("x", 51):     "/label too_long",
		"/v1/tasks?due_date=2027-01-01":                  "/due_date enum",
		"/v1/tasks?due_after=":                           "/due_after too_short",
		"/v1/tasks?due_after=soon":                       "/due_after format",
		"/v1/tasks?due_before=2027-02-30":                "/due_before format",
		"/v1/tasks?updated_since=2027-01-01":             "/updated_since format",
		"/v1/tasks?sort=name":                            "/sort enum",
		"/v1/tasks?sort=title,created_at":                "/sort enum",
		"/v1/projects?sort=priority":                     "/sort enum",
		"/v1/projects?owner_id=none":                     "/owner_id format",
		"/v1/projects?visibility=public,hidden":          "/visibility enum",
		"/v1/members?role=boss":                          "/role enum",
		"/v1/members?q=":                                 "/q too_short",
		"/v1/tasks?status=nonsense&due_after=2027-02-30": "/status enum,/due_after format",
	} {
		ann.get(target).invalid(strings.Split(want, ",")...)
	}
	ann.get("/v1/tasks?q=x&sort=title").refused(domain.CodeUnsupportedCombination)
	ann.get("/v1/projects?q=x&sort=name").refused(domain.CodeUnsupportedCombination)
	for target, want := range map[string]string{
		"/v1/tasks?due_before=2027-02-30":                         "there is no such day",
		"/v1/tasks?updated_since=2027-01-01T00:00:00+02:00":       "%2B",
		"/v1/tasks?as_of=2026-01-01T00:00:00+02:00":               "%2B",
		"/v1/projects?as_of=2026-01-01T00:00:00+02:00&sort=-name": "%2B",
	} {
		if got := ann.get(target); !strings.Contains(got.Body.String(), want) {
			t.Errorf("%s: %s doesn't say %q", target, got.Body, want)
		}
	}
}
