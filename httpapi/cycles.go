package httpapi

import (
	"context"
	"net/http"
	"time"

	"docket/domain"
	"docket/httpapi/edge"
	"docket/projections"
)

// How many weeks a report has: without from and to, and at most.
const (
	defaultWeeks = 12
	maxWeeks     = 53
)

// cycleTimeReportBody is a report of cycle times: a list with pages, and totals that are the
// same on each page.
type cycleTimeReportBody struct {
	From       domain.Date                 `json:"from" format:"date" doc:"The Monday of the first week."`
	To         domain.Date                 `json:"to" format:"date" doc:"The Sunday of the last week."`
	Overall    cycleTimesByKindBody        `json:"overall" doc:"All weeks together, of all projects or of the requested one."`
	Weeks      []weekCycleTimesBody        `json:"weeks" doc:"The same by week; every week is there."`
	Items      []projectWeekCycleTimesBody `json:"items" doc:"The weeks in which a project ended a cycle, by week and project."`
	NextCursor *string                     `json:"next_cursor"`
}

// cycleTimesByKindBody are the cycles of each kind.
type cycleTimesByKindBody struct {
	SubmittedToApproved cycleTimePercentilesBody `json:"submitted_to_approved" doc:"From the first submission to the approval, with every rejection, withdrawal and further submission in between."`
	ActiveToCompleted   cycleTimePercentilesBody `json:"active_to_completed" doc:"From activation to completion, with every stay on hold; reopened, a project begins another."`
}

// cycleTimePercentilesBody are percentiles of cycle times, in seconds.
type cycleTimePercentilesBody struct {
	Count int64    `json:"count"`
	P50   *float64 `json:"p50" doc:"In seconds, as the other percentiles; null where there was none."`
	P75   *float64 `json:"p75"`
	P90   *float64 `json:"p90"`
	P95   *float64 `json:"p95"`
}

// weekCycleTimesBody is one week of all projects, or of the requested one.
type weekCycleTimesBody struct {
	Week   domain.Date          `json:"week" format:"date" doc:"Its Monday."`
	Cycles cycleTimesByKindBody `json:"cycles"`
}

// projectWeekCycleTimesBody is one week of one project.
type projectWeekCycleTimesBody struct {
	Week        domain.Date          `json:"week" format:"date" doc:"Its Monday."`
	ProjectID   domain.ProjectID     `json:"project_id" format:"uuid"`
	ProjectName string               `json:"project_name"`
	Cycles      cycleTimesByKindBody `json:"cycles"`
}

// CycleFilter selects the weeks and the project of a report.
type CycleFilter struct {
	From      edge.Filter[domain.Date]      `query:"from" format:"date" json:"from" doc:"A day of the first week. Alone: 12 weeks from it on."`
	To        edge.Filter[domain.Date]      `query:"to" format:"date" json:"to" doc:"A day of the last week, 53 weeks with the first at most. Alone: 12 weeks up to it. Without both: the last 12 weeks, up to as_of."`
	ProjectID edge.Filter[domain.ProjectID] `query:"project_id" format:"uuid" json:"project_id" doc:"One project's cycles only, in overall and weeks too."`
}

// cyclePosition is where a page of a report ended. It contains the weeks, so that a list
// whose first page was read on Sunday continues with the same weeks on Monday.
type cyclePosition struct {
	AsOf  int64              `json:"as_of,omitzero"`
	Weeks projections.Weeks  `json:"weeks"`
	After projections.Keyset `json:"after"`
}

func registerCycles(s *Server) {
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/reports/cycle-time", ID: "get-cycle-time", Tag: "reports", Action: domain.ReportRead,
		Summary: "Cycle times: from submission to approval, from activation to completion",
		Description: "Percentiles by week and project. A cycle counts in the week, from Monday in UTC, in which it ended; one that " +
			"was cancelled never, nor those of deleted projects. Of each project the last 100 cycles count, both kinds together.",
		Errors: []domain.Code{domain.CodeCursorInvalid},
	}, s.cycleTimes)
}

func (s *Server) cycleTimes(ctx context.Context, scope domain.Scope, in *struct {
	edge.Paged
	AsOfInput
	CycleFilter
}) (*asOfPlain[cycleTimeReportBody], error) {
	if _, err := in.weeks(s.now()); err != nil {
		return nil, err
	}
	l := edge.Listing{Tenant: scope.Tenant(), Route: "get-cycle-time", Filters: in.CycleFilter, AsOf: in.AsOf}
	page := projections.Page{Limit: in.Limit}
	place, err := edge.OpenCursor[cyclePosition](s.cursors, in.Paged, l)
	if err != nil {
		return nil, err
	}
	at, err := s.asOf(ctx, scope, in.AsOfInput)
	if err != nil {
		return nil, err
	}
	now := s.now()
	if at != nil {
		if now, err = s.asOfTime(ctx, scope, in.AsOfInput, *at); err != nil {
			return nil, err
		}
	}
	weeks, err := in.weeks(now)
	if err != nil {
		return nil, err
	}
	if place != nil {
		weeks, page.After = place.Weeks, &place.After
	}
	if place != nil && at != nil {
		at = &place.AsOf
	}
	var (
		times projections.CycleTimes
		next  *projections.Keyset
	)
	if at != nil {
		times, next, err = s.queries.CycleTimesAsOf(ctx, scope, weeks, in.ProjectID.Ptr(), page, *at)
	} else {
		times, next, err = s.queries.CycleTimes(ctx, scope, weeks, in.ProjectID.Ptr(), page, s.fresh(scope, in.Positioned))
	}
	if err != nil {
		return nil, err
	}
	var end *cyclePosition
	if next != nil {
		end = &cyclePosition{Weeks: weeks, After: *next}
		if at != nil {
			end.AsOf = *at
		}
	}
	items, err := listResponse(s, l, times.Items, end, renderProjectWeek)
	if err != nil {
		return nil, err
	}
	b := cycleTimeReportBody{
		From: dateOf(weeks.First), To: dateOf(weeks.Until().Add(-time.Second)), Overall: renderCycles(times.Overall),
		Weeks: make([]weekCycleTimesBody, 0, len(times.Weeks)), Items: items.Body.Items, NextCursor: items.Body.NextCursor,
	}
	for _, w := range times.Weeks {
		b.Weeks = append(b.Weeks, weekCycleTimesBody{Week: dateOf(w.Week), Cycles: renderCycles(w.ByKind)})
	}
	return &asOfPlain[cycleTimeReportBody]{AsOf: asOfHeader(at), Body: b}, nil
}

// weeks returns the requested weeks.
func (f CycleFilter) weeks(now time.Time) (projections.Weeks, error) {
	from, to := mondayOf(f.From), mondayOf(f.To)
	if from == nil && to == nil {
		monday := projections.Monday(now)
		to = &monday
	}
	at, weeks := "/to", projections.Weeks{Count: defaultWeeks}
	switch {
	case to == nil:
		at, weeks.First = "/from", *from
	case from == nil:
		weeks.First = to.AddDate(0, 0, -7*(defaultWeeks-1))
	case *f.To.Ptr() < *f.From.Ptr():
		return weeks, domain.Invalid(at, edge.FieldRange, "to is before from")
	default:
		// A Duration would overflow after three centuries.
		weeks.First, weeks.Count = *from, int((to.Unix()-from.Unix())/(7*24*3600))+1
	}
	switch {
	case weeks.Count > maxWeeks:
		return weeks, domain.Invalid(at, edge.FieldRange, "a report has at most %d weeks", maxWeeks)
	case weeks.First.Year() < 1 || weeks.Until().Year() > 9999:
		return weeks, domain.Invalid(at, edge.FieldRange, "the weeks must be in the years 0001 to 9999")
	}
	return weeks, nil
}

// mondayOf returns the Monday of a day's week; nil without a day.
func mondayOf(f edge.Filter[domain.Date]) *time.Time {
	day := f.Ptr()
	if day == nil {
		return nil
	}
	at, err := time.Parse(time.DateOnly, string(*day))
	if err != nil {
		panic("httpapi: a date that check has accepted: " + err.Error())
	}
	monday := projections.Monday(at)
	return &monday
}

func dateOf(at time.Time) domain.Date { return domain.Date(at.Format(time.DateOnly)) }

func renderProjectWeek(w projections.ProjectWeek) projectWeekCycleTimesBody {
	return projectWeekCycleTimesBody{Week: dateOf(w.Week), ProjectID: w.ProjectID, ProjectName: w.ProjectName, Cycles: renderCycles(w.ByKind)}
}

func renderCycles(of map[projections.CycleKind]projections.CycleStats) cycleTimesByKindBody {
	return cycleTimesByKindBody{
		SubmittedToApproved: renderCycleStats(of[projections.SubmittedToApproved]),
		ActiveToCompleted:   renderCycleStats(of[projections.ActiveToCompleted]),
	}
}

func renderCycleStats(c projections.CycleStats) cycleTimePercentilesBody {
	seconds := func(d *time.Duration) *float64 {
		if d == nil {
			return nil
		}
		s := d.Seconds()
		return &s
	}
	return cycleTimePercentilesBody{Count: c.Count, P50: seconds(c.P50), P75: seconds(c.P75), P90: seconds(c.P90), P95: seconds(c.P95)}
}
