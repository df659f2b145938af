package domain_test

import (
	"slices"
	"strings"
	"testing"

	"docket/domain"
)

// rulesOfContract are the routes of API.md as actions, independent of the tested
// table. A cell says when the role may act: always, never, on its own things ("own", a
// membership: "self"), in certain statuses of the project, or both.
const rulesOfContract = `
action             | owner  | manager                       | member                | viewer | auditor
project.read       | always | always                        | always                | always | always
project.create     | always | always                        | always                | never  | never
project.edit       | always | always                        | own in draft,rejected | never  | never
project.delete     | always | in draft,rejected,cancelled   | never                 | never  | never
project.transition | always | always                        | own                   | never  | never
task.read          | always | always                        | always                | always | always
task.create        | always | always                        | always                | never  | never
task.edit          | always | always                        | always                | never  | never
task.delete        | always | always                        | own                   | never  | never
comment.read       | always | always                        | always                | always | always
comment.create     | always | always                        | always                | never  | never
comment.edit       | own    | own                           | own                   | never  | never
comment.delete     | always | always                        | own                   | never  | never
member.read        | always | always                        | always                | always | always
member.add         | always | never                         | never                 | never  | never
member.change      | always | never                         | never                 | never  | never
member.remove      | always | self                          | self                  | self   | self
notification.read  | always | always                        | always                | always | always
notification.mark  | always | always                        | always                | always | always
tenant.read        | always | never                         | never                 | never  | never
tenant.edit        | always | never                         | never                 | never  | never
activity.read      | always | never                         | never                 | never  | always
event.read         | always | never                         | never                 | never  | always
stats.read         | always | never                         | never                 | never  | always
report.read        | always | always                        | always                | always | always
api_key.manage     | always | never                         | never                 | never  | never
`

// cell is one cell of the table.
type cell struct {
	never, own, self bool
	in               []domain.Status
}

func (c cell) allows(own bool, s domain.Status) bool {
	return !c.never && (own || !c.own && !c.self) && (c.in == nil || slices.Contains(c.in, s))
}

// descending are the roles that have an order, the highest first.
var descending = []domain.Role{domain.Owner, domain.Manager, domain.Member, domain.Viewer}

func contractRules(t *testing.T) (actions []domain.Action, roles []domain.Role, rules map[domain.Action]map[domain.Role]cell) {
	t.Helper()
	rules = map[domain.Action]map[domain.Role]cell{}
	for line := range strings.Lines(strings.TrimSpace(rulesOfContract)) {
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[0] == "action" {
			for _, name := range cells[1:] {
				roles = append(roles, domain.Role(name))
			}
			continue
		}
		a := domain.Action(cells[0])
		actions, rules[a] = append(actions, a), map[domain.Role]cell{}
		for i, text := range cells[1:] {
			rules[a][roles[i]] = readCell(t, text)
		}
	}
	return actions, roles, rules
}

func readCell(t *testing.T, text string) cell {
	t.Helper()
	var c cell
	words := strings.Fields(text)
	for i := 0; i < len(words); i++ {
		switch words[i] {
		case "always":
		case "never":
			c.never = true
		case "own":
			c.own = true
		case "self":
			c.self = true
		case "in":
			i++
			for s := range strings.SplitSeq(words[i], ",") {
				c.in = append(c.in, domain.Status(s))
			}
		default:
			t.Fatalf("not a cell: %q", text)
		}
	}
	return c
}

func TestEveryPermission(t *testing.T) {
	t.Parallel()
	actions, roles, rules := contractRules(t)
	sameNames(t, "Action", actions)
	sameNames(t, "Role", roles)
	order, _ := contractMoves(t)
	for _, a := range actions {
		for _, r := range roles {
			if got, want := domain.MayTry(a, r), !rules[a][r].never; got != want {
				t.Errorf("%s may try %s: %v, want %v", r, a, got, want)
			}
			for _, own := range []bool{true, false} {
				for _, s := range append(order, "") {
					checkPermission(t, rules[a], a, r, own, s)
				}
			}
		}
	}
}

func checkPermission(t *testing.T, row map[domain.Role]cell, a domain.Action, r domain.Role, own bool, s domain.Status) {
	t.Helper()
	c, err := row[r], domain.Permit(a, r, own, s)
	if c.allows(own, s) {
		if err != nil {
			t.Errorf("%s by %s (own %v, %s): %v, want nothing", a, r, own, s, err)
		}
		return
	}
	if c.own && !own {
		if domain.CodeOf(err) != domain.CodeNotYours {
			t.Errorf("%s by %s (own %v, %s): %v, want %s", a, r, own, s, err, domain.CodeNotYours)
		}
		return
	}
	// The required role is the lowest with any grant or, for an actor with a grant, the
	// lowest that may act on this thing.
	required := domain.Role("")
	for _, higher := range descending {
		if c.never && !row[higher].never || !c.never && row[higher].allows(own, s) {
			required = higher
		}
	}
	if domain.CodeOf(err) != domain.CodeInsufficientRole {
		t.Errorf("%s by %s (own %v, %s): %v, want %s", a, r, own, s, err, domain.CodeInsufficientRole)
		return
	}
	members := err.(*domain.Error).Members
	if members["required_role"] != required || members["your_role"] != r {
		t.Errorf("%s by %s (own %v, %s): %v, want the required role %s", a, r, own, s, members, required)
	}
}

func TestLeastRole(t *testing.T) {
	t.Parallel()
	actions, _, rules := contractRules(t)
	for _, a := range actions {
		lowest := domain.Role("")
		for _, r := range descending {
			if !rules[a][r].never {
				lowest = r
			}
		}
		if got := domain.LeastRole(a); got != lowest {
			t.Errorf("%s: least role %s, want %s", a, got, lowest)
		}
	}
}

// A higher role may do at least as much, for own things and for others' things.
func TestPermitIsMonotone(t *testing.T) {
	t.Parallel()
	order, _ := contractMoves(t)
	for _, a := range domain.Actions() {
		for _, own := range []bool{true, false} {
			for _, s := range append(order, "") {
				for i := range descending[1:] {
					higher, lower := descending[i], descending[i+1]
					if domain.Permit(a, lower, own, s) == nil && domain.Permit(a, higher, own, s) != nil {
						t.Errorf("%s (own %v, %s): %s may, %s may not", a, own, s, lower, higher)
					}
				}
			}
		}
	}
}

func TestUnknownRolesMayDoNothing(t *testing.T) {
	t.Parallel()
	for _, r := range []domain.Role{"", "root", "Owner", "owner "} {
		if r.Known() || r.Assignable() {
			t.Errorf("%q was accepted as a role", r)
		}
		for _, a := range domain.Actions() {
			for _, own := range []bool{true, false} {
				if domain.MayTry(a, r) || domain.CodeOf(domain.Permit(a, r, own, domain.Draft)) != domain.CodeInsufficientRole {
					t.Errorf("%q may %s", r, a)
				}
			}
		}
	}
	for _, r := range domain.Roles() {
		if domain.MayTry("project.burn", r) || domain.Permit("project.burn", r, true, domain.Draft) == nil {
			t.Errorf("%s may do an action without a rule", r)
		}
	}
}

func TestRoleOrder(t *testing.T) {
	t.Parallel()
	for i, a := range descending {
		for j, b := range descending {
			if a.AtLeast(b) != (i <= j) {
				t.Errorf("%s at least %s: %v", a, b, a.AtLeast(b))
			}
		}
		if a.AtLeast(domain.Auditor) || domain.Auditor.AtLeast(a) || a.AtLeast("") || a.AtLeast("root") {
			t.Errorf("%s is compared with a role outside the order", a)
		}
		if a.Assignable() != (i <= 2) || !a.Known() {
			t.Errorf("%s: assignable %v, known %v", a, a.Assignable(), a.Known())
		}
	}
	if domain.Auditor.AtLeast(domain.Auditor) || domain.Auditor.Assignable() || !domain.Auditor.Known() {
		t.Error("the auditor stands in the order, or isn't known")
	}
}
