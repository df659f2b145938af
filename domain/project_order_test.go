package domain_test

import (
	"testing"

	"docket/domain"
)

// projectAttempt is a command on a project, with some faults.
type projectAttempt struct {
	misshapen, missing, deleted, strange, lowly, stale, closed, outsider bool
}

// state is the project of person 1, an active one.
func (x projectAttempt) state(t *testing.T) domain.Project {
	t.Helper()
	if x.missing {
		return domain.Project{}
	}
	events := projectIn(domain.Active)
	if x.closed {
		events = append(events, moved(domain.Active, domain.Completed))
	}
	if x.deleted {
		events = append(events, projectDeleted(domain.Active))
	}
	return fold[domain.Project](t, projects.stream, projects.author, events...)
}

// match is met by every version, unless the attempt is stale.
func (x projectAttempt) match(t *testing.T) domain.IfMatch {
	t.Helper()
	if x.stale {
		return domain.IfVersion(1)
	}
	return domain.IfVersion(x.state(t).Version)
}

// by is the manager, unless role or ownership is a fault.
func (x projectAttempt) by() domain.Actor {
	switch {
	case x.strange:
		return actor(7, domain.Member)
	case x.lowly:
		return actor(1, domain.Viewer)
	}
	return actor(2, domain.Manager)
}

// The faults, in the contract's order.
var (
	projectMisshapen = fault[projectAttempt]{"misshapen", domain.CodeValidationFailed, func(x *projectAttempt) { x.misshapen = true }}
	projectMissing   = fault[projectAttempt]{"missing", domain.CodeNotFound, func(x *projectAttempt) { x.missing = true }}
	projectGone      = fault[projectAttempt]{"deleted", domain.CodeNotFound, func(x *projectAttempt) { x.deleted = true }}
	projectStrange   = fault[projectAttempt]{"strange", domain.CodeNotYours, func(x *projectAttempt) { x.strange = true }}
	projectLowly     = fault[projectAttempt]{"lowly", domain.CodeInsufficientRole, func(x *projectAttempt) { x.lowly = true }}
	projectStale     = fault[projectAttempt]{"stale", domain.CodeVersionConflict, func(x *projectAttempt) { x.stale = true }}
	projectClosed    = fault[projectAttempt]{"closed", domain.CodeProjectClosed, func(x *projectAttempt) { x.closed = true }}
	projectOutsider  = fault[projectAttempt]{"outsider", domain.CodeValidationFailed, func(x *projectAttempt) { x.outsider = true }}
)

func TestProjectOrder(t *testing.T) {
	t.Parallel()
	for _, refusedTo := range []fault[projectAttempt]{projectStrange, projectLowly} {
		t.Run("edit/"+refusedTo.name, func(t *testing.T) {
			t.Parallel()
			ladder(t, func(t *testing.T, x projectAttempt) ([]domain.Event, error) {
				edit := domain.EditProject{
					IfMatch: x.match(t), Name: domain.To("Mole"),
					OwnerID: domain.To(person(5)), NewOwner: membership(5, domain.Member),
				}
				if x.misshapen {
					edit.Name = domain.To("\x00")
				}
				if x.outsider {
					edit.NewOwner = domain.Membership{}
				}
				return domain.DecideProject(x.state(t), x.by(), edit)
			}, projectMisshapen, projectMissing, projectGone, refusedTo, projectStale, projectClosed, projectOutsider)
		})
		t.Run("move/"+refusedTo.name, func(t *testing.T) {
			t.Parallel()
			invalid := fault[projectAttempt]{"not in the table", domain.CodeInvalidTransition, func(x *projectAttempt) { x.outsider = true }}
			ladder(t, func(t *testing.T, x projectAttempt) ([]domain.Event, error) {
				move := domain.MoveProject{IfMatch: x.match(t), To: domain.OnHold}
				if x.outsider {
					move.To = domain.Draft
				}
				if x.misshapen {
					move.To = "paused"
				}
				return domain.DecideProject(x.state(t), x.by(), move)
			}, projectMisshapen, projectMissing, projectGone, refusedTo, projectStale, invalid)
		})
	}
	t.Run("delete", func(t *testing.T) {
		t.Parallel()
		ladder(t, func(t *testing.T, x projectAttempt) ([]domain.Event, error) {
			by := actor(3, domain.Owner)
			if x.lowly {
				by = actor(1, domain.Manager)
			}
			return domain.DecideProject(x.state(t), by, domain.DeleteProject{IfMatch: x.match(t)})
		}, projectMissing, projectGone, projectLowly, projectStale)
	})
	t.Run("create", func(t *testing.T) {
		t.Parallel()
		exists := fault[projectAttempt]{"exists", domain.CodeConcurrentUpdate, func(x *projectAttempt) { x.closed = true }}
		ladder(t, func(t *testing.T, x projectAttempt) ([]domain.Event, error) {
			create := domain.CreateProject{ID: projectID, Name: "Quay", Visibility: domain.Private}
			if x.misshapen {
				create.Visibility = ""
			}
			by := actor(1, domain.Member)
			if x.lowly {
				by.Role = domain.Auditor
			}
			return domain.DecideProject(projectAttempt{missing: !x.closed}.state(t), by, create)
		}, projectMisshapen, projectLowly, exists)
	})
}

func TestProjectOrderUsesAStaleVersion(t *testing.T) {
	t.Parallel()
	for _, x := range []projectAttempt{{}, {closed: true}, {deleted: true}} {
		if x.state(t).Version == 1 {
			t.Errorf("%+v has the version that stale attempts use", x)
		}
	}
}
