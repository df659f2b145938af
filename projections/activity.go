package projections

import (
	"errors"
	"strings"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Activity is an item of the activity log: who did what to what, and when.
type Activity struct {
	Seq int64
	At  time.Time
	// ActorID is nil where the system acted.
	ActorID   *domain.UserID
	ActorName string
	// Action is the type of the event.
	Action     string
	EntityType domain.StreamType
	EntityID   uuid.UUID
	ProjectID  *domain.ProjectID
	Summary    string
	Changes    []domain.Change
	// RequestID is empty for what no request asked for.
	RequestID string
}

// logged is a row of the activity log: the fields that its filters use. A read renders
// everything else from the event itself, as a history does. The text is thus stored once,
// a change of its wording applies to past events too, and a name that was made unreadable
// is unreadable here.
type logged struct {
	Seq int64
	// ActorID is nil where the system acted.
	ActorID    *domain.UserID
	Action     string
	EntityType domain.StreamType
	// ProjectID is that of Line.
	ProjectID *domain.ProjectID
	// Fields are the names of the changed fields, separated by commas; nil for no change.
	Fields *string
}

// activity is the activity log: a row for each event, and none is ever changed.
var activity = define(model[int64, logged]{
	Name: "activity", FoldVersion: 2, Table: "activity",
	Keys: activityKeys(),
	Fold: foldActivity,
	Key:  "seq", KeyOf: func(l *logged) int64 { return l.Seq },
	InsertOnly: true,
	Columns: []column[logged]{
		optionalID("actor_id", func(l *logged) **domain.UserID { return &l.ActorID }),
		text("action", func(l *logged) *string { return &l.Action }),
		text("entity_type", func(l *logged) *domain.StreamType { return &l.EntityType }),
		optionalID("project_id", func(l *logged) **domain.ProjectID { return &l.ProjectID }),
		optionalText("fields", func(l *logged) **string { return &l.Fields }),
	},
})

// activityKeys are those of the types that have a line: an event's own seq.
func activityKeys() map[string]func(domain.Recorded) int64 {
	keys := map[string]func(domain.Recorded) int64{}
	for t := range lines {
		keys[t] = func(e domain.Recorded) int64 { return e.Seq }
	}
	return keys
}

func foldActivity(_ *logged, e domain.Recorded) (*logged, error) {
	s, err := say(e)
	if err != nil {
		return nil, err
	}
	l := &logged{Seq: e.Seq, ActorID: actorOf(e), Action: e.Event.EventType(), EntityType: e.Stream.Type}
	if !s.project.IsZero() {
		l.ProjectID = &s.project
	}
	if names := fieldNames(s.changes); names != "" {
		l.Fields = &names
	}
	return l, nil
}

// fieldNames are the names of changed fields, separated by commas.
func fieldNames(changes []domain.Change) string {
	names := make([]string, len(changes))
	for i, c := range changes {
		names[i] = c.Field
	}
	return strings.Join(names, ",")
}

// scanActivity reads a row of a query that selects eventstore.Columns. It renders an
// event that a newer version of Docket wrote as its type alone: the log has no holes.
func scanActivity(row pgx.CollectableRow) (Activity, error) {
	e, err := eventstore.Scan(row)
	if err == nil {
		return renderActivity(e)
	}
	if !errors.Is(err, domain.ErrUnknownEvent) {
		return Activity{}, err
	}
	h, err := scanHistory(row)
	return Activity{
		Seq: h.Seq, At: h.At, ActorID: h.ActorID, ActorName: h.ActorName, Action: h.Type,
		EntityType: h.Stream.Type, EntityID: h.Stream.ID, ProjectID: h.ProjectID, Summary: h.Summary, Changes: h.Changes,
	}, err
}

// renderActivity renders an event as an item of the activity log.
func renderActivity(e domain.Recorded) (Activity, error) {
	l, err := Describe(e)
	if err != nil {
		return Activity{}, err
	}
	return Activity{
		Seq: e.Seq, At: e.At, ActorID: actorOf(e), ActorName: e.ActorName(), Action: e.Event.EventType(),
		EntityType: e.Stream.Type, EntityID: e.Stream.ID, ProjectID: l.ProjectID,
		Summary: l.Summary, Changes: l.Changes, RequestID: e.Meta.RequestID,
	}, nil
}

// actorOf is who acted; nil for the system.
func actorOf(e domain.Recorded) *domain.UserID {
	if e.Actor.IsZero() {
		return nil
	}
	return &e.Actor
}
