package domain

import (
	"errors"
	"slices"
)

// ErrScopeStale says that the membership has changed since a Scope was made from
// it. The operation had no effect and its result must not be used: the caller
// makes a new scope and repeats the operation.
var ErrScopeStale = errors.New("the membership has changed since the scope was made")

// Actor is the member who gives a command: id, name and role in this tenant. The
// zero Actor is the system, which may do only what needs no role.
type Actor struct {
	ID   UserID
	Name string
	Role Role
	// Service says that it is a service account, which has an API key and is no member.
	Service bool
}

// Scope is the right to read or write in one tenant. It can only be made from a
// membership that was folded from its stream (Admit) or by an operator's
// command (Operate): a query that takes a Scope can't be called without one.
type Scope struct {
	tenant   TenantID
	actor    Actor
	version  int
	operator bool
	key      *APIKey // of a service account
}

// Admit makes a member's scope of their tenant, or returns CodeTenantAccessDenied.
func Admit(m Membership) (Scope, error) {
	if !m.Active {
		return Scope{}, TenantAccessDenied()
	}
	return Scope{
		tenant:  m.TenantID,
		actor:   Actor{ID: m.UserID, Name: m.Name, Role: m.Role},
		version: m.Version,
	}, nil
}

// AdmitService makes a service account's scope of its tenant, or returns
// CodeUnauthenticated for one that was revoked.
func AdmitService(k APIKey) (Scope, error) {
	if k.Version == 0 || k.Revoked {
		return Scope{}, InvalidAPIKey()
	}
	return Scope{
		tenant:  k.TenantID,
		actor:   Actor{ID: k.ID, Name: k.Name, Role: k.Role, Service: true},
		version: k.Version,
		key:     &k,
	}, nil
}

// MayTry is nil if the scope's role has any grant of the action, and a service account's
// key allows it. Errors: CodeInsufficientRole, CodeServiceAccountDenied.
func (s Scope) MayTry(a Action) error {
	if !MayTry(a, s.actor.Role) {
		return InsufficientRole(LeastRole(a), s.actor.Role)
	}
	switch {
	case !s.actor.Service:
		return nil
	case slices.Contains(peopleOnly, a):
		return ServiceAccountDenied()
	case len(s.key.Actions) > 0 && !slices.Contains(s.key.Actions, a):
		return Refuse(CodeServiceAccountDenied, "the API key of this service account doesn't allow %s", a)
	}
	return nil
}

// ServiceAccountDenied refuses what only people may do.
func ServiceAccountDenied() *Error {
	return Refuse(CodeServiceAccountDenied, "service accounts can't do this: it is for people")
}

// InvalidAPIKey refuses an API key that is unknown, expired or revoked, all alike.
func InvalidAPIKey() *Error { return Refuse(CodeUnauthenticated, "the API key isn't valid") }

// Operate makes an operator's scope of a tenant. Only cmd calls it.
func Operate(t TenantID) Scope { return Scope{tenant: t, operator: true} }

// Tenant is the one tenant that the scope gives access to.
func (s Scope) Tenant() TenantID { return s.tenant }

// Actor is the member or service account; the zero Actor for an operator.
func (s Scope) Actor() Actor { return s.actor }

// Operator reports whether the scope is an operator's.
func (s Scope) Operator() bool { return s.operator }

// MembershipVersion is the version of the membership's stream, or of the service
// account's, from which the scope was made. Every read and append checks that it is still the last.
func (s Scope) MembershipVersion() int { return s.version }

// TenantAccessDenied refuses access to a tenant that doesn't exist and to one of
// which the caller isn't a member alike, so that it reveals no tenant.
func TenantAccessDenied() *Error {
	return Refuse(CodeTenantAccessDenied, "you have no access to this tenant, or it doesn't exist")
}
