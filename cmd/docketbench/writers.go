package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
)

// taskLength is how many events a writer gives a task before it begins another.
const taskLength = 10

// newTenants invents tenants.
func newTenants(n int) []domain.TenantID {
	out := make([]domain.TenantID, n)
	for i := range out {
		out[i] = newID[domain.TenantID]()
	}
	return out
}

// newID is a UUIDv7, as every id of Docket's. It panics where the system has no
// randomness.
func newID[ID ~[16]byte]() ID { return ID(uuid.Must(uuid.NewV7())) }

// writer is a member of a tenant who works at one task after the other.
type writer struct {
	store  *eventstore.Store
	tenant domain.TenantID
	actor  domain.UserID
	meta   domain.Meta
	guard  eventstore.Guard
	task   domain.TaskID
	// version of the task; 0 where it is still to be created.
	version int
}

// newWriters makes members of the tenants, in turn, whose logs it begins.
func newWriters(ctx context.Context, s *eventstore.Store, n int, tenants []domain.TenantID) ([]*writer, error) {
	out := make([]*writer, n)
	for i := range out {
		w := newWriter(s, tenants[i%len(tenants)])
		c := eventstore.Commit{Command: newID[domain.CommandID](), Parts: []eventstore.Part{w.joins()}}
		if i < len(tenants) {
			c.NewTenants = []domain.TenantID{w.tenant}
		}
		if _, err := s.Append(ctx, c); err != nil {
			return nil, fmt.Errorf("prepare the writers: %w", err)
		}
		out[i] = w
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

// joins makes the writer a member.
func (w *writer) joins() eventstore.Part {
	return eventstore.Part{Tenant: w.tenant, Stream: w.guard.Stream, Events: []domain.Event{domain.MemberJoined{
		UserID: w.actor, Email: domain.About(w.actor, w.actor.String()+"@example.org"),
		Name: *w.meta.ActorName, Role: domain.Member,
	}}}
}

// commit appends the next event of the task, guarded by the membership.
func (w *writer) commit(ctx context.Context) error {
	c := eventstore.Commit{
		Command: newID[domain.CommandID](), Actor: w.actor, Meta: w.meta,
		Parts: []eventstore.Part{{
			Tenant: w.tenant, Stream: domain.Stream(domain.TaskStream, w.task), Expected: w.version,
			Events: []domain.Event{w.next()},
		}},
		Guards: []eventstore.Guard{w.guard},
	}
	_, err := w.store.Append(ctx, c)
	w.version++
	if err != nil || w.version == taskLength {
		w.task, w.version = newID[domain.TaskID](), 0
	}
	if err != nil {
		return &failure{appendFailure(err), err}
	}
	return nil
}

// next is what happens to the task: two events of like size.
func (w *writer) next() domain.Event {
	if w.version == 0 {
		return w.created()
	}
	from, to := domain.Todo, domain.InProgress
	if w.version%2 == 0 {
		from, to = to, from
	}
	return domain.TaskUpdated{
		TaskID: w.task, ProjectID: domain.ProjectID(w.tenant), ProjectName: "Harbour wall", OwnerID: w.actor,
		Title: "Survey the foundations", AssigneeID: &w.actor,
		Changes: []domain.Change{{Field: "status", From: quoted(from), To: quoted(to)}},
	}
}

func (w *writer) created() domain.Event {
	return domain.TaskCreated{
		TaskID: w.task, ProjectID: domain.ProjectID(w.tenant), ProjectName: "Harbour wall", OwnerID: w.actor,
		Title: "Survey the foundations", Priority: domain.Normal, Labels: []string{"sea"}, AssigneeID: &w.actor,
	}
}

func quoted(s domain.TaskStatus) []byte { return []byte(`"` + s + `"`) }

// appendFailure names why an append failed.
func appendFailure(err error) string {
	var conflict *eventstore.ConflictError
	switch {
	case errors.As(err, &conflict):
		return "conflict"
	case errors.Is(err, eventstore.ErrOverloaded):
		return "overloaded"
	case errors.Is(err, eventstore.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, eventstore.ErrOutcomeUnknown):
		return "outcome-unknown"
	}
	first, _, _ := strings.Cut(err.Error(), ":")
	return first
}
