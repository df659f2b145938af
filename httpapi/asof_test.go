package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"docket/domain"
	"docket/httpapi/edge"
)

// history is a company in which things were made, changed and deleted, with what was
// read at each step.
type history struct {
	*company
	reader  person
	targets []string
	// counts are targets of the owner's, whose answers count up to now.
	counts []string
	steps  []seen
}

// seen is what was read while a seq was the log's last.
type seen struct {
	seq     int64
	at      time.Time
	answers map[string]string
}

func newHistory(w *world) *history {
	w.Helper()
	h := &history{company: w.company("acme", "Acme")}
	owner := h.as(domain.Owner)
	h.reader = h.as(domain.Viewer)
	p := owner.project("Site")
	k := owner.task(p.ID, "Copy")
	said := owner.comment(k.ID, "So")
	project, task, comment := "/v1/projects/"+p.ID.String(), "/v1/tasks/"+k.ID.String(), "/v1/comments/"+said.ID.String()
	h.targets = []string{
		project, task, comment, "/v1/members", "/v1/projects", "/v1/projects?sort=-name&visibility=public", "/v1/projects?sort=-updated_at",
		"/v1/tasks", "/v1/tasks?status=done&due_before=2030-01-01", "/v1/tasks?assignee_id=" + owner.id.String(), project + "/tasks", project + "/tasks?label=x",
		task + "/comments",
	}
	h.counts = []string{
		"/v1/admin/tenant", "/v1/admin/stats", project + "/summary",
		"/v1/reports/cycle-time?from=2026-01-01&to=2026-12-31", "/v1/reports/cycle-time?project_id=" + p.ID.String(),
	}
	step := func(a *answer) {
		w.Helper()
		s := seen{seq: a.seq(), answers: map[string]string{}}
		w.caughtUp(h.id, s.seq)
		for _, target := range h.targets {
			s.answers[target] = h.answer(h.reader.get(target))
		}
		for _, target := range h.counts {
			s.answers[target] = uncounted(h.answer(owner.get(target)))
		}
		last := items[LogEventBody](owner.get(fmt.Sprint("/v1/admin/events?after_seq=", s.seq-1)))
		s.at = last[len(last)-1].At
		h.steps = append(h.steps, s)
	}
	step(owner.patch(project, `{"name":"Site two","visibility":"public"}`).want(200))
	another := owner.post("/v1/projects", `{"name":"Another","visibility":"public"}`).want(201)
	step(another)
	step(owner.patch("/v1/admin/tenant", `{"name":"Acme two","config":{"email":{"from":"acme@example.org"}}}`).want(200))
	step(owner.post(another.Header().Get("Location")+"/transitions", `{"to":"submitted"}`).want(200))
	step(owner.post(another.Header().Get("Location")+"/transitions", `{"to":"approved"}`).want(200))
	step(owner.post(project+"/tasks", `{"title":"Late","due_date":"2001-01-01"}`).want(201))
	step(owner.patch(task, `{"status":"done","labels":["x"],"due_date":"2027-01-01","assignee_id":"`+owner.id.String()+`"}`).want(200))
	step(owner.post(project+"/tasks", `{"title":"Second","labels":["x","y"]}`).want(201))
	step(owner.patch(comment, `{"body":"Not so"}`).want(200))
	step(owner.post(task+"/comments", `{"body":"Yes"}`).want(201))
	step(owner.patch("/v1/members/"+h.as(domain.Manager).id.String(), `{"role":"auditor"}`).want(200))
	step(owner.delete("/v1/members/" + h.as(domain.Manager).id.String()).want(204))
	step(owner.delete(comment).want(204))
	step(owner.post(project+"/transitions", `{"to":"submitted"}`).want(200))
	step(owner.patch(task, `{"labels":[]}`).want(200))
	step(owner.delete(task).want(204))
	step(owner.delete(project).want(204))
	return h
}

// answer is what a read says of the state: status, version and body.
func (h *history) answer(a *answer) string {
	h.w.Helper()
	if a.Code != http.StatusOK {
		a.refused(domain.CodeNotFound)
	}
	return fmt.Sprint(a.Code, " ", a.Header().Get("ETag"), " ", a.anonymous())
}

// uncounted is an answer without what grows with time, and what only now has.
func uncounted(answer string) string {
	return regexp.MustCompile(`"(subscriptions":\[[^\]]*\]|now":"[^"]*"|time_in_status":\{[^}]*\})`).ReplaceAllString(answer, "")
}

// readerOf is a person that may read a target.
func (h *history) readerOf(target string) person {
	if slices.Contains(h.counts, target) {
		return h.as(domain.Owner)
	}
	return h.reader
}

func asOf(target, value string) string {
	if strings.Contains(target, "?") {
		return target + "&as_of=" + value
	}
	return target + "?as_of=" + value
}

// What each operation reads as of a seq, or as of the time of its event, is byte for
// byte what it answered then, also of what was deleted since.
func TestAsOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := newHistory(w)
	tried := map[string]bool{}
	for _, s := range h.steps {
		elsewhere := s.at.In(time.FixedZone("", 2*60*60)).Format(time.RFC3339Nano)
		for _, target := range slices.Concat(h.targets, h.counts) {
			path, _, _ := strings.Cut(target, "?")
			tried[w.published.find("GET", path).ID] = true
			for _, value := range []string{strconv.FormatInt(s.seq, 10), s.at.Format(time.RFC3339Nano), url.QueryEscape(elsewhere)} {
				a := h.readerOf(target).get(asOf(target, value))
				got := h.answer(a)
				if slices.Contains(h.counts, target) {
					got = uncounted(got)
				}
				if got != s.answers[target] {
					t.Errorf("%s:\n%s\nand then:\n%s", a.call, got, s.answers[target])
				}
				if got := a.Header().Get("Docket-As-Of"); a.Code == http.StatusOK && got != strconv.FormatInt(s.seq, 10) {
					t.Errorf("%s: Docket-As-Of %q", a.call, got)
				}
			}
		}
	}
	for _, e := range w.published.endpoints {
		takes := slices.ContainsFunc(e.Parameters, func(p *endpointParameter) bool { return p.Name == asOfParameter })
		if takes != tried[e.ID] {
			t.Errorf("%s takes as_of: %v, tried: %v", e.ID, takes, tried[e.ID])
		}
	}
	// Before the first event there was nothing; a read of now says nothing of as_of.
	for _, value := range []string{"0", "1969-12-31T23:59:59Z", "0000-01-01T00:00:00Z"} {
		if got := h.reader.get("/v1/projects?as_of=" + value).want(200); strings.TrimSpace(got.Body.String()) != `{"items":[],"next_cursor":null}` || got.Header().Get("Docket-As-Of") != "0" {
			t.Errorf("%s: %v %s", got.call, got.Header(), got.Body)
		}
		h.reader.get(h.targets[0] + "?as_of=" + value).refused(domain.CodeNotFound)
	}
	// The present status is counted up to the time, or to the event of the seq.
	first := h.steps[0]
	summary := as[projectSummaryBody](h.reader.get(asOf(h.targets[0]+"/summary", fmt.Sprint(first.seq))).want(200))
	if !summary.Now.Equal(first.at) || summary.TimeInStatus["draft"] != summary.Now.Sub(summary.Since).Seconds() {
		t.Errorf("%+v", summary)
	}
	if got := h.reader.get("/v1/projects").want(200).Header().Values("Docket-As-Of"); len(got) != 0 {
		t.Errorf("Docket-As-Of %q of a read of now", got)
	}
}

// What hasn't come can't be read, and today's role decides who reads the past.
func TestAsOfRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := newHistory(w)
	head := h.steps[len(h.steps)-1].seq
	there := h.steps[0].seq
	for _, target := range slices.Concat(h.targets, h.counts) {
		reader := h.readerOf(target)
		for _, value := range []string{
			"2026-11-26", "2026-11-26T9:00:00Z", "2026-11-26T19:00:00,5Z", "2026-11-26T19:00:00%2B24:00", "2026-11-26T19:00:00-23:60",
			"2026-02-29T19:00:00Z", "2026-11-26T24:00:00Z", "1.5", "-1", "now",
		} {
			reader.get(asOf(target, value)).refused(domain.CodeMalformed)
		}
		for _, value := range []string{fmt.Sprint(head + 1), "9223372036854775807", "9223372036854775808", "2999-01-01T00:00:00Z", "9999-12-31T23:59:59Z"} {
			reader.get(asOf(target, value)).refused(domain.CodeUnsupportedCombination)
		}
		reader.get(asOf(target, "1") + "&min_seq=1").refused(domain.CodeUnsupportedCombination)
		reader.get(asOf(target, "1") + "&as_of=1").refused(domain.CodeValidationFailed)
		h.as(domain.Manager).get(asOf(target, fmt.Sprint(there))).refused(domain.CodeTenantAccessDenied) // who has left
		w.user("Stranger").in(h.id).get(asOf(target, fmt.Sprint(there))).refused(domain.CodeTenantAccessDenied)
	}
}

// A list that was begun as of a time goes on as of the seq that it meant then, though an
// append that was under way has made it mean a later one since.
func TestCursorsKeepToTheirSeq(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := newListed(w, "acme")
	owner := l.as(domain.Owner)
	head := owner.patch("/v1/admin/tenant", `{"name":"x"}`).want(200).seq()
	w.caughtUp(l.id, head)
	then := asOf("/v1/projects?limit=1", time.Now().UTC().Format(time.RFC3339Nano))
	first := owner.get(then).want(200)
	if got := first.Header().Get("Docket-As-Of"); got != fmt.Sprint(head) {
		t.Fatalf("the first page is as of %s, want %d", got, head)
	}
	at, err := url.Parse(then)
	if err != nil {
		t.Fatal(err)
	}
	begun := edge.Listing{Tenant: l.id, Route: "list-projects", Filters: ProjectFilter{}.query(domain.UserID{}), Sort: "created_at", AsOf: at.Query().Get("as_of")}
	var place asOfPosition
	if err := w.server.cursors.Open(begun, *as[page](first).NextCursor, &place); err != nil || place.AsOf != head {
		t.Fatalf("the cursor is as of %d: %v", place.AsOf, err)
	}
	place.AsOf-- // what the time meant before the last append came
	cursor, err := w.server.cursors.Seal(begun, place)
	if err != nil {
		t.Fatal(err)
	}
	second := owner.get(then + "&cursor=" + cursor).want(200)
	if got := second.Header().Get("Docket-As-Of"); got != fmt.Sprint(head-1) {
		t.Errorf("the second page is as of %s, want %d", got, head-1)
	}
	owner.get(then + "&min_seq=1&cursor=" + cursor).refused(domain.CodeUnsupportedCombination)
}

// A cursor goes on in the past that it is from, and in no other, nor now.
func TestCursorsAsOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := newListed(w, "acme")
	owner := l.as(domain.Owner)
	head := owner.patch("/v1/admin/tenant", `{"name":"x"}`).want(200).seq()
	for _, target := range l.lists {
		path, query, _ := strings.Cut(target, "?")
		if asked, err := url.ParseQuery(query); err != nil || asked.Has("q") {
			continue // only what there is now is searched
		}
		e := w.published.find("GET", path)
		if !slices.ContainsFunc(e.Parameters, func(p *endpointParameter) bool { return p.Name == asOfParameter }) {
			continue
		}
		w.caughtUp(l.id, head)
		now := readAll(owner, target, 200, nil)
		then := asOf(target, fmt.Sprint(head))
		for _, limit := range []int{1, 3, 200} {
			more := sync.OnceFunc(func() { owner.project("another") })
			if got := readAll(owner, then, limit, more); !slices.Equal(got, now) {
				t.Errorf("%s by %d:\n%s\nand then:\n%s", then, limit, strings.Join(got, "\n"), strings.Join(now, "\n"))
			}
			if limit < 200 { // what the others have made meanwhile is for later
				continue
			}
			cursor := url.QueryEscape(*as[page](owner.get(then + "&limit=1").want(200)).NextCursor)
			owner.get(asOf(target, fmt.Sprint(head-1)) + "&cursor=" + cursor).refused(domain.CodeCursorInvalid)
			sep := map[bool]string{true: "&", false: "?"}[strings.Contains(target, "?")]
			owner.get(target + sep + "cursor=" + cursor).refused(domain.CodeCursorInvalid)
		}
		head = owner.patch("/v1/admin/tenant", jsonOf(map[string]any{"name": fmt.Sprint("x", head)})).want(200).seq()
	}
}
