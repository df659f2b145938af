package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
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
	// APIKeyStream holds a service account and its keys.
	APIKeyStream StreamType = "api_key"
	// SubscriptionStream holds what operators did to a subscription of the log.
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

// Meta is the part of an event that all types share.
type Meta struct {
	// RequestID is the id of the HTTP request, or empty for an operator's command.
	RequestID string `json:"request_id,omitempty"`
	// ActorName is the actor's name at the time; absent for the system.
	ActorName *Personal `json:"actor_name,omitempty"`
	// Bulk is the same in all events of one bulk request, however many Commits it took; nil
	// for other requests.
	Bulk *CommandID `json:"bulk,omitempty"`
}

// Recorded is an event with its position in the log.
type Recorded struct {
	Tenant TenantID
	// Seq is the position in the tenant's log: 1, 2, 3 … without gaps.
	Seq    int64
	Stream StreamID
	// Version is the position in the stream: 1, 2, 3 … without gaps.
	Version int
	// At is UTC with microseconds and grows strictly with Seq.
	At time.Time
	// Actor is the user who gave the command; zero for the system or an operator.
	Actor   UserID
	Command CommandID
	Event   Event
	Meta    Meta
}

var metaShape = shapeOf(reflect.TypeFor[Meta]())

// DecodeMeta reads a stored Meta. It returns ErrUnknownEvent if a newer version
// wrote it.
func DecodeMeta(data json.RawMessage) (Meta, error) {
	var m Meta
	err := metaShape.unmarshal(data, reflect.ValueOf(&m).Elem())
	if errors.Is(err, ErrUnknownKey) {
		err = fmt.Errorf("%w: %w", ErrUnknownEvent, err)
	}
	return m, err
}

// ActorName is the actor's name at the time; empty for the system.
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

// changed adds a Change to the list if the values differ as JSON.
func changed[T any](list []Change, field string, from, to T) []Change {
	a, b := toJSON(from), toJSON(to)
	if bytes.Equal(a, b) {
		return list
	}
	return append(list, Change{Field: field, From: a, To: b})
}

// toJSON marshals a field's value. The types of fields can't fail to marshal.
func toJSON(v any) json.RawMessage {
	b, err := marshal(v)
	if err != nil {
		panic(fmt.Sprintf("domain: field of type %T doesn't marshal: %v", v, err))
	}
	return b
}

// fields are the fields of a state that events may change, by their names in a
// Change. Each function sets the field to a Change's To.
type fields[S any] map[string]func(s *S, to []byte) error

func field[S, T any](of func(*S) *T) func(*S, []byte) error {
	read := shapeOf(reflect.TypeFor[T]())
	return func(s *S, to []byte) error {
		// Reading into the old value could change the previous state, which shares it.
		v := reflect.ValueOf(of(s)).Elem()
		v.SetZero()
		return read.unmarshal(to, v)
	}
}

// names are the names of the fields, sorted.
func (f fields[S]) names() []string {
	names := make([]string, 0, len(f))
	for name := range f {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// apply returns the state with the changes made. A newer version wrote a change of
// an unknown field, so that is ErrUnknownEvent. On an error the state is unchanged.
func (f fields[S]) apply(state S, list []Change) (S, error) {
	next := state
	for _, c := range list {
		put, ok := f[c.Field]
		if !ok {
			return state, fmt.Errorf("%w: change of field %q", ErrUnknownEvent, c.Field)
		}
		if err := put(&next, c.To); err != nil {
			return state, fmt.Errorf("change of field %q: %w", c.Field, err)
		}
	}
	return next, nil
}

// unknownTo is the error of folding an event of another aggregate.
func unknownTo(aggregate string, e Event) error {
	return fmt.Errorf("%w: %s has no %T", ErrUnknownEvent, aggregate, e)
}
