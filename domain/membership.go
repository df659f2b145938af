package domain

import "time"

// Membership is one user's place in one tenant, folded from its stream in that
// tenant's log. It outlives the member's leaving, so that its version goes on.
type Membership struct {
	TenantID TenantID
	UserID   UserID
	Email    string
	Name     string
	Role     Role
	JoinedAt time.Time
	// Active is false before the member joined and after they left.
	Active bool
	// UserVersion is the version of the user that Name comes from: that at joining,
	// or of the renaming that was carried last. 0 is not known.
	UserVersion int
	Version     int
}

// MembershipCommand is one of JoinTenant, AddMember, ChangeRole,
// RenameMember and RemoveMember.
type MembershipCommand interface{ membershipCommand() }

// JoinTenant makes a user a member by their own act, or founds a tenant; the
// tenant has said with which role (Tenant.Admits). User is as of its Version.
type JoinTenant struct {
	User User
	Role Role
}

// AddMember makes a registered user a member by an owner's act. User is as of its
// Version.
type AddMember struct {
	User User
	Role Role
}

// ChangeRole gives a member another role. OwnerStays says that another owner is
// there, whose membership the append guards.
type ChangeRole struct {
	IfMatch    IfMatch
	Role       Edit[Role]
	OwnerStays bool
}

// RenameMember carries a user's new name into a tenant. UserVersion is the
// version of the user's stream that it comes from: a renaming that was carried
// already, is older than one that was, or older than the joining, changes nothing.
type RenameMember struct {
	Name        string
	UserVersion int
}

// RemoveMember ends a membership: one's own, or by an owner anyone's.
type RemoveMember struct {
	IfMatch    IfMatch
	OwnerStays bool
}

func (JoinTenant) membershipCommand()   {}
func (AddMember) membershipCommand()    {}
func (ChangeRole) membershipCommand()   {}
func (RenameMember) membershipCommand() {}
func (RemoveMember) membershipCommand() {}

// DecideMembership says what a command does to a membership. Errors, in the
// order in which they are looked for: CodeValidationFailed, CodeNotFound,
// CodeInsufficientRole, CodeVersionConflict, CodeAlreadyMember or CodeLastOwner.
func DecideMembership(m Membership, by Actor, c MembershipCommand) ([]Event, error) {
	switch c := c.(type) {
	case JoinTenant:
		if err := checkRole(c.Role); err != nil {
			return nil, err
		}
		return m.join(c.User, c.Role)
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

// LastOwner is the refusal to leave a tenant without an owner.
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
		m.Active = false
	default:
		return m, unknownTo("membership", r.Event)
	}
	m.Version = r.Version
	return m, nil
}
