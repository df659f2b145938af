package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"docket/domain"
	"docket/httpapi/edge"
)

// pair is a write through one replica and then a read, by somebody else, through
// another or the same. It says what is wrong with what was read.
type pair func(writer, reader person) string

// pairs are the writes that a lane of the race chooses from. Lanes share a tenant
// and nothing in it.
type pairs struct {
	project, task, comment string
	member                 domain.UserID
}

func (l *pairs) kinds(n int) map[string]pair {
	word := fmt.Sprint("state ", n)
	// after reads a target as of the write at the earliest.
	after := func(a *answer, reader person, target string) *answer {
		sep := "?"
		if strings.Contains(target, "?") {
			sep = "&"
		}
		return reader.get(target + sep + "min_seq=" + a.Header().Get("Docket-Seq"))
	}
	// shows is a pair whose read shows the written word, or, if gone, doesn't.
	shows := func(status int, target string, write func(person) *answer) pair {
		return func(writer, reader person) string {
			wrote := write(writer)
			if wrote.Code/100 != 2 {
				return fmt.Sprintf("the write was answered %d %s", wrote.Code, wrote.Body)
			}
			read := after(wrote, reader, target)
			if read.Code != status || status == http.StatusOK && !strings.Contains(read.Body.String(), word) {
				return fmt.Sprintf("%s was answered %d %s", read.call, read.Code, read.Body)
			}
			return ""
		}
	}
	edit := func(target, member string) func(person) *answer {
		return func(p person) *answer { return p.patch(target, jsonOf(map[string]any{member: word})) }
	}
	passing := func(list, title string) func(person) *answer {
		return func(p person) *answer { return p.post(list, jsonOf(map[string]any{title: word})) }
	}
	return map[string]pair{
		"a project":          shows(200, l.project, edit(l.project, "name")),
		"a list of projects": shows(200, "/v1/projects?sort=-updated_at&limit=200", edit(l.project, "name")),
		"a task":             shows(200, l.task, edit(l.task, "title")),
		"a list of tasks":    shows(200, "/v1/tasks?limit=200", edit(l.task, "title")),
		"a project's tasks":  shows(200, l.project+"/tasks?limit=200", edit(l.task, "title")),
		"a comment":          shows(200, l.comment, edit(l.comment, "body")),
		"a list of comments": shows(200, l.task+"/comments?limit=200", edit(l.comment, "body")),
		"the steps":          shows(200, l.project+"/transitions", func(p person) *answer { word = "to"; return edit(l.project, "name")(p) }),
		"the stats":          shows(200, "/v1/admin/stats", func(p person) *answer { word = "head"; return edit(l.project, "name")(p) }),
		"a summary": shows(200, l.project+"/summary", func(p person) *answer {
			wrote := edit(l.task, "title")(p)
			word = `"last_activity":{"seq":` + wrote.Header().Get("Docket-Seq")
			return wrote
		}),
		"the cycle times":   shows(200, "/v1/reports/cycle-time", func(p person) *answer { word = "weeks"; return edit(l.project, "name")(p) }),
		"the notifications": shows(200, "/v1/notifications", func(p person) *answer { word = "items"; return edit(l.project, "name")(p) }),
		"the activity log": func(w, r person) string {
			wrote := edit(l.task, "title")(w)
			seq, _ := strconv.ParseInt(wrote.Header().Get("Docket-Seq"), 10, 64) // 0 is refused below
			target := fmt.Sprintf("/v1/admin/activity?entity_id=%s&after_seq=%d", l.task[len("/v1/tasks/"):], seq-1)
			return shows(200, target, func(person) *answer { return wrote })(w, r)
		},
		"the settings": func(w, r person) string {
			return shows(200, "/v1/admin/tenant", edit("/v1/admin/tenant", "name"))(w, r)
		},
		"a task that was ended": func(w, r person) string { return l.ended(w, r, passing(l.project+"/tasks", "title"), after) },
		"a role": func(w, r person) string {
			role := []domain.Role{domain.Viewer, domain.Member}[n%2]
			wrote := w.patch("/v1/members/"+l.member.String(), jsonOf(map[string]any{"role": role}))
			if wrote.Code != 200 {
				return fmt.Sprint(wrote.Code, wrote.Body)
			}
			read := after(wrote, r, "/v1/members?limit=200")
			if read.Code != 200 || !slices.ContainsFunc(as[edge.List[memberBody]](read).Items, func(m memberBody) bool { return m.UserID == l.member && m.Role == role }) {
				return fmt.Sprint(read.Code, read.Body)
			}
			return ""
		},
	}
}

// ended makes a task and deletes it: whoever reads it then finds none.
func (l *pairs) ended(w, r person, make func(person) *answer, after func(*answer, person, string) *answer) string {
	made := make(w)
	if made.Code != 201 {
		return fmt.Sprint(made.Code, made.Body)
	}
	at := made.Header().Get("Location")
	if a := after(made, r, at); a.Code != 200 {
		return fmt.Sprint("made, and not found: ", a.Code, a.Body)
	}
	gone := w.delete(at)
	if gone.Code != 204 {
		return fmt.Sprint(gone.Code, gone.Body)
	}
	if a := after(gone, r, at); a.Code != 404 {
		return fmt.Sprint("deleted, and found: ", a.Code, a.Body)
	}
	return ""
}

// With min_seq a read shows the write that it follows, through whichever of two
// replicas, each with subscriptions of its own. Each history
// has 5 pairs at once.
func TestMinSeqOnTwoReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	owner, reader := c.as(domain.Owner), c.as(domain.Owner).session()
	replicas := []http.Handler{w.peer(), w.peer()}
	lanes := make([]*pairs, 5)
	for i := range lanes {
		p := owner.project("Site")
		k := owner.task(p.ID, "Copy")
		m := w.user("Lane").in(c.id)
		owner.post("/v1/members", jsonOf(map[string]any{"email": m.email, "role": domain.Viewer})).want(201)
		lanes[i] = &pairs{
			project: "/v1/projects/" + p.ID.String(), task: "/v1/tasks/" + k.ID.String(),
			comment: "/v1/comments/" + owner.comment(k.ID, "So").ID.String(), member: m.id,
		}
	}
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range lanes[0].kinds(0) {
			if !yield(name) {
				return
			}
		}
	})
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		var wg sync.WaitGroup
		wrong := make([]string, len(lanes))
		settings := rapid.IntRange(0, len(lanes)-1).Draw(t, "who may write the settings")
		for i, l := range lanes {
			n++
			name := rapid.SampledFrom(names).Draw(t, "pair")
			if name == "the settings" && i != settings { // which are one for all lanes
				name = "a project"
			}
			from, at := rapid.IntRange(0, 1).Draw(t, "written through"), rapid.IntRange(0, 1).Draw(t, "read through")
			run := l.kinds(n)[name]
			wg.Go(func() {
				if what := run(owner.at(replicas[from]), reader.at(replicas[at])); what != "" {
					wrong[i] = fmt.Sprintf("%s, written through %d and read through %d: %s", name, from, at, what)
				}
			})
		}
		wg.Wait()
		for _, what := range wrong {
			if what != "" {
				t.Error(what)
			}
		}
	})
}

// What a read may not be answered from is refused, and so is what can't be.
func TestMinSeqRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	owner := c.as(domain.Owner)
	p := owner.project("Site")
	k := owner.task(p.ID, "Copy")
	said := owner.comment(k.ID, "So")
	head := owner.patch("/v1/admin/tenant", `{"name":"x"}`).want(200).seq()
	project, task := "/v1/projects/"+p.ID.String(), "/v1/tasks/"+k.ID.String()
	targets := []string{
		"/v1/projects", project, project + "/transitions", project + "/tasks", "/v1/tasks", task, task + "/comments",
		"/v1/comments/" + said.ID.String(), "/v1/members", "/v1/notifications", "/v1/admin/tenant", "/v1/admin/stats", "/v1/admin/activity",
		project + "/summary", "/v1/reports/cycle-time",
	}
	tried := map[string]bool{}
	for _, target := range targets {
		tried[w.published.find("GET", target).ID] = true
		owner.get(fmt.Sprint(target, "?min_seq=", head)).want(200)
		owner.get(target + "?min_seq=0").want(200)
		owner.get(fmt.Sprint(target, "?min_seq=", head+1)).refused(domain.CodeUnsupportedCombination)
		owner.get(target + "?min_seq=9223372036854775807").refused(domain.CodeUnsupportedCombination)
		for _, nonsense := range []string{"x", "-1", "1.5", "9223372036854775808"} {
			a := owner.get(target + "?min_seq=" + nonsense)
			if len(a.refused(domain.CodeValidationFailed).Errors) != 1 {
				t.Errorf("%s: %s", a.call, a.Body)
			}
		}
	}
	for _, e := range w.published.endpoints {
		takes := slices.ContainsFunc(e.Parameters, func(p *endpointParameter) bool { return p.Name == minSeqParameter })
		if takes != tried[e.ID] {
			t.Errorf("%s takes min_seq: %v, tried: %v", e.ID, takes, tried[e.ID])
		}
	}

	// The subscriptions stand still: what they have read is answered, no more.
	w.caughtUp(c.id, head)
	w.stop()
	w.server.queries.OwnWait, w.server.inbox.OwnWait = 10*time.Millisecond, 10*time.Millisecond
	next := owner.patch(project, `{"name":"y"}`).want(200).seq()
	for _, target := range targets {
		owner.get(fmt.Sprint(target, "?min_seq=", head)).want(200)
	}
	w.server.queries.MinWait = 10 * time.Millisecond
	for _, target := range targets {
		a := owner.get(fmt.Sprint(target, "?min_seq=", next))
		if a.refused(domain.CodeReadModelLagging); a.Header().Get("Retry-After") != "1" {
			t.Errorf("%s: Retry-After %q", a.call, a.Header().Get("Retry-After"))
		}
	}
	w.server.queries.MinWait = time.Minute
	w.resume()
	w.caughtUp(c.id, next)
	if got := as[projectBody](owner.get(fmt.Sprint(project, "?min_seq=", next)).want(200)); got.Name != "y" {
		t.Errorf("%+v", got)
	}
}
