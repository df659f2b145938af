package domain

import "time"

// User is the state of a user, who may be a member of any number of tenants. Users'
// streams are in the platform's log; accounts stores their passwords.
type User struct {
	ID        UserID
	Email     string
	Name      string
	CreatedAt time.Time
	Version   int
}

// UserCommand is one of RegisterUser and RenameUser.
type UserCommand interface{ userCommand() }

// RegisterUser creates a user. A claim in the same Commit keeps the address unique.
type RegisterUser struct {
	ID    UserID
	Email string
	Name  string
}

// RenameUser gives a user another name. It is copied into the user's memberships.
type RenameUser struct{ Name Edit[string] }

func (RegisterUser) userCommand() {}
func (RenameUser) userCommand()   {}

// DecideUser decides a command on a user. Errors: CodeValidationFailed, CodeNotFound,
// CodeEmailTaken.
func DecideUser(u User, c UserCommand) ([]Event, error) {
	switch c := c.(type) {
	case RegisterUser:
		var f findings
		f.email("/email", c.Email)
		f.name("/name", c.Name, MaxName)
		if err := f.err(); err != nil {
			return nil, err
		}
		if u.Version > 0 {
			return nil, EmailTaken()
		}
		return []Event{UserRegistered{Email: About(c.ID, c.Email), Name: About(c.ID, c.Name)}}, nil
	case RenameUser:
		var f findings
		f.name("/name", c.Name.Or("-"), MaxName)
		if err := f.err(); err != nil {
			return nil, err
		}
		if u.Version == 0 {
			return nil, NotFound("user")
		}
		name := c.Name.Or(u.Name)
		if name == u.Name {
			return nil, nil
		}
		return []Event{UserRenamed{From: About(u.ID, u.Name), Name: About(u.ID, name)}}, nil
	}
	return nil, unknownCommand(c)
}

// EmailTaken is the refusal of an address that another user has.
func EmailTaken() *Error {
	return Refuse(CodeEmailTaken, "another user has this e-mail address")
}

// Evolve folds one event of the user's stream.
func (u User) Evolve(r Recorded) (User, error) {
	switch e := r.Event.(type) {
	case UserRegistered:
		u = User{ID: UserID(r.Stream.ID), Email: e.Email.Value, Name: e.Name.Value, CreatedAt: r.At}
	case UserRenamed:
		u.Name = e.Name.Value
	default:
		return u, unknownTo("user", r.Event)
	}
	u.Version = r.Version
	return u, nil
}

// UserRegistered is the first event of a user's stream, in the platform's log.
type UserRegistered struct {
	Email Personal `json:"email"`
	Name  Personal `json:"name"`
}

// UserRenamed says that a user has another name.
type UserRenamed struct {
	From Personal `json:"from"`
	Name Personal `json:"name"`
}

// EventType is the stored name.
func (UserRenamed) EventType() string { return "user.renamed" }

// EventType is the stored name.
func (UserRegistered) EventType() string { return "user.registered" }
