package httpapi

import (
	"fmt"
	"testing"

	"docket/domain"
)

func TestProjectSummaryWalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	owner, member, viewer := c.as(domain.Owner), c.as(domain.Member), c.as(domain.Viewer)
	p := member.project("Site")
	at := "/v1/projects/" + p.ID.String()
	for _, due := range []string{"2001-01-01", "2001-01-02", "9999-12-31"} {
		member.post(at+"/tasks", jsonOf(map[string]any{"title": "Copy", "due_date": due})).want(201)
	}
	k := member.task(p.ID, "Done")
	member.patch("/v1/tasks/"+k.ID.String(), `{"status":"done"}`).want(200)
	member.move(p.ID, domain.Submitted)
	said := member.comment(k.ID, "So")
	// Who wrote reads it back at once.
	got := as[projectSummaryBody](member.get(at + "/summary").want(200))
	if got.ProjectID != p.ID || got.Status != domain.Submitted || got.Overdue != 2 || jsonOf(got.Tasks) != `{"done":1,"in_progress":0,"todo":3}` {
		t.Errorf("%+v", got)
	}
	if last := got.LastActivity; last.EntityID != said.ID.UUID() || last.EntityType != domain.CommentStream || *last.ActorID != member.id || last.Action != "comment.created" {
		t.Errorf("last activity: %+v", last)
	}
	spent := got.TimeInStatus
	if len(spent) != len(domain.Statuses()) || spent["draft"] != got.Since.Sub(p.CreatedAt).Seconds() || spent["submitted"] <= 0 || spent["active"] != 0 {
		t.Errorf("time in status: %v", spent)
	}
	viewer.get(at + "/summary?as_of=1").refused(domain.CodeNotFound)
	viewer.get("/v1/projects/" + random() + "/summary").refused(domain.CodeNotFound)
	viewer.get("/v1/projects/x/summary").refused(domain.CodeNotFound)
	seq := owner.delete(at).want(204).seq()
	viewer.get(fmt.Sprintf("%s/summary?min_seq=%d", at, seq)).refused(domain.CodeNotFound)
}
