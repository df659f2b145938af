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
	// TaskAssigned goes to a task's new assignee.
	TaskAssigned Kind = "task_assigned"
	// ProjectStatusChanged goes to the owner of a project whose status changed.
	ProjectStatusChanged Kind = "project_status_changed"
	// Mention goes to a member whom a comment mentions.
	Mention Kind = "mention"
	// TaskCommented goes to the assignee of a task with a new comment.
	TaskCommented Kind = "task_commented"
)

// Reason is why a user is a recipient. It is part of the HTTP contract.
type Reason string

// The reasons.
const (
	// ReasonAssignee: the user is the task's assignee.
	ReasonAssignee Reason = "assignee"
	// ReasonProjectOwner: the user is the project's owner.
	ReasonProjectOwner Reason = "project_owner"
	// ReasonMentioned: the comment mentions the user.
	ReasonMentioned Reason = "mentioned"
)

// Notification is a message for one user about one event. The JSON names are part
// of the database (deliveries.message).
type Notification struct {
	ID     domain.NotificationID `json:"notification_id"`
	Tenant domain.TenantID       `json:"tenant_id"`
	// User is the recipient.
	User domain.UserID `json:"user_id"`
	// Actor is zero for the system. Title and Body may contain the actor's name.
	Actor  domain.UserID `json:"actor_id"`
	Kind   Kind          `json:"kind"`
	Reason Reason        `json:"reason"`
	// Seq is the event's position in the tenant log.
	Seq        int64             `json:"seq"`
	EntityType domain.StreamType `json:"entity_type"`
	EntityID   uuid.UUID         `json:"entity_id"`
	ProjectID  *domain.ProjectID `json:"project_id"`
	Title      string            `json:"title"`
	Body       string            `json:"body"`
	// CreatedAt is the event's time.
	CreatedAt time.Time `json:"created_at"`
	// ReadAt is when the user marked it as read; nil while unread.
	ReadAt *time.Time `json:"-"`

	// bulk is set for what is joined with other events of a bulk request.
	bulk *bulkPart
}

// notificationID derives a notification's id from the event, the recipient and the
// kind: the same id over every channel and at every attempt.
func notificationID(e domain.Recorded, to domain.UserID, k Kind) domain.NotificationID {
	return domain.NotificationID(derivedID(e.At, fmt.Sprintf("%s/%d/%s/%s", e.Tenant, e.Seq, to, k)))
}

// derivedID is a UUIDv7 (RFC 9562) of a time. The hash of a name stands in for its
// random bits.
func derivedID(at time.Time, name string) uuid.UUID {
	hash := sha256.Sum256([]byte(name))
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16)
	copy(id[6:], hash[:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}
