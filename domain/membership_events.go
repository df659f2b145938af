package domain

// MemberJoined carries the member's name and address into the tenant's log, so
// that its read models need no other. UserVersion is that of the user's stream in
// the platform's log from which they come: a renaming that is carried late can't
// put an older name on one who has just joined. 0 is not known: schema version 1
// didn't have it.
type MemberJoined struct {
	UserID      UserID   `json:"user_id"`
	Email       Personal `json:"email"`
	Name        Personal `json:"name"`
	Role        Role     `json:"role"`
	UserVersion int      `json:"user_version"`
}

// joinedWithUserVersion brings member.joined from schema version 1 to 2.
var joinedWithUserVersion = addField("user_version", 0)

// MemberRoleChanged says that an owner gave a member another role.
type MemberRoleChanged struct {
	UserID UserID   `json:"user_id"`
	Name   Personal `json:"name"`
	From   Role     `json:"from"`
	To     Role     `json:"to"`
}

// MemberRenamed says that the user took another name; UserVersion is that of the
// event in the platform's log.
type MemberRenamed struct {
	UserID      UserID   `json:"user_id"`
	From        Personal `json:"from"`
	Name        Personal `json:"name"`
	UserVersion int      `json:"user_version"`
}

// MemberLeft says that a member left or was removed; Role is the role they had.
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
