package domain_test

import (
	"testing"

	"docket/domain"
)

// commentAttempt is a command on a comment, with some faults.
type commentAttempt struct {
	misshapen, missing, deleted, orphaned, dropped, refused, stale, closed bool
}

func (x commentAttempt) state(t *testing.T) domain.Comment {
	t.Helper()
	if x.missing {
		return domain.Comment{}
	}
	events := []domain.Event{commentCreated("Too deep")}
	if x.deleted {
		events = append(events, commentDeleted())
	}
	return fold[domain.Comment](t, comments.stream, comments.author, events...)
}

func (x commentAttempt) task(t *testing.T) domain.Task {
	t.Helper()
	if x.orphaned {
		return surveyed(t, taskDeleted())
	}
	return surveyed(t)
}

func (x commentAttempt) project(t *testing.T) domain.Project {
	t.Helper()
	return taskAttempt{closed: x.closed, orphaned: x.dropped}.project(t)
}

func (x commentAttempt) match(t *testing.T) domain.IfMatch {
	t.Helper()
	if x.stale {
		return domain.IfVersion(9)
	}
	return domain.IfVersion(x.state(t).Version)
}

func (x commentAttempt) by(refused domain.Actor) domain.Actor {
	if x.refused {
		return refused
	}
	return comments.author
}

func TestCommentOrder(t *testing.T) {
	t.Parallel()
	var (
		misshapen = fault[commentAttempt]{"misshapen", domain.CodeValidationFailed, func(x *commentAttempt) { x.misshapen = true }}
		missing   = fault[commentAttempt]{"missing", domain.CodeNotFound, func(x *commentAttempt) { x.missing = true }}
		deleted   = fault[commentAttempt]{"deleted", domain.CodeNotFound, func(x *commentAttempt) { x.deleted = true }}
		orphaned  = fault[commentAttempt]{"task deleted", domain.CodeNotFound, func(x *commentAttempt) { x.orphaned = true }}
		dropped   = fault[commentAttempt]{"project deleted", domain.CodeNotFound, func(x *commentAttempt) { x.dropped = true }}
		lowly     = fault[commentAttempt]{"lowly", domain.CodeInsufficientRole, func(x *commentAttempt) { x.refused = true }}
		strange   = fault[commentAttempt]{"strange", domain.CodeNotYours, func(x *commentAttempt) { x.refused = true }}
		stale     = fault[commentAttempt]{"stale", domain.CodeVersionConflict, func(x *commentAttempt) { x.stale = true }}
		closed    = fault[commentAttempt]{"closed", domain.CodeProjectClosed, func(x *commentAttempt) { x.closed = true }}
	)
	body := func(x commentAttempt) string {
		if x.misshapen {
			return "\x00"
		}
		return "Deep enough"
	}
	t.Run("create", func(t *testing.T) {
		t.Parallel()
		exists := fault[commentAttempt]{"exists", domain.CodeConcurrentUpdate, func(x *commentAttempt) { x.stale = true }}
		ladder(t, func(t *testing.T, x commentAttempt) ([]domain.Event, error) {
			return domain.DecideComment(commentAttempt{missing: !x.stale}.state(t), x.by(actor(7, domain.Auditor)),
				domain.CreateComment{ID: commentID, Task: x.task(t), Project: x.project(t), Body: body(x)})
		}, misshapen, orphaned, dropped, lowly, closed, exists)
	})
	for _, refusal := range []struct {
		fault fault[commentAttempt]
		by    domain.Actor
	}{{strange, actor(4, domain.Member)}, {lowly, actor(7, domain.Viewer)}} {
		t.Run("edit/"+refusal.fault.name, func(t *testing.T) {
			t.Parallel()
			ladder(t, func(t *testing.T, x commentAttempt) ([]domain.Event, error) {
				return domain.DecideComment(x.state(t), x.by(refusal.by),
					domain.EditComment{IfMatch: x.match(t), Task: x.task(t), Project: x.project(t), Body: domain.To(body(x))})
			}, misshapen, missing, deleted, orphaned, dropped, refusal.fault, stale, closed)
		})
		t.Run("delete/"+refusal.fault.name, func(t *testing.T) {
			t.Parallel()
			ladder(t, func(t *testing.T, x commentAttempt) ([]domain.Event, error) {
				return domain.DecideComment(x.state(t), x.by(refusal.by),
					domain.DeleteComment{IfMatch: x.match(t), Task: x.task(t), Project: x.project(t)})
			}, missing, deleted, orphaned, dropped, refusal.fault, stale, closed)
		})
	}
}
