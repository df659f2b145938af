package httpapi

import (
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"docket/domain"
	"docket/httpapi/edge"
)

// userOrMe is a user in a filter: an id, or the word me for the caller.
type userOrMe struct {
	id domain.UserID
	me bool
}

const (
	me   = "me"
	none = "none"
)

// usersOf returns the ids of a filter, in which me is the caller; nil without a filter.
func usersOf(list []userOrMe, caller domain.UserID) []domain.UserID {
	if list == nil {
		return nil
	}
	ids := make([]domain.UserID, 0, len(list))
	for _, u := range list {
		if u.me {
			u.id = caller
		}
		ids = append(ids, u.id)
	}
	return ids
}

// UnmarshalText parses an id or me.
func (u *userOrMe) UnmarshalText(text []byte) error {
	if u.me = string(text) == me; u.me {
		return nil
	}
	return u.id.UnmarshalText(text)
}

// Schema describes the parameter in OpenAPI.
func (u userOrMe) Schema(huma.Registry) *huma.Schema { return userSchema(me) }

// userOrNone is userOrMe, or the word none for no user.
type userOrNone struct {
	user userOrMe
	none bool
}

// UnmarshalText parses an id, me or none.
func (u *userOrNone) UnmarshalText(text []byte) error {
	if u.none = string(text) == none; u.none {
		return nil
	}
	return u.user.UnmarshalText(text)
}

// Schema describes the parameter in OpenAPI.
func (u userOrNone) Schema(huma.Registry) *huma.Schema { return userSchema(me, none) }

func userSchema(words ...string) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeString, Pattern: "^(" + strings.Join(words, "|") + "|" + edge.UUIDPattern + ")$",
		PatternDescription: "a UUID of 36 characters, or " + strings.Join(words, ", or "),
	}
}

// usersOrNone returns the ids of a filter, and whether none is asked for.
func usersOrNone(list []userOrNone, caller domain.UserID) (ids []domain.UserID, unassigned bool) {
	var users []userOrMe
	for _, u := range list {
		if u.none {
			unassigned = true
			continue
		}
		users = append(users, u.user)
	}
	return usersOf(users, caller), unassigned
}
