package httpapi

import (
	"bufio"
	"encoding/json"
	"net/url"
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
		"action=nonsense":                                                  nil,
		"after_seq=" + jsonOf(last-1):                                      {last},
		"after_seq=" + jsonOf(last):                                        nil,
		"after_seq=9223372036854775807":                                    nil,
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
	for _, bad := range []string{"from=yesterday", "from=2026-01-01", "from=2026-01-01T00:00:60Z", "from=2026-02-30T00:00:00Z", "from=2026-01-01T9:00:00Z", "to=2026-01-01T09:00:00-23:60", "to=1", "after_seq=-1", "after_seq=x", "actor_id=me", "entity_type=nothing"} {
		auditor.get("/v1/admin/activity?" + bad).refused(domain.CodeValidationFailed)
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
}
