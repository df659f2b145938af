package httpapi

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"docket/domain"
	"docket/notify"
)

// The fourth part of the tour: the recipients of each notification.
func TestNotificationsWalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	member, manager, auditor := c.as(domain.Member), c.as(domain.Manager), c.as(domain.Auditor)
	inbox := func(p person, query string) (titles []string) {
		for _, n := range items[notificationBody](p.get("/v1/notifications" + query)) {
			titles = append(titles, n.Title)
		}
		return titles
	}
	same := func(got []string, want ...string) {
		t.Helper()
		if strings.Join(got, "; ") != strings.Join(want, "; ") {
			t.Errorf("got %q, want %q", got, want)
		}
	}

	project := member.project("Site")
	at := "/v1/projects/" + project.ID.String()
	member.move(project.ID, domain.Submitted)
	same(inbox(member, "")) // one's own act
	manager.post(at+"/transitions", `{"to":"rejected","comment":"Too dear."}`).want(200)
	manager.post(at+"/tasks", `{"title":"Copy","assignee_id":"`+member.id.String()+`"}`).want(201)
	mine := manager.post(at+"/tasks", `{"title":"Mine","assignee_id":"`+manager.id.String()+`"}`).want(201)
	free := as[taskBody](manager.post(at+"/tasks", `{"title":"Free"}`).want(201))
	w.caughtUp(c.id, manager.patch("/v1/tasks/"+free.ID.String(), `{"assignee_id":"`+member.id.String()+`"}`).want(200).seq())
	w.caughtUp(c.id, manager.patch("/v1/tasks/"+free.ID.String(), `{"title":"Freed"}`).want(200).seq())

	same(inbox(manager, ""))
	same(inbox(auditor, ""))
	same(inbox(member, ""), `Task "Free" is assigned to you`, `Task "Copy" is assigned to you`, `Project "Site" is now rejected`)
	all := items[notificationBody](member.get("/v1/notifications"))
	first := all[2]
	if first.Kind != notify.ProjectStatusChanged || first.Reason != notify.ReasonProjectOwner || first.EntityType != domain.ProjectStream ||
		first.EntityID != project.ID.UUID() || *first.ProjectID != project.ID || first.ReadAt != nil ||
		!strings.HasPrefix(first.Body, "Acme manager moved it from submitted to rejected.") || !strings.Contains(first.Body, "Too dear.") {
		t.Errorf("%+v", first)
	}
	if all[1].Kind != notify.TaskAssigned || all[1].Reason != notify.ReasonAssignee || all[1].Seq >= mine.seq() {
		t.Errorf("%+v", all[1])
	}

	before := w.events()
	read := func(p person, id domain.NotificationID) *answer {
		return p.post("/v1/notifications/"+id.String()+"/read", "")
	}
	if seq := read(member, first.ID).want(204).Header().Get("Docket-Seq"); seq != "" {
		t.Errorf("a read mark is no event, but has the seq %s", seq)
	}
	same(inbox(member, "?unread=true"), `Task "Free" is assigned to you`, `Task "Copy" is assigned to you`)
	if got := inbox(member, "?unread=false"); len(got) != 3 {
		t.Error(got)
	}
	marked := items[notificationBody](member.get("/v1/notifications"))[2]
	read(member, first.ID).want(204)
	if again := items[notificationBody](member.get("/v1/notifications"))[2]; marked.ReadAt == nil || !again.ReadAt.Equal(*marked.ReadAt) {
		t.Errorf("read at %v, then at %v", marked.ReadAt, again.ReadAt)
	}
	// Another's is not found, nor is it marked.
	read(manager, all[0].ID).refused(domain.CodeNotFound)
	read(member, domain.NotificationID(uuid.New())).refused(domain.CodeNotFound)
	manager.post("/v1/notifications/read-all", "").want(204)
	if got := inbox(member, "?unread=true"); len(got) != 2 {
		t.Error(got)
	}
	member.post("/v1/notifications/read-all", "").want(204)
	same(inbox(member, "?unread=true"))
	if len(inbox(member, "")) != 3 || w.events() != before {
		t.Error("marking took something away, or made events")
	}

	// The next notification is unread, and its recipient is the new owner.
	manager.patch(at, `{"owner_id":"`+manager.id.String()+`"}`).want(200)
	w.caughtUp(c.id, c.as(domain.Owner).post(at+"/transitions", `{"to":"cancelled"}`).want(200).seq())
	same(inbox(manager, "?unread=true"), `Project "Site" is now cancelled`)
	same(inbox(member, "?unread=true"))
}
