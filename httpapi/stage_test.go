package httpapi

import (
	"fmt"

	"github.com/google/uuid"

	"docket/domain"
)

// stage is a company with what the calls of the role table act on.
type stage struct {
	*company
	// root owns the default tenant; stranger and spare are users who aren't in the
	// company, though spare joins and leaves.
	root, stranger, spare person
	// service is a service account of the company with the role member.
	service person
	made    int
}

func newStage(w *world) *stage {
	root := w.signUp("Root")
	s := &stage{root: root, company: w.company("acme", "Acme")}
	s.stranger, s.spare = w.user("Stranger").in(s.id), w.user("Spare").in(s.id)
	s.service, _ = s.company.service(`{"name":"Service","role":"member"}`)
	s.service = s.service.in(s.id)
	return s
}

// fresh is a word that was never used before.
func (s *stage) fresh() string {
	s.made++
	return fmt.Sprintf("fresh-%d", s.made)
}

func (s *stage) roleOf(p person) (domain.Role, bool) {
	if p.isService() {
		return domain.Member, true
	}
	for role, q := range s.staff {
		if q.id == p.id {
			return role, true
		}
	}
	return "", false
}

// owning is p where p can own a project, else the company's owner.
func (s *stage) owning(p person) person {
	if role, ok := s.roleOf(p); ok && role.Assignable() {
		return p
	}
	return s.as(domain.Owner)
}

// member is the spare user as a member of the company with this role.
func (s *stage) member(r domain.Role) person {
	s.w.Helper()
	owner := s.as(domain.Owner)
	if a := owner.post("/v1/members", jsonOf(map[string]any{"email": s.spare.email, "role": r})); a.Code != 201 {
		a.refused(domain.CodeAlreadyMember)
		owner.patch("/v1/members/"+s.spare.id.String(), jsonOf(map[string]any{"role": r})).want(200)
	}
	return s.spare
}

// project is a new project of somebody's, taken along the workflow.
func (s *stage) project(of person, to ...domain.Status) string {
	s.w.Helper()
	p := of.project("Project")
	s.as(domain.Owner).move(p.ID, to...)
	s.settled()
	return p.ID.String()
}

// task is a new task of somebody's.
func (s *stage) task(of person) string {
	s.w.Helper()
	id := of.task(of.project("Project").ID, "Task").ID.String()
	s.settled()
	return id
}

// comment is a new comment of somebody's.
func (s *stage) comment(of person) string {
	s.w.Helper()
	id := of.comment(domain.TaskID(uuid.MustParse(s.task(of))), "Comment").ID.String()
	s.settled()
	return id
}

// apiKey is a new service account.
func (s *stage) apiKey() string {
	s.w.Helper()
	_, made := s.company.service(`{"name":"` + s.fresh() + `","role":"viewer"}`)
	return made.ID.String()
}

// settled waits until everyone can read what there is.
func (s *stage) settled() {
	s.w.Helper()
	s.w.caughtUp(s.id, s.w.head(s.id))
}

// open makes a tenant that anybody may join.
func (s *stage) open() domain.TenantID {
	s.w.Helper()
	id := as[tenantBody](s.root.post("/v1/tenants", `{"name":"Open","slug":"`+s.fresh()+`"}`).want(201)).ID
	s.root.in(id).patch("/v1/admin/tenant", `{"registration":"open"}`).want(200)
	return id
}
