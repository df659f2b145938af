package domain

import "time"

// Membership is the state of one user's membership in one tenant, folded from its
// stream in that tenant's log. A user who leaves and joins again continues the stream.
type Membership struct {
	TenantID TenantID
	UserID   UserID
	Email    string
	Name     string
	Role     Role
	JoinedAt time.Time
	// Active is false before the member joined and after they left.
	Active bool
	// Removed says that an owner has ended the membership, not the member.
	Removed bool
	// UserVersion is the version of the user's stream that Name comes from: the one at
	// joining, or the last UserRenamed that was copied. 0 is unknown.
	UserVersion int
	Version     int
}

// MembershipCommand is one of JoinTenant, AddMember, ChangeRole,
// RenameMember and RemoveMember.
type MembershipCommand interface{ membershipCommand() }

// JoinTenant makes a user a member at their own request, or as a tenant's founder.
// Role is that of Tenant.Admits. Who was a member before comes back to no more than they
// had, and not at all after an owner has removed them. User is as of its Version.
type JoinTenant struct {
	User User
	Role Role
}

// AddMember makes a registered user a member at an owner's request. User is as of
// its Version.
type AddMember struct {
	User User
	Role Role
}

// ChangeRole gives a member another role. OwnerStays says that the tenant has another
// owner, whose membership the append guards.
type ChangeRole struct {
	IfMatch    IfMatch
	Role       Edit[Role]
	OwnerStays bool
}

// RenameMember copies a user's new name into a tenant. UserVersion is the version of
// the user's stream that the name comes from: a name that is no newer than the
// member's changes nothing.
type RenameMember struct {
	Name        string
	UserVersion int
}

// RemoveMember ends a membership. A member may end their own, an owner any.
type RemoveMember struct {
	IfMatch    IfMatch
	OwnerStays bool
}

func (JoinTenant) membershipCommand()   {}
func (AddMember) membershipCommand()    {}
func (ChangeRole) membershipCommand()   {}
func (RenameMember) membershipCommand() {}
func (RemoveMember) membershipCommand() {}

// DecideMembership decides a command on a membership. Errors, in the order of the
// checks: CodeValidationFailed, CodeNotFound, CodeInsufficientRole,
// CodeVersionConflict, CodeAlreadyMember, CodeTenantAccessDenied or CodeLastOwner.
func DecideMembership(m Membership, by Actor, c MembershipCommand) ([]Event, error) {
	switch c := c.(type) {
	case JoinTenant:
		if err := checkRole(c.Role); err != nil {
			return nil, err
		}
		role, err := m.onReturn(c.Role)
		if err != nil {
			return nil, err
		}
		return m.join(c.User, role)
	case AddMember:
		if err := checkRole(c.Role); err != nil {
			return nil, err
		}
		if err := Permit(MemberAdd, by.Role, false, ""); err != nil {
			return nil, err
		}
		return m.join(c.User, c.Role)
	case ChangeRole:
		return m.change(by, c)
	case RenameMember:
		if !m.Active || m.Name == c.Name || c.UserVersion <= m.UserVersion {
			return nil, nil
		}
		return []Event{MemberRenamed{
			UserID: m.UserID, From: About(m.UserID, m.Name), Name: About(m.UserID, c.Name), UserVersion: c.UserVersion,
		}}, nil
	case RemoveMember:
		return m.remove(by, c)
	}
	return nil, unknownCommand(c)
}

func (m Membership) join(u User, r Role) ([]Event, error) {
	if m.Active {
		return nil, Refuse(CodeAlreadyMember, "this user is a member already")
	}
	return []Event{MemberJoined{
		UserID: u.ID, Email: About(u.ID, u.Email), Name: About(u.ID, u.Name), Role: r, UserVersion: u.Version,
	}}, nil
}

// onReturn is the role of a user who joins a tenant that gives others the role r. The last
// decision of an owner holds until an owner makes another. An auditor is neither above nor
// below the others, so no member becomes one, or ends to be one, by leaving.
func (m Membership) onReturn(r Role) (Role, error) {
	switch {
	case m.Version == 0 || m.Active:
		return r, nil
	case m.Removed:
		return "", TenantAccessDenied()
	case m.Role == Auditor || r == Auditor || !m.Role.AtLeast(r):
		return m.Role, nil
	}
	return r, nil
}

func (m Membership) change(by Actor, c ChangeRole) ([]Event, error) {
	if c.Role.Set {
		if err := checkRole(c.Role.Value); err != nil {
			return nil, err
		}
	}
	if !m.Active {
		return nil, NotFound("member")
	}
	if err := Permit(MemberChange, by.Role, m.UserID == by.ID, ""); err != nil {
		return nil, err
	}
	if err := c.IfMatch.Check(m.Version); err != nil {
		return nil, err
	}
	next := c.Role.Or(m.Role)
	if m.Role == next {
		return nil, nil
	}
	if m.Role == Owner && !c.OwnerStays {
		return nil, LastOwner()
	}
	return []Event{MemberRoleChanged{
		UserID: m.UserID, Name: About(m.UserID, m.Name), From: m.Role, To: next,
	}}, nil
}

func (m Membership) remove(by Actor, c RemoveMember) ([]Event, error) {
	if !m.Active {
		return nil, NotFound("member")
	}
	if err := Permit(MemberRemove, by.Role, m.UserID == by.ID, ""); err != nil {
		return nil, err
	}
	if err := c.IfMatch.Check(m.Version); err != nil {
		return nil, err
	}
	if m.Role == Owner && !c.OwnerStays {
		return nil, LastOwner()
	}
	return []Event{MemberLeft{UserID: m.UserID, Name: About(m.UserID, m.Name), Role: m.Role}}, nil
}

func checkRole(r Role) error {
	var f findings
	oneOf(&f, "/role", r, roles...)
	return f.err()
}

// LastOwner is the refusal of a change that would leave a tenant without an owner.
func LastOwner() *Error {
	return Refuse(CodeLastOwner, "a tenant keeps at least one owner")
}

// Evolve folds one event of the membership's stream.
func (m Membership) Evolve(r Recorded) (Membership, error) {
	switch e := r.Event.(type) {
	case MemberJoined:
		m = Membership{
			TenantID: r.Tenant, UserID: e.UserID, Email: e.Email.Value, Name: e.Name.Value,
			Role: e.Role, JoinedAt: r.At, Active: true, UserVersion: e.UserVersion,
		}
	case MemberRoleChanged:
		m.Role = e.To
	case MemberRenamed:
		m.Name, m.UserVersion = e.Name.Value, e.UserVersion
	case MemberLeft:
		m.Active, m.Removed = false, r.Actor != e.UserID
	default:
		return m, unknownTo("membership", r.Event)
	}
	m.Version = r.Version
	return m, nil
}
