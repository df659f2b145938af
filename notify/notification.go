package notify

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"docket/domain"

	"github.com/google/uuid"
)

// Kind is what a notification is about. It is part of the HTTP contract.
type Kind string

// The kinds of notifications.
const (
	// TaskAssigned tells a task's new assignee.
	TaskAssigned Kind = "task_assigned"
	// ProjectStatusChanged tells a project's owner of a step along the workflow.
	ProjectStatusChanged Kind = "project_status_changed"
	// Mention tells a member whom a comment names.
	Mention Kind = "mention"
	// TaskCommented tells a task's assignee of a new comment.
	TaskCommented Kind = "task_commented"
)

// Reason is why a user is told. It is part of the HTTP contract.
type Reason string

// The reasons.
const (
	// ReasonAssignee: the user is the task's assignee.
	ReasonAssignee Reason = "assignee"
	// ReasonProjectOwner: the user is the project's owner.
	ReasonProjectOwner Reason = "project_owner"
	// ReasonMentioned: the comment names the user.
	ReasonMentioned Reason = "mentioned"
)

// Notification is one thing that one user is told.
type Notification struct {
	ID     domain.NotificationID
	Tenant domain.TenantID
	User   domain.UserID
	// Actor is who did it; zero for the system. Title and Body may carry their name.
	Actor  domain.UserID
	Kind   Kind
	Reason Reason
	// Seq is the event's position in the tenant's log.
	Seq        int64
	EntityType domain.StreamType
	EntityID   uuid.UUID
	ProjectID  *domain.ProjectID
	Title      string
	Body       string
	// CreatedAt is the event's time.
	CreatedAt time.Time
	// ReadAt is when the user marked it as read; nil while they haven't.
	ReadAt *time.Time
}

// identify is the id of what an event tells a user, by the event's time. So the
// same notification has the same id on every channel and at every attempt.
func identify(e domain.Recorded, to domain.UserID, k Kind) domain.NotificationID {
	return domain.NotificationID(derived(e.At, fmt.Sprintf("%s/%d/%s/%s", e.Tenant, e.Seq, to, k)))
}

// derived is a UUIDv7 (RFC 9562) of a time whose random bits are a hash of what
// it stands for.
func derived(at time.Time, of string) uuid.UUID {
	hash := sha256.Sum256([]byte(of))
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16)
	copy(id[6:], hash[:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}
