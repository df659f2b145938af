package domain

// MemberJoined copies the user's name and address into the tenant's log, so that its
// read models need no other log. UserVersion is the version of the user's stream from
// which they are copied, so that an older name that arrives later is ignored. It is 0,
// unknown, in schema version 1.
type MemberJoined struct {
	UserID      UserID   `json:"user_id"`
	Email       Personal `json:"email"`
	Name        Personal `json:"name"`
	Role        Role     `json:"role"`
	UserVersion int      `json:"user_version"`
}

// joinedWithUserVersion upcasts member.joined from schema version 1 to 2.
var joinedWithUserVersion = addField("user_version", 0)

// MemberRoleChanged says that an owner gave a member another role.
type MemberRoleChanged struct {
	UserID UserID   `json:"user_id"`
	Name   Personal `json:"name"`
	From   Role     `json:"from"`
	To     Role     `json:"to"`
}

// MemberRenamed says that the user has another name; UserVersion is the version of
// the UserRenamed in the user's stream.
type MemberRenamed struct {
	UserID      UserID   `json:"user_id"`
	From        Personal `json:"from"`
	Name        Personal `json:"name"`
	UserVersion int      `json:"user_version"`
}

// MemberLeft says that a member left or was removed; Role is their last role.
type MemberLeft struct {
	UserID UserID   `json:"user_id"`
	Name   Personal `json:"name"`
	Role   Role     `json:"role"`
}

// EventType is the stored name.
func (MemberJoined) EventType() string { return "member.joined" }

// EventType is the stored name.
func (MemberRoleChanged) EventType() string { return "member.role_changed" }

// EventType is the stored name.
func (MemberRenamed) EventType() string { return "member.renamed" }

// EventType is the stored name.
func (MemberLeft) EventType() string { return "member.left" }
