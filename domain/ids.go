package domain

import (
	"fmt"

	"github.com/google/uuid"
)

// ID is a UUID of one kind of thing, so that the compiler refuses a task's id for a
// project's. New ids are UUIDv7 (RFC 9562).
type ID[Kind any] uuid.UUID

// The kinds of ids. A membership's stream has the member's UserID, a tenant's
// own stream its TenantID: within one tenant's log no two streams share an id.
type (
	TenantID       = ID[tenantKind]
	UserID         = ID[userKind]
	ProjectID      = ID[projectKind]
	TaskID         = ID[taskKind]
	CommentID      = ID[commentKind]
	CommandID      = ID[commandKind]
	SecretID       = ID[secretKind]
	EpochID        = ID[epochKind]
	NotificationID = ID[notificationKind]
)

type (
	tenantKind       struct{}
	userKind         struct{}
	projectKind      struct{}
	taskKind         struct{}
	commentKind      struct{}
	commandKind      struct{}
	secretKind       struct{}
	epochKind        struct{}
	notificationKind struct{}
)

// Platform is the tenant whose log holds the users. No request can select it.
var Platform TenantID

// UUID is the id without its kind, for drivers and encoders.
func (id ID[K]) UUID() uuid.UUID { return uuid.UUID(id) }

// IsZero reports whether the id is the nil UUID.
func (id ID[K]) IsZero() bool { return uuid.UUID(id) == uuid.Nil }

// String is the canonical lower-case form with hyphens.
func (id ID[K]) String() string { return uuid.UUID(id).String() }

// MarshalText writes the canonical form.
func (id ID[K]) MarshalText() ([]byte, error) { return uuid.UUID(id).MarshalText() }

// UnmarshalText reads the canonical form only. It refuses the braces, URNs and bare
// hex that uuid.Parse accepts, so that one thing has one name.
func (id *ID[K]) UnmarshalText(b []byte) error {
	parsed, err := ParseID[K](string(b))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// ParseID reads the canonical 36-character form, in either case.
func ParseID[K any](s string) (ID[K], error) {
	if len(s) != 36 {
		return ID[K]{}, fmt.Errorf("not a UUID: want 36 characters, got %d", len(s))
	}
	u, err := uuid.Parse(s)
	if err != nil {
		return ID[K]{}, fmt.Errorf("not a UUID: %w", err)
	}
	return ID[K](u), nil
}
