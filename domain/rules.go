package domain

import "slices"

// Role is a member's role in one tenant. Owner, manager, member and viewer form an
// order; auditor is outside of it.
type Role string

// The roles.
const (
	Owner   Role = "owner"
	Manager Role = "manager"
	Member  Role = "member"
	Viewer  Role = "viewer"
	Auditor Role = "auditor"
)

var roles = []Role{Owner, Manager, Member, Viewer, Auditor}

var rank = map[Role]int{Owner: 4, Manager: 3, Member: 2, Viewer: 1}

// Roles are all roles, the highest first.
func Roles() []Role { return slices.Clone(roles) }

// Known reports whether r is one of the roles.
func (r Role) Known() bool { return slices.Contains(roles, r) }

// AtLeast reports whether r is least or higher in the order. It is false for the
// auditor, which is outside of the order.
func (r Role) AtLeast(least Role) bool {
	have, ok := rank[r]
	want, known := rank[least]
	return ok && known && have >= want
}

// Assignable reports whether a member with this role may be a task's assignee or a
// project's owner: all but viewers and auditors.
func (r Role) Assignable() bool { return r.AtLeast(Member) }

// Action is something a member may do, as the role rules name it.
type Action string

// The actions.
const (
	ProjectRead       Action = "project.read"
	ProjectCreate     Action = "project.create"
	ProjectEdit       Action = "project.edit"
	ProjectDelete     Action = "project.delete"
	ProjectTransition Action = "project.transition"
	TaskRead          Action = "task.read"
	TaskCreate        Action = "task.create"
	TaskEdit          Action = "task.edit"
	TaskDelete        Action = "task.delete"
	CommentRead       Action = "comment.read"
	CommentCreate     Action = "comment.create"
	CommentEdit       Action = "comment.edit"
	CommentDelete     Action = "comment.delete"
	MemberRead        Action = "member.read"
	MemberAdd         Action = "member.add"
	MemberChange      Action = "member.change"
	MemberRemove      Action = "member.remove"
	NotificationRead  Action = "notification.read"
	NotificationMark  Action = "notification.mark"
	TenantRead        Action = "tenant.read"
	TenantEdit        Action = "tenant.edit"
	ActivityRead      Action = "activity.read"
	EventRead         Action = "event.read"
	StatsRead         Action = "stats.read"
	ReportRead        Action = "report.read"
	APIKeyManage      Action = "api_key.manage"
)

// Grant allows an action to members with at least the role Least, and to the auditor
// if Auditor is set: only on their own thing if Own is set, only on themselves if Self
// is set, and only while the project is in one of In (empty: any status).
type Grant struct {
	Least   Role
	Auditor bool
	Own     bool
	Self    bool
	In      []Status
}

// rules are the role rules: an actor needs one matching grant. A thing is the actor's
// own by a project's owner_id, a task's created_by, a comment's author_id.
var rules = map[Action][]Grant{
	ProjectRead:       {{Least: Viewer, Auditor: true}},
	ProjectCreate:     {{Least: Member}},
	ProjectEdit:       {{Least: Member, Own: true, In: []Status{Draft, Rejected}}, {Least: Manager}},
	ProjectDelete:     {{Least: Manager, In: []Status{Draft, Rejected, Cancelled}}, {Least: Owner}},
	ProjectTransition: {{Least: Member, Own: true}, {Least: Manager}},
	TaskRead:          {{Least: Viewer, Auditor: true}},
	TaskCreate:        {{Least: Member}},
	TaskEdit:          {{Least: Member}},
	TaskDelete:        {{Least: Member, Own: true}, {Least: Manager}},
	CommentRead:       {{Least: Viewer, Auditor: true}},
	CommentCreate:     {{Least: Member}},
	CommentEdit:       {{Least: Member, Own: true}},
	CommentDelete:     {{Least: Member, Own: true}, {Least: Manager}},
	MemberRead:        {{Least: Viewer, Auditor: true}},
	MemberAdd:         {{Least: Owner}},
	MemberChange:      {{Least: Owner}},
	MemberRemove:      {{Least: Owner}, {Least: Viewer, Auditor: true, Self: true}},
	NotificationRead:  {{Least: Viewer, Auditor: true}},
	NotificationMark:  {{Least: Viewer, Auditor: true}},
	TenantRead:        {{Least: Owner}},
	TenantEdit:        {{Least: Owner}},
	ActivityRead:      {{Least: Owner, Auditor: true}},
	EventRead:         {{Least: Owner, Auditor: true}},
	StatsRead:         {{Least: Owner, Auditor: true}},
	ReportRead:        {{Least: Viewer, Auditor: true}},
	APIKeyManage:      {{Least: Owner}},
}

// serviceRoles are the roles that a service account may have.
var serviceRoles = []Role{Manager, Member, Viewer, Auditor}

// peopleOnly are the actions that no service account may do, whatever its role.
var peopleOnly = []Action{MemberAdd, MemberChange, MemberRemove, TenantEdit, APIKeyManage}

// ServiceRoles are the roles that a service account may have, the highest first.
func ServiceRoles() []Role { return slices.Clone(serviceRoles) }

// ServiceActions are the actions that some service account may do, sorted.
func ServiceActions() []Action {
	return slices.DeleteFunc(Actions(), func(a Action) bool {
		return slices.Contains(peopleOnly, a) || !slices.ContainsFunc(serviceRoles, func(r Role) bool { return MayTry(a, r) })
	})
}

// Grants are the grants of an action; none for an unknown one.
func Grants(a Action) []Grant {
	out := slices.Clone(rules[a])
	for i := range out {
		out[i].In = slices.Clone(out[i].In)
	}
	return out
}

// Actions are all actions that the rules name, sorted.
func Actions() []Action {
	out := make([]Action, 0, len(rules))
	for a := range rules {
		out = append(out, a)
	}
	slices.Sort(out)
	return out
}

// LeastRole is the lowest role in the order that any grant of the action names.
func LeastRole(a Action) Role {
	least := Owner
	for _, g := range rules[a] {
		if !g.Least.AtLeast(least) {
			least = g.Least
		}
	}
	return least
}

// MayTry reports whether a role has any grant of the action: the check before
// anything is loaded.
func MayTry(a Action, r Role) bool {
	return slices.ContainsFunc(rules[a], func(g Grant) bool { return g.admits(r) })
}

// Permit checks an action against the rules: role, ownership and status. own says
// that the thing is the actor's own, or is the actor. It returns nil,
// CodeInsufficientRole (with the role that is needed) or CodeNotYours.
func Permit(a Action, r Role, own bool, s Status) error {
	if !MayTry(a, r) {
		return InsufficientRole(LeastRole(a), r)
	}
	required, onlyOwn := Role(""), true
	for _, g := range rules[a] {
		fits := (own || !g.Own && !g.Self) && (len(g.In) == 0 || slices.Contains(g.In, s))
		switch {
		case g.admits(r) && fits:
			return nil
		case g.admits(r):
			onlyOwn = onlyOwn && g.Own && !own
		case fits && (required == "" || required.AtLeast(g.Least)):
			required = g.Least
		}
	}
	if onlyOwn || required == "" {
		return Refuse(CodeNotYours, "a %s may do this only to their own", r)
	}
	return InsufficientRole(required, r)
}

// InsufficientRole is the refusal that names the role that is needed.
func InsufficientRole(required, yours Role) *Error {
	return Refuse(CodeInsufficientRole, "this needs the role %s; yours is %s", required, yours).
		With("required_role", required).With("your_role", yours)
}

func (g Grant) admits(r Role) bool {
	return r.AtLeast(g.Least) || (g.Auditor && r == Auditor)
}
