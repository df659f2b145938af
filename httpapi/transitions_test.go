package httpapi

import (
	"strings"
	"testing"

	"docket/domain"
)

// movesInAPI is API.md's, written down once more: who may take a project from
// one status to another.
var movesInAPI = map[domain.Status]string{
	domain.Draft:     "submitted member, cancelled manager",
	domain.Submitted: "approved manager, rejected manager, draft member, cancelled manager",
	domain.Rejected:  "draft member, cancelled manager",
	domain.Approved:  "active manager, cancelled owner",
	domain.Active:    "on_hold manager, completed manager, cancelled owner",
	domain.OnHold:    "active manager, completed manager, cancelled owner",
	domain.Completed: "active owner, archived owner",
	domain.Cancelled: "draft owner, archived owner",
	domain.Archived:  "",
}

// wayTo is how a project comes to a status.
var wayTo = map[domain.Status][]domain.Status{
	domain.Draft:     nil,
	domain.Submitted: {domain.Submitted},
	domain.Rejected:  {domain.Submitted, domain.Rejected},
	domain.Approved:  {domain.Submitted, domain.Approved},
	domain.Active:    {domain.Submitted, domain.Approved, domain.Active},
	domain.OnHold:    {domain.Submitted, domain.Approved, domain.Active, domain.OnHold},
	domain.Completed: {domain.Submitted, domain.Approved, domain.Active, domain.Completed},
	domain.Cancelled: {domain.Cancelled},
	domain.Archived:  {domain.Cancelled, domain.Archived},
}

// The whole product: from every status to every status, by every role, on a
// project that is the member's own.
func TestEveryTransitionByEveryRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	rank := map[domain.Role]int{domain.Owner: 4, domain.Manager: 3, domain.Member: 2, domain.Viewer: 1}
	for from, row := range movesInAPI {
		least, allowed := map[string]domain.Role{}, []string{}
		for pair := range strings.SplitSeq(row, ", ") {
			if to, role, ok := strings.Cut(pair, " "); ok {
				least[to] = domain.Role(role)
				allowed = append(allowed, to)
			}
		}
		begin := func() string {
			p := c.as(domain.Member).project("Project")
			c.as(domain.Owner).move(p.ID, wayTo[from]...)
			return "/v1/projects/" + p.ID.String() + "/transitions"
		}
		at := begin()
		for to := range movesInAPI {
			for role, p := range c.staff {
				a := p.post(at, `{"to":"`+string(to)+`"}`)
				needs, known := least[string(to)]
				wrong := ""
				switch {
				case rank[role] < rank[domain.Member]:
					wrong = a.isnt(domain.CodeInsufficientRole, "required_role", `"member"`, "your_role", jsonOf(role))
				case !known:
					wrong = a.isnt(domain.CodeInvalidTransition, "current_status", jsonOf(from), "allowed_transitions", jsonOf(allowed))
				case rank[role] < rank[needs]:
					wrong = a.isnt(domain.CodeInsufficientRole, "required_role", jsonOf(needs), "your_role", jsonOf(role))
				case a.Code != 200 || as[projectBody](a).Status != to:
					wrong = "want 200"
				default:
					at = begin()
				}
				if wrong != "" {
					t.Errorf("%s to %s by %s: %s: got %d %s", from, to, role, wrong, a.Code, a.Body)
				}
			}
		}
	}
}
