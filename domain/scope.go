package domain

import "errors"

// ErrScopeStale says that the membership on which a Scope rests has moved since
// it was folded. Nothing was changed and nothing of the answer may be used: the
// caller admits again and, with the new scope, asks again.
var ErrScopeStale = errors.New("the membership has changed since the scope was made")

// Actor is who decides to act: the member's id, name and role in this tenant.
// The zero Actor is the system, which may do what no member is asked for.
type Actor struct {
	ID   UserID
	Name string
	Role Role
}

// Scope is the right to read or write in one tenant. It can only be made from a
// membership that was folded from its stream (Admit) or by an operator's
// command (Operate): a query that takes a Scope can't be called without one.
type Scope struct {
	tenant   TenantID
	actor    Actor
	version  int
	operator bool
}

// Admit gives a member the scope of their tenant, or CodeTenantAccessDenied.
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

// Operate gives an operator's command the scope of a tenant. Only cmd calls it.
func Operate(t TenantID) Scope { return Scope{tenant: t, operator: true} }

// Tenant is the tenant whose things the scope reaches.
func (s Scope) Tenant() TenantID { return s.tenant }

// Actor is the member; the zero Actor for an operator.
func (s Scope) Actor() Actor { return s.actor }

// Operator reports whether the scope is an operator's.
func (s Scope) Operator() bool { return s.operator }

// MembershipVersion is the version of the membership's stream that the scope
// rests on. It must still hold when something is read or appended.
func (s Scope) MembershipVersion() int { return s.version }

// TenantAccessDenied is the one answer for a tenant that isn't there and for
// one that the caller isn't in, so that nobody learns which tenants exist.
func TenantAccessDenied() *Error {
	return Refuse(CodeTenantAccessDenied, "you have no access to this tenant, or it doesn't exist")
}
