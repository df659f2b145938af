package domain_test

import (
	"slices"
	"strings"
	"testing"

	"docket/domain"

	"github.com/google/go-cmp/cmp"
)

// workflowOfContract is the table of API.md, independent of the tested table. A move
// with a star needs four eyes if the tenant has that setting.
const workflowOfContract = `
draft     > submitted member,  cancelled manager
submitted > approved manager*, rejected manager,  draft member,  cancelled manager
rejected  > draft member,      cancelled manager
approved  > active manager,    cancelled owner
active    > on_hold manager,   completed manager, cancelled owner
on_hold   > active manager,    completed manager, cancelled owner
completed > active owner,      archived owner
cancelled > draft owner,       archived owner
archived  >
`

// contractMoves are the moves of the contract: from each status the next ones, with
// the least role.
func contractMoves(t *testing.T) (order []domain.Status, moves map[domain.Status][]domain.Transition) {
	t.Helper()
	moves = map[domain.Status][]domain.Transition{}
	for line := range strings.Lines(strings.TrimSpace(workflowOfContract)) {
		from, rest, ok := strings.Cut(line, ">")
		if !ok {
			t.Fatalf("not a row: %q", line)
		}
		status := domain.Status(strings.TrimSpace(from))
		order, moves[status] = append(order, status), []domain.Transition{}
		for move := range strings.SplitSeq(strings.TrimSpace(rest), ",") {
			if words := strings.Fields(move); len(words) == 2 {
				role, fourEyes := strings.CutSuffix(words[1], "*")
				moves[status] = append(moves[status], domain.Transition{
					From: status, To: domain.Status(words[0]), Least: domain.Role(role), FourEyes: fourEyes,
				})
			}
		}
	}
	return order, moves
}

// mayMove lists for each role the least roles of a move that it satisfies.
var mayMove = map[domain.Role][]domain.Role{
	domain.Owner:   {domain.Owner, domain.Manager, domain.Member},
	domain.Manager: {domain.Manager, domain.Member},
	domain.Member:  {domain.Member},
	domain.Viewer:  {},
	domain.Auditor: {},
}

// mover is an actor who tries to move a project.
type mover struct {
	role domain.Role
	// own: the mover is its owner; submitted: the mover submitted it.
	own, submitted bool
	stale          bool
	// fourEyes is the tenant's setting.
	fourEyes bool
}

func movers() (all []mover) {
	for r := range mayMove {
		for bits := range 16 {
			all = append(all, mover{r, bits&1 > 0, bits&2 > 0, bits&4 > 0, bits&8 > 0})
		}
	}
	return all
}

// wantMove is the refusal of a move by the contract, or none.
func wantMove(moves map[domain.Status][]domain.Transition, from, to domain.Status, m mover) domain.Code {
	r, own := m.role, m.own
	i := slices.IndexFunc(moves[from], func(m domain.Transition) bool { return m.To == to })
	switch {
	case !slices.Contains(mayMove[r], domain.Member):
		return domain.CodeInsufficientRole
	case r == domain.Member && !own:
		return domain.CodeNotYours
	case i >= 0 && !slices.Contains(mayMove[r], moves[from][i].Least):
		return domain.CodeInsufficientRole
	case i >= 0 && moves[from][i].FourEyes && m.fourEyes && m.submitted:
		return domain.CodeNotYours
	case m.stale:
		return domain.CodeVersionConflict
	case i < 0:
		return domain.CodeInvalidTransition
	}
	return ""
}

// project is the project of person 1, submitted by the mover or another, and the mover.
func (m mover) project(p domain.Project) (domain.Project, domain.Actor) {
	by := actor(2, m.role)
	if m.own {
		by = actor(1, m.role)
	}
	p.SubmittedBy = person(3)
	if m.submitted {
		p.SubmittedBy = by.ID
	}
	return p, by
}

func TestEveryMove(t *testing.T) {
	t.Parallel()
	order, moves := contractMoves(t)
	sameNames(t, "Status", order)
	tried := 0
	for _, from := range order {
		p := projectAt(t, from)
		for _, to := range order {
			for _, m := range movers() {
				tried++
				p, by := m.project(p)
				c := domain.MoveProject{To: to, IfMatch: domain.IfVersion(p.Version), FourEyes: m.fourEyes}
				if m.stale {
					c.IfMatch = domain.IfVersion(p.Version + 1)
				}
				events, err := domain.DecideProject(p, by, c)
				checkMove(t, moves, p, by, to, wantMove(moves, from, to, m), events, err)
			}
		}
	}
	if want := 9 * 9 * 5 * 16; tried != want {
		t.Errorf("%d moves tried, the product has %d", tried, want)
	}
}

func checkMove(t *testing.T, moves map[domain.Status][]domain.Transition, p domain.Project, by domain.Actor,
	to domain.Status, want domain.Code, events []domain.Event, err error,
) {
	t.Helper()
	if want == "" {
		step := []domain.Event{moved(p.Status, to)}
		if to == domain.Approved {
			step = []domain.Event{approved(p.Version)}
		}
		if diff := cmp.Diff(step, events); err != nil || diff != "" {
			t.Errorf("%s → %s by %s: %v, events (-want +got):\n%s", p.Status, to, by.Role, err, diff)
		}
		return
	}
	if domain.CodeOf(err) != want || events != nil {
		t.Errorf("%s → %s by %s: %v, want %s", p.Status, to, by.Role, err, want)
		return
	}
	members := err.(*domain.Error).Members
	switch want {
	case domain.CodeInvalidTransition:
		allowed := []domain.Status{}
		for _, m := range moves[p.Status] {
			allowed = append(allowed, m.To)
		}
		wantMembers := map[string]any{"current_status": p.Status, "allowed_transitions": allowed}
		if diff := cmp.Diff(wantMembers, members); diff != "" {
			t.Errorf("%s → %s by %s (-want +got):\n%s", p.Status, to, by.Role, diff)
		}
	case domain.CodeInsufficientRole:
		required := domain.Member
		if i := slices.IndexFunc(moves[p.Status], func(m domain.Transition) bool { return m.To == to }); i >= 0 && by.Role.AtLeast(domain.Member) {
			required = moves[p.Status][i].Least
		}
		if members["required_role"] != required || members["your_role"] != by.Role {
			t.Errorf("%s → %s by %s: %v, want the required role %s", p.Status, to, by.Role, members, required)
		}
	}
}

func TestMoveChecksItsFields(t *testing.T) {
	t.Parallel()
	projects.run(t, []scenario[domain.ProjectCommand]{
		{
			name: "with a comment", given: projectIn(domain.Submitted), by: actor(2, domain.Manager),
			when: domain.MoveProject{To: domain.Rejected, Comment: ptr("Too dear")},
			then: []domain.Event{domain.ProjectStatusChanged{
				ProjectID: projectID, Name: "Quay", OwnerID: person(1), From: domain.Submitted, To: domain.Rejected, Comment: ptr("Too dear"),
			}},
		}, {
			name: "with an empty comment", given: projectIn(domain.Active), by: actor(2, domain.Manager),
			when: domain.MoveProject{To: domain.OnHold, Comment: ptr("")},
			then: []domain.Event{domain.ProjectStatusChanged{
				ProjectID: projectID, Name: "Quay", OwnerID: person(1), From: domain.Active, To: domain.OnHold, Comment: ptr(""),
			}},
		}, {
			name: "to no status", given: projectIn(domain.Draft), by: actor(2, domain.Manager),
			when: domain.MoveProject{To: "paused"}, refused: domain.CodeValidationFailed, at: "/to",
		}, {
			name: "everything wrong, as viewer, in nothing", by: actor(2, domain.Viewer),
			when:    domain.MoveProject{Comment: ptr(strings.Repeat("c", 4001))},
			refused: domain.CodeValidationFailed, at: "/to /comment",
		},
		{name: "nothing", by: actor(2, domain.Manager), when: domain.MoveProject{To: domain.Active}, refused: domain.CodeNotFound},
	})
}

func TestWorkflowMatchesTheContract(t *testing.T) {
	t.Parallel()
	order, moves := contractMoves(t)
	var want []domain.Transition
	for _, from := range order {
		want = append(want, moves[from]...)
		if diff := cmp.Diff(moves[from], domain.TransitionsFrom(from)); diff != "" {
			t.Errorf("from %s (-want +got):\n%s", from, diff)
		}
	}
	if diff := cmp.Diff(want, domain.Workflow()); diff != "" {
		t.Errorf("workflow (-want +got):\n%s", diff)
	}
	closed := []domain.Status{domain.Completed, domain.Cancelled, domain.Archived}
	for i, s := range domain.Statuses() {
		if s.Name != order[i] {
			t.Errorf("status %d is %s, want %s", i, s.Name, order[i])
		}
		if s.Closed != slices.Contains(closed, s.Name) || s.Closed != s.Name.Closed() {
			t.Errorf("%s: closed is %v and %v", s.Name, s.Closed, s.Name.Closed())
		}
		if s.Terminal != (len(moves[s.Name]) == 0) {
			t.Errorf("%s: terminal is %v, and it has %d transitions", s.Name, s.Terminal, len(moves[s.Name]))
		}
		if !s.Name.Known() {
			t.Errorf("%s isn't known", s.Name)
		}
	}
	if domain.Status("").Known() || domain.Status("Draft").Known() {
		t.Error("something is known that isn't a status")
	}
}

func TestMayMoveAgreesWithTheDecision(t *testing.T) {
	t.Parallel()
	order, _ := contractMoves(t)
	for _, from := range order {
		for _, m := range movers() {
			p, by := m.project(projectAt(t, from))
			for _, step := range domain.Workflow() {
				_, err := domain.DecideProject(p, by, domain.MoveProject{To: step.To, FourEyes: m.fourEyes})
				if want := err == nil && step.From == from; p.MayMove(by, step, m.fourEyes) != want {
					t.Errorf("%s: %s by %+v: MayMove is %v, the decision returns %v", from, step.To, m, !want, err)
				}
			}
			p.Deleted = true
			for _, step := range domain.TransitionsFrom(from) {
				if p.MayMove(by, step, m.fourEyes) {
					t.Errorf("a deleted project may move from %s to %s", from, step.To)
				}
			}
		}
	}
}
