package main

import (
	"context"
	"fmt"
	"strings"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
)

// taskLength is how many events a writer gives a task before it begins another.
const taskLength = 10

// newTenants makes the ids of n tenants.
func newTenants(n int) []domain.TenantID {
	out := make([]domain.TenantID, n)
	for i := range out {
		out[i] = newID[domain.TenantID]()
	}
	return out
}

// newID is a UUIDv7, like every id of Docket. It panics where the system has no
// randomness.
func newID[ID ~[16]byte]() ID { return ID(uuid.Must(uuid.NewV7())) }

// writer is a member of a tenant that works at one task after the other.
type writer struct {
	store   *eventstore.Store
	tenant  domain.TenantID
	actor   domain.UserID
	meta    domain.Meta
	guard   eventstore.Guard
	task    domain.TaskID
	version int // of the task; 0 before it is created
}

// newWriters makes n members of the tenants, in turn, whose logs it begins.
func newWriters(ctx context.Context, s *eventstore.Store, n int, tenants []domain.TenantID) ([]step, error) {
	out := make([]step, n)
	for i := range out {
		w := newWriter(s, tenants[i%len(tenants)])
		c := eventstore.Commit{Command: newID[domain.CommandID](), Parts: []eventstore.Part{w.joined()}}
		if i < len(tenants) {
			c.NewTenants = []domain.TenantID{w.tenant}
		}
		if _, err := s.Append(ctx, c); err != nil {
			return nil, fmt.Errorf("make the writers: %w", err)
		}
		out[i] = w.commit
	}
	return out, nil
}

func newWriter(s *eventstore.Store, t domain.TenantID) *writer {
	w := &writer{store: s, tenant: t, actor: newID[domain.UserID](), task: newID[domain.TaskID]()}
	name := domain.About(w.actor, "Ann Bennett")
	w.meta = domain.Meta{RequestID: uuid.NewString(), ActorName: &name}
	w.guard = eventstore.Guard{Tenant: t, Stream: domain.Stream(domain.MemberStream, w.actor), Version: 1}
	return w
}

// joined makes the writer a member.
func (w *writer) joined() eventstore.Part {
	return eventstore.Part{Tenant: w.tenant, Stream: w.guard.Stream, Events: []domain.Event{domain.MemberJoined{
		UserID: w.actor, Email: domain.About(w.actor, w.actor.String()+"@example.org"),
		Name: *w.meta.ActorName, Role: domain.Member,
	}}}
}

// commit appends the next event of the task, guarded by the membership.
func (w *writer) commit(ctx context.Context) error {
	_, err := w.store.Append(ctx, eventstore.Commit{
		Command: newID[domain.CommandID](), Actor: w.actor, Meta: w.meta, Guards: []eventstore.Guard{w.guard},
		Parts: []eventstore.Part{{Tenant: w.tenant, Stream: domain.Stream(domain.TaskStream, w.task), Expected: w.version, Events: []domain.Event{w.next()}}},
	})
	if w.version++; err != nil || w.version == taskLength {
		w.task, w.version = newID[domain.TaskID](), 0
	}
	if err != nil {
		kind, _, _ := strings.Cut(err.Error(), ":")
		return &failure{kind, err}
	}
	return nil
}

// next is the next event of the task. All have about the same size.
func (w *writer) next() domain.Event {
	project := domain.ProjectID(w.tenant)
	if w.version == 0 {
		return taskCreated(w.task, project, w.actor)
	}
	if w.version%2 == 0 {
		return taskUpdated(w.task, project, w.actor, "status", `"in_progress"`, `"todo"`)
	}
	return taskUpdated(w.task, project, w.actor, "status", `"todo"`, `"in_progress"`)
}

func taskCreated(id domain.TaskID, project domain.ProjectID, actor domain.UserID) domain.TaskCreated {
	return domain.TaskCreated{TaskID: id, ProjectID: project, ProjectName: "Harbour wall", OwnerID: actor, Title: "Survey the foundations",
		Priority: domain.Normal, Labels: []string{"sea"}, AssigneeID: &actor}
}

func taskUpdated(id domain.TaskID, project domain.ProjectID, actor domain.UserID, field, from, to string) domain.Event {
	return domain.TaskUpdated{TaskID: id, ProjectID: project, ProjectName: "Harbour wall", OwnerID: actor, Title: "Survey the foundations",
		AssigneeID: &actor, Changes: []domain.Change{{Field: field, From: []byte(from), To: []byte(to)}}}
}
