package httpapi

import (
	"context"
	"net/http"
	"time"

	"docket/domain"
	"docket/httpapi/edge"
	"docket/projections"

	"github.com/google/uuid"
)

// projectSummaryBody is a project's summary.
type projectSummaryBody struct {
	ProjectID    domain.ProjectID   `json:"project_id" format:"uuid"`
	Status       domain.Status      `json:"status" enum:"draft,submitted,rejected,approved,active,on_hold,completed,cancelled,archived"`
	Since        time.Time          `json:"since" doc:"When the present status began."`
	Now          time.Time          `json:"now" doc:"The time up to which the present status is counted, by whose day in UTC tasks are overdue; with as_of that time, or the time of that event."`
	TimeInStatus map[string]float64 `json:"time_in_status" doc:"Seconds in each status, all stays together, the present one up to now; every status is there."`
	Tasks        map[string]int64   `json:"tasks" doc:"By status; every status is there."`
	Overdue      int64              `json:"overdue" doc:"Tasks that were due before today and aren't done."`
	LastActivity lastActivityBody   `json:"last_activity"`
}

// lastActivityBody is the last event of a project, its tasks or its comments.
type lastActivityBody struct {
	Seq        int64             `json:"seq"`
	At         time.Time         `json:"at"`
	ActorID    *domain.UserID    `json:"actor_id" format:"uuid" nullable:"true" doc:"null where the system acted."`
	ActorName  string            `json:"actor_name"`
	Action     string            `json:"action" doc:"The type of the event."`
	EntityType domain.StreamType `json:"entity_type" enum:"tenant,member,project,task,comment,api_key,subscription"`
	EntityID   uuid.UUID         `json:"entity_id" format:"uuid"`
}

func registerSummaries(s *Server) {
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/projects/{id}/summary", ID: "get-project-summary", Tag: "reports", Action: domain.ReportRead,
		Summary: "A project's summary", Description: "Its tasks by status, its last activity, and the time it has spent in each status.",
	}, s.projectSummary)
}

func (s *Server) projectSummary(ctx context.Context, scope domain.Scope, in *struct {
	AsOfInput
	ID domain.ProjectID `path:"id" format:"uuid"`
}) (*asOfPlain[projectSummaryBody], error) {
	at, err := s.asOf(ctx, scope, in.AsOfInput)
	if err != nil {
		return nil, err
	}
	var sum projections.ProjectSummary
	if at == nil {
		sum, err = s.queries.ProjectSummary(ctx, scope, in.ID, s.fresh(scope, in.Positioned))
	} else {
		var then time.Time
		if then, err = s.asOfTime(ctx, scope, in.AsOfInput, *at); err == nil {
			sum, err = s.queries.ProjectSummaryAsOf(ctx, scope, in.ID, *at, then)
		}
	}
	if err != nil {
		return nil, err
	}
	return &asOfPlain[projectSummaryBody]{AsOf: asOfHeader(at), Body: renderSummary(sum)}, nil
}

func renderSummary(sum projections.ProjectSummary) projectSummaryBody {
	b := projectSummaryBody{
		ProjectID: sum.ProjectID, Status: sum.Status, Since: sum.Since, Now: sum.Now,
		TimeInStatus: map[string]float64{}, Tasks: map[string]int64{}, Overdue: sum.Overdue, LastActivity: lastActivityBody(sum.Last),
	}
	for _, st := range domain.Statuses() {
		b.TimeInStatus[string(st.Name)] = sum.Spent[st.Name].Seconds()
	}
	for _, st := range domain.TaskStatuses() {
		b.Tasks[string(st)] = sum.Tasks[st]
	}
	return b
}
