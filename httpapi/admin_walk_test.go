package httpapi

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"docket/domain"
)

// The fifth part of the tour: who did what to what, and when.
func TestActivityAndEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	owner, member, auditor := c.as(domain.Owner), c.as(domain.Member), c.as(domain.Auditor)
	project := as[projectBody](member.post("/v1/projects", `{"name":"A <b> & \u2028 c"}`, requestIDHeader, "request-1").want(201))
	at := "/v1/projects/" + project.ID.String()
	member.patch(at, `{"name":"Site","due_date":"2027-01-01"}`).want(200)
	task := as[taskBody](member.post(at+"/tasks", `{"title":"Copy"}`).want(201))
	last := owner.post(at+"/transitions", `{"to":"cancelled","comment":"no"}`).want(200).seq()
	w.caughtUp(c.id, last)

	all := items[activityBody](owner.get("/v1/admin/activity"))
	if len(all) != int(last) {
		t.Fatalf("%d lines, %d events", len(all), last)
	}
	for i, a := range all {
		if a.Seq != int64(i+1) || a.RequestID == "" || a.Changes == nil {
			t.Errorf("%+v", a)
		}
	}
	made, edited, moved := all[last-4], all[last-3], all[last-1]
	if made.Action != "project.created" || *made.ActorID != member.id || made.ActorName != "Acme member" || made.EntityType != domain.ProjectStream ||
		made.EntityID != project.ID.UUID() || *made.ProjectID != project.ID || made.RequestID != "request-1" || len(made.Changes) != 0 {
		t.Errorf("%+v", made)
	}
	if got := jsonOf(edited.Changes); got != `[{"field":"name","from":"A \u003cb\u003e \u0026 \u2028 c","to":"Site"},{"field":"due_date","from":null,"to":"2027-01-01"}]` {
		t.Error(got)
	}
	if got := jsonOf(moved.Changes); got != `[{"field":"status","from":"draft","to":"cancelled"}]` || moved.Summary != `Acme owner moved project "Site" from draft to cancelled` {
		t.Error(got, moved.Summary)
	}

	seqs := func(query string) (seqs []int64) {
		t.Helper()
		for _, a := range items[activityBody](auditor.get("/v1/admin/activity?" + query)) {
			seqs = append(seqs, a.Seq)
		}
		return seqs
	}
	times := func(a activityBody) string { return url.QueryEscape(a.At.Format(time.RFC3339Nano)) }
	for query, want := range map[string][]int64{
		"actor_id=" + member.id.String():                                   {last - 3, last - 2, last - 1},
		"actor_id=00000000-0000-0000-0000-000000000000":                    nil, // the nil id has no events
		"entity_type=project":                                              {last - 3, last - 2, last},
		"entity_type=project&action=project.updated":                       {last - 2},
		"entity_id=" + task.ID.String():                                    {last - 1},
		"entity_id=00000000-0000-0000-0000-000000000000":                   nil,
		"entity_id=" + task.ID.String() + "&actor_id=" + owner.id.String(): nil,
		"action=project.created":                                           {last - 3},
		"action=project.created,project.updated&entity_type=project":       {last - 3, last - 2},
		"field=due_date":                                                   {last - 2},
		"field=due_date&order=desc&limit=1":                                {last - 2},
		"project_id=" + project.ID.String():                                {last - 3, last - 2, last - 1, last},
		"project_id=" + project.ID.String() + "&order=desc":                {last, last - 1, last - 2, last - 3},
		"project_id=" + project.ID.String() + "&actor_id=me":               nil,
		"after_seq=" + jsonOf(last-2) + "&order=desc":                      {last, last - 1},
		"after_seq=" + jsonOf(last-1):                                      {last},
		"after_seq=" + jsonOf(last):                                        nil,
		"from=" + times(moved):                                             {last},
		"from=" + times(edited) + "&to=" + times(moved):                    {last - 2, last - 1},
		"to=" + times(all[1]):                                              {1},
		"from=2000-01-01T00:00:00%2B02:00&to=2000-01-02T00:00:00Z":         nil,
		"to=0001-01-01T00:00:00Z":                                          nil,
		"from=9999-12-31T23:59:59Z":                                        nil,
	} {
		if got := seqs(query); jsonOf(got) != jsonOf(want) {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
	for _, bad := range []string{"from=yesterday", "from=2026-01-01", "from=2026-01-01T00:00:60Z", "from=2026-02-30T00:00:00Z", "from=2026-01-01T9:00:00Z", "to=2026-01-01T09:00:00-23:60", "to=1", "after_seq=-1", "after_seq=x", "actor_id=mine", "entity_type=nothing", "action=nonsense", "action=task.created,nonsense", "action=,", "action=user.renamed", "field=nonsense", "project_id=x", "order=up"} {
		auditor.get("/v1/admin/activity?" + bad).refused(domain.CodeValidationFailed)
	}
	if got := items[activityBody](owner.get("/v1/admin/activity?actor_id=me")); len(got) == 0 || *got[0].ActorID != owner.id {
		t.Errorf("%+v", got)
	}
	for _, list := range []string{"/v1/admin/activity", "/v1/admin/events"} {
		auditor.get(fmt.Sprint(list, "?after_seq=", last+1)).refused(domain.CodeUnsupportedCombination)
		auditor.get(list + "?after_seq=9223372036854775807&order=desc").refused(domain.CodeUnsupportedCombination)
		auditor.get(list + "?order=ascending").refused(domain.CodeValidationFailed)
	}
	if newest := items[LogEventBody](auditor.get("/v1/admin/events?order=desc&after_seq=" + jsonOf(last-2))); len(newest) != 2 || newest[0].Seq != last {
		t.Errorf("%+v", newest)
	}

	width := regexp.MustCompile(`"at":"[^"]*"`)
	for _, at := range width.FindAllString(auditor.get("/v1/admin/activity").Body.String(), -1) {
		if len(at) != len(`"at":"2027-01-01T00:00:00.193630Z"`) {
			t.Errorf("a time of another width: %s", at)
		}
	}

	// The raw log: as a list and by lines, the same events with the same bytes.
	events := items[LogEventBody](auditor.get("/v1/admin/events"))
	if len(events) != int(last) || events[last-4].Type != "project.created" || events[last-4].StreamID != project.ID.UUID() || *events[0].ActorID != owner.id {
		t.Errorf("%+v", events)
	}
	lines := auditor.get("/v1/admin/events?after_seq="+jsonOf(last-4), "Accept", "application/x-ndjson").want(200)
	if lines.Header().Get("Content-Type") != "application/x-ndjson" {
		t.Error(lines.Header())
	}
	scanner, n := bufio.NewScanner(lines.Body), last-4
	page := auditor.get("/v1/admin/events").Body.String()
	for ; scanner.Scan(); n++ {
		var e LogEventBody
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil || e.Seq != n+1 {
			t.Errorf("%v: %s", err, scanner.Text())
		}
		if !strings.Contains(page, scanner.Text()) {
			t.Errorf("the list has other bytes than the line %s", scanner.Text())
		}
	}
	if n != last {
		t.Errorf("%d lines, want 4", n-last+4)
	}
	history := items[historyItemBody](member.get(at + "/history"))
	if len(history) != 3 || history[0].Seq != last-3 || history[0].ActorName != "Acme member" || history[2].Summary != moved.Summary ||
		jsonOf(history[1].Changes) != jsonOf(edited.Changes) {
		t.Errorf("%+v", history)
	}
	if got := member.get(at + "/history").Body.String(); !strings.Contains(got, `"data":`+string(events[last-4].Data)) {
		t.Errorf("the history has other bytes than the log: %s", got)
	}
	if newest := items[historyItemBody](member.get(at + "/history?order=desc")); len(newest) != 3 || newest[0].Seq != last {
		t.Errorf("%+v", newest)
	}
	member.get(at + "/history?order=up").refused(domain.CodeValidationFailed)

	// What ends with its project shows that.
	dated := as[taskBody](owner.post("/v1/projects/"+member.project("Short").ID.String()+"/tasks", `{"title":"Dated","due_date":"2027-03-01","priority":"high"}`).want(201))
	said := owner.comment(dated.ID, "Said")
	deletion := owner.delete("/v1/projects/" + dated.ProjectID.String()).want(204).seq()
	w.caughtUp(c.id, deletion)
	for _, order := range []string{"asc", "desc"} {
		ends := readAll(member, "/v1/tasks/"+dated.ID.String()+"/history?order="+order, 1, nil)
		if order == "desc" {
			slices.Reverse(ends)
		}
		if len(ends) != 2 || !strings.Contains(ends[1], `"type":"project.deleted"`) ||
			!strings.Contains(ends[0], `"changes":[{"field":"priority","from":"normal","to":"high"},{"field":"due_date","from":null,"to":"2027-03-01"}]`) {
			t.Errorf("%s: %v", order, ends)
		}
	}
	for _, entity := range []string{dated.ID.String(), said.ID.String()} {
		if got := seqs("entity_id=" + entity); len(got) != 2 || got[1] != deletion {
			t.Errorf("%s: %v", entity, got)
		}
	}
	if got := seqs("field=due_date&action=task.created"); len(got) != 1 {
		t.Errorf("%v", got)
	}
}
