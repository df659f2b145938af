package domain_test

import (
	"testing"

	"docket/domain"
)

// taskAttempt is a command on a task, with some faults.
type taskAttempt struct {
	misshapen, missing, deleted, orphaned, refused, stale, closed, outsider bool
}

func (x taskAttempt) state(t *testing.T) domain.Task {
	t.Helper()
	if x.missing {
		return domain.Task{}
	}
	events := []domain.Event{taskCreated()}
	if x.deleted {
		events = append(events, taskDeleted())
	}
	return fold[domain.Task](t, tasks.stream, tasks.author, events...)
}

func (x taskAttempt) project(t *testing.T) domain.Project {
	t.Helper()
	status := domain.Active
	if x.closed {
		status = domain.Archived
	}
	events := projectIn(status)
	if x.orphaned {
		events = append(events, projectDeleted(status))
	}
	return fold[domain.Project](t, projects.stream, projects.author, events...)
}

func (x taskAttempt) match(t *testing.T) domain.IfMatch {
	t.Helper()
	if x.stale {
		return domain.IfVersion(9)
	}
	return domain.IfVersion(x.state(t).Version)
}

func TestTaskOrder(t *testing.T) {
	t.Parallel()
	var (
		misshapen = fault[taskAttempt]{"misshapen", domain.CodeValidationFailed, func(x *taskAttempt) { x.misshapen = true }}
		missing   = fault[taskAttempt]{"missing", domain.CodeNotFound, func(x *taskAttempt) { x.missing = true }}
		deleted   = fault[taskAttempt]{"deleted", domain.CodeNotFound, func(x *taskAttempt) { x.deleted = true }}
		orphaned  = fault[taskAttempt]{"orphaned", domain.CodeNotFound, func(x *taskAttempt) { x.orphaned = true }}
		lowly     = fault[taskAttempt]{"lowly", domain.CodeInsufficientRole, func(x *taskAttempt) { x.refused = true }}
		strange   = fault[taskAttempt]{"strange", domain.CodeNotYours, func(x *taskAttempt) { x.refused = true }}
		stale     = fault[taskAttempt]{"stale", domain.CodeVersionConflict, func(x *taskAttempt) { x.stale = true }}
		closed    = fault[taskAttempt]{"closed", domain.CodeProjectClosed, func(x *taskAttempt) { x.closed = true }}
		outsider  = fault[taskAttempt]{"outsider", domain.CodeValidationFailed, func(x *taskAttempt) { x.outsider = true }}
	)
	by := func(x taskAttempt, refused domain.Actor) domain.Actor {
		if x.refused {
			return refused
		}
		return actor(4, domain.Member)
	}
	t.Run("create", func(t *testing.T) {
		t.Parallel()
		exists := fault[taskAttempt]{"exists", domain.CodeConcurrentUpdate, func(x *taskAttempt) { x.stale = true }}
		ladder(t, func(t *testing.T, x taskAttempt) ([]domain.Event, error) {
			create := domain.CreateTask{
				ID: taskID, Project: x.project(t), Title: "Survey", Priority: domain.Normal,
				AssigneeID: ptr(person(5)), Assignee: membership(5, domain.Member),
			}
			if x.misshapen {
				create.Priority = ""
			}
			if x.outsider {
				create.Assignee = domain.Membership{}
			}
			return domain.DecideTask(taskAttempt{missing: !x.stale}.state(t), by(x, actor(4, domain.Auditor)), create)
		}, misshapen, orphaned, lowly, closed, exists, outsider)
	})
	t.Run("edit", func(t *testing.T) {
		t.Parallel()
		ladder(t, func(t *testing.T, x taskAttempt) ([]domain.Event, error) {
			edit := domain.EditTask{
				IfMatch: x.match(t), Project: x.project(t), Title: domain.To("Dredge"),
				AssigneeID: domain.To(ptr(person(6))), Assignee: membership(6, domain.Member),
			}
			if x.misshapen {
				edit.Labels = domain.To([]string{"a", "a"})
			}
			if x.outsider {
				edit.Assignee.Active = false
			}
			return domain.DecideTask(x.state(t), by(x, actor(4, domain.Viewer)), edit)
		}, misshapen, missing, deleted, orphaned, lowly, stale, closed, outsider)
	})
	for _, refusal := range []struct {
		fault fault[taskAttempt]
		by    domain.Actor
	}{{strange, actor(5, domain.Member)}, {lowly, actor(4, domain.Viewer)}} {
		t.Run("delete/"+refusal.fault.name, func(t *testing.T) {
			t.Parallel()
			ladder(t, func(t *testing.T, x taskAttempt) ([]domain.Event, error) {
				return domain.DecideTask(x.state(t), by(x, refusal.by),
					domain.DeleteTask{IfMatch: x.match(t), Project: x.project(t)})
			}, missing, deleted, orphaned, refusal.fault, stale, closed)
		})
	}
}
