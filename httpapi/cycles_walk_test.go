package httpapi

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"docket/domain"
)

// The weeks that a report is about, by what is asked for.
func TestCycleTimeWeeks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer := w.company("acme", "Acme").as(domain.Viewer)
	w.server.now = func() time.Time { return time.Date(2026, 11, 29, 23, 59, 59, 0, time.UTC) } // a Sunday
	report := func(query string) cycleTimeReportBody {
		t.Helper()
		b := as[cycleTimeReportBody](viewer.get("/v1/reports/cycle-time" + query).want(200))
		if b.Weeks[0].Week != b.From || b.Overall.ActiveToCompleted.P50 != nil || len(b.Items) != 0 {
			t.Errorf("%s: %+v", query, b)
		}
		return b
	}
	for _, c := range []struct {
		query    string
		from, to domain.Date
		weeks    int
	}{
		{"?from=2026-11-25&to=2026-11-25", "2026-11-23", "2026-11-29", 1},
		{"?from=2026-11-29&to=2026-11-30", "2026-11-23", "2026-12-06", 2}, // Sunday and Monday
		{"?from=2026-11-30&to=2026-12-06", "2026-11-30", "2026-12-06", 1},
		{"?from=2026-01-01&to=2026-12-31", "2025-12-29", "2027-01-03", 53},
		{"?from=2026-11-25", "2026-11-23", "2027-02-14", 12},
		{"?to=2026-11-25", "2026-09-07", "2026-11-29", 12},
		{"", "2026-09-07", "2026-11-29", 12},
		{"?from=0001-01-01&to=0001-01-07", "0001-01-01", "0001-01-07", 1},
		{"?to=9999-12-26", "9999-10-04", "9999-12-26", 12},
	} {
		if b := report(c.query); b.From != c.from || b.To != c.to || len(b.Weeks) != c.weeks {
			t.Errorf("%s: %s to %s, %d weeks", c.query, b.From, b.To, len(b.Weeks))
		}
	}
	for query, finding := range map[string]string{
		"?from=2026-01-01&to=2027-01-04": "/to range", // 54 weeks
		"?from=0001-01-01&to=9000-12-31": "/to range",
		"?from=2026-11-30&to=2026-11-29": "/to range",
		"?to=0001-01-10":                 "/to range", // it would begin before there are dates
		"?from=9999-12-01":               "/from range",
		"?from=9999-12-31&to=9999-12-31": "/to range",
		"?from=0000-12-31":               "/from range",
		"?from=2026-13-01":               "/from format",
		"?to=yesterday":                  "/to format",
		"?project_id=x":                  "/project_id format",
	} {
		viewer.get("/v1/reports/cycle-time" + query).invalid(finding)
	}
	viewer.get("/v1/reports/cycle-time?week=1").refused(domain.CodeUnknownParameter)
	early := viewer.get("/v1/reports/cycle-time?as_of=1").want(200)
	if b := as[cycleTimeReportBody](early); early.Header().Get("Docket-As-Of") != "1" || len(b.Items) != 0 || b.Overall.SubmittedToApproved.Count != 0 {
		t.Errorf("as of the first event: %s", early.Body)
	}
	viewer.get("/v1/reports/cycle-time?from=2026-11-29&to=2026-11-23").refused(domain.CodeValidationFailed) // of one week
}

// A report says what was done, by week and project, on pages that each have the whole.
func TestCycleTimesWalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	owner, viewer := c.as(domain.Owner), c.as(domain.Viewer)
	approved, completed, cancelled := owner.project("Approved"), owner.project("Completed"), owner.project("Cancelled")
	owner.move(approved.ID, domain.Submitted, domain.Rejected, domain.Draft, domain.Submitted, domain.Approved)
	owner.move(completed.ID, domain.Submitted, domain.Approved, domain.Active, domain.OnHold, domain.Active, domain.Completed, domain.Active, domain.Completed)
	owner.move(cancelled.ID, domain.Submitted, domain.Cancelled)
	seq := owner.patch("/v1/projects/"+approved.ID.String(), `{"name":"Renamed"}`).want(200).seq()
	read := func(query string) cycleTimeReportBody {
		t.Helper()
		return as[cycleTimeReportBody](viewer.get(fmt.Sprintf("/v1/reports/cycle-time?min_seq=%d%s", seq, query)).want(200))
	}
	whole := read("")
	if got := whole.Overall; got.SubmittedToApproved.Count != 2 || got.ActiveToCompleted.Count != 2 || *got.ActiveToCompleted.P95 <= 0 {
		t.Errorf("overall: %+v", got)
	}
	if got := whole.Items; len(got) != 2 || got[0].ProjectID != approved.ID || got[0].ProjectName != "Renamed" ||
		got[0].Cycles.SubmittedToApproved.Count != 1 || got[0].Cycles.ActiveToCompleted.P50 != nil || got[1].Cycles.ActiveToCompleted.Count != 2 {
		t.Errorf("items: %+v", got)
	}
	first := read("&limit=1")
	second := read("&limit=1&cursor=" + url.QueryEscape(*first.NextCursor))
	if jsonOf(first.Overall) != jsonOf(whole.Overall) || jsonOf(second.Weeks) != jsonOf(whole.Weeks) || second.NextCursor != nil ||
		second.Items[0].ProjectID != completed.ID {
		t.Errorf("pages: %+v, %+v", first, second)
	}
	one := read("&project_id=" + completed.ID.String())
	if len(one.Items) != 1 || jsonOf(one.Items[0]) != jsonOf(whole.Items[1]) || one.Overall.SubmittedToApproved.Count != 1 {
		t.Errorf("of one project: %+v", one)
	}
	seq = owner.delete("/v1/projects/" + completed.ID.String()).want(204).seq()
	if got := read(""); len(got.Items) != 1 || got.Overall.ActiveToCompleted.Count != 0 {
		t.Errorf("after a deletion: %+v", got)
	}
}
