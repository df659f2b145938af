package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"docket/domain"
	"docket/httpapi/edge"

	"github.com/danielgtaylor/huma/v2"
)

const mermaidMediaType = "text/vnd.mermaid"

// workflowBody is the transition table.
type workflowBody struct {
	Statuses    []workflowStatusBody     `json:"statuses"`
	Transitions []workflowTransitionBody `json:"transitions"`
}

type workflowStatusBody struct {
	Name     domain.Status `json:"name" enum:"draft,submitted,rejected,approved,active,on_hold,completed,cancelled,archived"`
	Closed   bool          `json:"closed" doc:"A closed project can be read, not written."`
	Terminal bool          `json:"terminal"`
}

type workflowTransitionBody struct {
	From    domain.Status `json:"from" enum:"draft,submitted,rejected,approved,active,on_hold,completed,cancelled,archived"`
	To      domain.Status `json:"to" enum:"draft,submitted,rejected,approved,active,on_hold,completed,cancelled,archived"`
	MinRole domain.Role   `json:"min_role" enum:"owner,manager,member,viewer,auditor"`
}

func registerWorkflow(s *Server) {
	schema := edge.SchemaOf[workflowBody](s.router)
	edge.RegisterPublic(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/workflow", ID: "get-workflow", Tag: "projects",
		Summary:     "The workflow of projects",
		Description: "With Accept: " + mermaidMediaType + " as a Mermaid state diagram.", Static: true,
		Content: map[string]*huma.MediaType{edge.JSONMediaType: {Schema: schema}, mermaidMediaType: {}},
	}, func(_ context.Context, _ domain.TenantID, in *struct{ edge.Accept }) (*edge.Raw, error) {
		if in.Prefers(mermaidMediaType, edge.JSONMediaType) {
			return &edge.Raw{ContentType: mermaidMediaType + "; charset=utf-8", Vary: []string{"Accept"}, Body: []byte(mermaid())}, nil
		}
		body, err := json.Marshal(workflowTable())
		return &edge.Raw{ContentType: edge.JSONMediaType, Vary: []string{"Accept"}, Body: body}, err
	})
}

func workflowTable() workflowBody {
	var w workflowBody
	for _, st := range domain.Statuses() {
		w.Statuses = append(w.Statuses, workflowStatusBody{Name: st.Name, Closed: st.Closed, Terminal: st.Terminal})
	}
	for _, t := range domain.Workflow() {
		w.Transitions = append(w.Transitions, workflowTransitionBody{From: t.From, To: t.To, MinRole: t.Least})
	}
	return w
}

// mermaid draws the table; a project starts in the first status.
func mermaid() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	statuses := domain.Statuses()
	fmt.Fprintf(&b, "    [*] --> %s\n", statuses[0].Name)
	for _, t := range domain.Workflow() {
		fmt.Fprintf(&b, "    %s --> %s: %s\n", t.From, t.To, t.Least)
	}
	for _, st := range statuses {
		if st.Terminal {
			fmt.Fprintf(&b, "    %s --> [*]\n", st.Name)
		}
	}
	return b.String()
}
