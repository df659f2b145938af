package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// ErrUnknownEvent says that a newer version of Docket wrote an event: this one
// doesn't know its type, schema version, field or key. A reader leaves the event to
// newer replicas.
var ErrUnknownEvent = errors.New("event not known to this version")

// Definition is one row of the registry.
type Definition struct {
	// Type is the stored name, written by hand and never changed.
	Type string
	// Stream is the type of stream that holds the event.
	Stream StreamType
	// Reads is the newest schema version that Decode reads: 1 + the number of
	// upcasters. Decode reads all older ones too.
	Reads int
	// Version is the schema version that Encode writes: Reads, or one less while the
	// newest is only learned. It is 0 for a type that isn't written yet.
	Version int
	// Personal are the names of the fields with personal data.
	Personal []string

	goType   reflect.Type
	shape    shape
	upcasts  []Upcaster
	downcast Downcaster
}

// definitions are the rows of a registry by their stored names.
type definitions map[string]*Definition

// registry holds every event type. After a release its name is never reused, and a
// golden file in testdata/events never edited; a new form is a new version. The
// previous release must read what a release writes: a new type or version is
// learned first, and written one release later. internal/released checks a change
// for both. docs/events.md is the guide.
//
// Second versions without that delay precede the first release.
var registry = register(
	define[TenantCreated](TenantStream),
	define[TenantUpdated](TenantStream),
	define[TenantFounded](TenantStream),
	define[TenantEpochBegun](TenantStream),
	define[UserRegistered](UserStream),
	define[UserRenamed](UserStream),
	define[MemberJoined](MemberStream, joinedWithUserVersion),
	define[MemberRoleChanged](MemberStream),
	define[MemberRenamed](MemberStream),
	define[MemberLeft](MemberStream),
	define[ProjectCreated](ProjectStream),
	define[ProjectUpdated](ProjectStream, updatedWithAfterApproval),
	define[ProjectStatusChanged](ProjectStream, movedWithApprovedVersion),
	define[ProjectDeleted](ProjectStream),
	define[TaskCreated](TaskStream),
	define[TaskUpdated](TaskStream),
	define[TaskDeleted](TaskStream),
	define[CommentCreated](CommentStream),
	define[CommentUpdated](CommentStream),
	define[CommentDeleted](CommentStream),
	define[APIKeyCreated](APIKeyStream),
	define[APIKeyRotated](APIKeyStream),
	define[APIKeyRevoked](APIKeyStream),
	define[SubscriptionEventSkipped](SubscriptionStream),
	define[SubscriptionResumed](SubscriptionStream),
)

func define[E Event](stream StreamType, upcasts ...Upcaster) Definition {
	var zero E
	t := reflect.TypeOf(zero)
	newest := 1 + len(upcasts)
	return Definition{
		Type: zero.EventType(), Stream: stream, Reads: newest, Version: newest,
		Personal: personalFields(t), goType: t, shape: shapeOf(t), upcasts: upcasts,
	}
}

// learned returns a definition whose newest version is read but not written yet, so
// that the next release can write it while replicas of this one run. down makes the
// previous version, which Encode writes meanwhile; nil for a new type.
func (d Definition) learned(down Downcaster) Definition {
	if (down == nil) != (d.Reads == 1) {
		panic("domain: a version that is only learned needs a downcaster, a type none: " + d.Type)
	}
	d.Version, d.downcast = d.Reads-1, down
	return d
}

// register panics on a duplicate name or Go type. Every test would find that bug.
func register(defs ...Definition) definitions {
	byName, byType := definitions{}, map[reflect.Type]bool{}
	for _, d := range defs {
		if _, dup := byName[d.Type]; dup || byType[d.goType] {
			panic("domain: event registered twice: " + d.Type)
		}
		byName[d.Type], byType[d.goType] = &d, true
	}
	return byName
}

// Definitions is the whole registry, sorted by name.
func Definitions() []Definition {
	out := make([]Definition, 0, len(registry))
	for _, def := range registry {
		d := *def
		d.Personal = slices.Clone(d.Personal)
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Definition) int { return strings.Compare(a.Type, b.Type) })
	return out
}

// Encode returns an event's stored form, in the schema version of its definition. It
// fails only on an event that isn't registered, or is learned and not written yet.
func Encode(e Event) (d Definition, data json.RawMessage, err error) {
	return registry.encode(e)
}

func (r definitions) encode(e Event) (Definition, json.RawMessage, error) {
	d, ok := r[e.EventType()]
	if !ok || reflect.TypeOf(e) != d.goType {
		return Definition{}, nil, fmt.Errorf("event %T isn't registered as %q", e, e.EventType())
	}
	if d.Version == 0 {
		return Definition{}, nil, fmt.Errorf("event %s is only read by this version of Docket, not written", d.Type)
	}
	data, err := marshal(e)
	if err == nil && d.downcast != nil {
		data, err = d.downcast(data)
	}
	if err != nil {
		return Definition{}, nil, fmt.Errorf("encode %s: %w", d.Type, err)
	}
	return *d, data, nil
}

// AsStored returns an event that was encoded as data in the form in which the log
// will return it: without the fields that only a learned schema version has. A fold
// right after an append must use this form.
func (d Definition) AsStored(e Event, data json.RawMessage) (Event, error) {
	if d.Version == d.Reads {
		return e, nil
	}
	return definitions{d.Type: &d}.decode(d.Type, d.Version, data)
}

// Decode reads a stored event and upcasts an older schema version. It returns
// ErrUnknownEvent if a newer version wrote the event. It returns an upcaster's panic
// as an error: one event must not stop a reader of the log.
func Decode(eventType string, version int, data json.RawMessage) (Event, error) {
	return registry.decode(eventType, version, data)
}

func (r definitions) decode(eventType string, version int, data json.RawMessage) (e Event, err error) {
	defer func() {
		if p := recover(); p != nil {
			e, err = nil, fmt.Errorf("decode %s from version %d: panic: %v", eventType, version, p)
		}
	}()
	d, ok := r[eventType]
	if !ok {
		return nil, fmt.Errorf("%w: type %q", ErrUnknownEvent, eventType)
	}
	if version > d.Reads {
		return nil, fmt.Errorf("%w: %s in schema version %d", ErrUnknownEvent, eventType, version)
	}
	if version < 1 {
		return nil, fmt.Errorf("decode %s: schema version %d", eventType, version)
	}
	for i, up := range d.upcasts[version-1:] {
		if data, err = up(data); err != nil {
			return nil, fmt.Errorf("upcast %s from version %d: %w", eventType, version+i, err)
		}
	}
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		// The decoder would return an event with empty fields.
		return nil, fmt.Errorf("decode %s: null is no event", eventType)
	}
	v := reflect.New(d.goType).Elem()
	if err := d.shape.unmarshal(data, v); err != nil {
		if errors.Is(err, ErrUnknownKey) {
			return nil, fmt.Errorf("%w: %w", ErrUnknownEvent, err)
		}
		return nil, fmt.Errorf("decode %s: %w", eventType, err)
	}
	return v.Interface().(Event), nil
}

// personalFields are the JSON names of the struct's Personal fields.
func personalFields(t reflect.Type) []string {
	var out []string
	for f := range t.Fields() {
		if f.Type == reflect.TypeFor[Personal]() || f.Type == reflect.TypeFor[*Personal]() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			out = append(out, name)
		}
	}
	return out
}
