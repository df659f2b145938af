package domain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// StreamType is the kind of aggregate whose events a stream holds.
type StreamType string

// The stream types.
const (
	TenantStream  StreamType = "tenant"
	MemberStream  StreamType = "member"
	UserStream    StreamType = "user"
	ProjectStream StreamType = "project"
	TaskStream    StreamType = "task"
	CommentStream StreamType = "comment"
	// SubscriptionStream is what operators did to a subscription of the log.
	SubscriptionStream StreamType = "subscription"
)

// StreamID names one aggregate's events within a tenant's log.
type StreamID struct {
	Type StreamType
	ID   uuid.UUID
}

// Stream makes a StreamID from a typed id.
func Stream[K any](t StreamType, id ID[K]) StreamID { return StreamID{Type: t, ID: uuid.UUID(id)} }

// String is "<type>/<id>", for logs and errors.
func (s StreamID) String() string { return string(s.Type) + "/" + s.ID.String() }

// Event is something that happened. Its stored name is the registry's, never
// that of the Go type.
type Event interface {
	// EventType is the stable name, "<entity>.<past>".
	EventType() string
}

// Meta is what every event says beside its data.
type Meta struct {
	// RequestID is the id of the HTTP request, or empty for an operator's command.
	RequestID string `json:"request_id,omitempty"`
	// ActorName is the actor's name at the time, absent where nobody acted.
	ActorName *Personal `json:"actor_name,omitempty"`
}

// Recorded is an event with its place in the log.
type Recorded struct {
	Tenant TenantID
	// Seq is the position in the tenant's log: 1, 2, 3 … without gaps.
	Seq    int64
	Stream StreamID
	// Version is the position in the stream: 1, 2, 3 … without gaps.
	Version int
	// At is UTC with microseconds and grows strictly with Seq.
	At time.Time
	// Actor is the user who acted, zero for the system or an operator.
	Actor   UserID
	Command CommandID
	Event   Event
	Meta    Meta
}

// ActorName is the actor's name at the time; empty where nobody acted.
func (r Recorded) ActorName() string {
	if r.Meta.ActorName == nil {
		return ""
	}
	return r.Meta.ActorName.Value
}

// Change is one field's old and new value, as JSON.
type Change struct {
	Field string          `json:"field"`
	From  json.RawMessage `json:"from"`
	To    json.RawMessage `json:"to"`
}

// changed adds a Change to the list where the values differ as JSON.
func changed[T any](list []Change, field string, from, to T) []Change {
	a, b := toJSON(from), toJSON(to)
	if bytes.Equal(a, b) {
		return list
	}
	return append(list, Change{Field: field, From: a, To: b})
}

// toJSON renders a field's value. The types of fields can't fail to marshal.
func toJSON(v any) json.RawMessage {
	b, err := marshal(v)
	if err != nil {
		panic(fmt.Sprintf("domain: field of type %T doesn't marshal: %v", v, err))
	}
	return b
}

// set is how a fold reads a Change: it puts To into the field.
func set[T any](field *T, to []byte) error {
	var v T
	if err := json.Unmarshal(to, &v); err != nil {
		return err
	}
	*field = v
	return nil
}

// applyChanges folds the changes into the fields of the same names. A field
// that isn't there was written by a newer version, so it is an error.
func applyChanges(list []Change, fields map[string]func([]byte) error) error {
	for _, c := range list {
		put, ok := fields[c.Field]
		if !ok {
			return fmt.Errorf("%w: change of field %q", ErrUnknownEvent, c.Field)
		}
		if err := put(c.To); err != nil {
			return fmt.Errorf("change of field %q: %w", c.Field, err)
		}
	}
	return nil
}

// unknownTo is the error of a fold that meets an event of another aggregate.
func unknownTo(aggregate string, e Event) error {
	return fmt.Errorf("%w: %s has no %T", ErrUnknownEvent, aggregate, e)
}
