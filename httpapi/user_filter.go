package httpapi

import (
	"github.com/danielgtaylor/huma/v2"

	"docket/domain"
	"docket/httpapi/edge"
)

// userOrMe is a user in a filter: an id, or the word me for the caller.
type userOrMe struct {
	id domain.UserID
	me bool
}

const me = "me"

// of returns the user's id, which for me is the caller's; nil without a filter.
func (u *userOrMe) of(caller domain.UserID) *domain.UserID {
	switch {
	case u == nil:
		return nil
	case u.me:
		return &caller
	}
	return &u.id
}

// UnmarshalText parses an id or me.
func (u *userOrMe) UnmarshalText(text []byte) error {
	if u.me = string(text) == me; u.me {
		return nil
	}
	return u.id.UnmarshalText(text)
}

// Schema describes the parameter in OpenAPI.
func (u userOrMe) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeString, Pattern: "^(" + me + "|" + edge.UUIDPattern + ")$",
		PatternDescription: "a UUID of 36 characters, or " + me,
	}
}
