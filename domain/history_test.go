package domain_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"docket/domain"

	"pgregory.net/rapid"
)

// history is one tenant's log as random commands write it, with the folded state of
// every aggregate.
type history struct {
	log      []domain.Recorded
	versions map[domain.StreamID]int

	tenant   domain.Tenant
	members  map[int]domain.Membership
	projects []domain.Project
	tasks    []domain.Task
	comments []domain.Comment
	// names are the users with their versions, which are in the platform's log.
	names map[int]domain.User
	// wrote are the users who wrote what was last submitted of each project.
	wrote map[domain.ProjectID]map[domain.UserID]bool
}

// refusals are the codes with which each type of stream may refuse a command.
var refusals = map[domain.StreamType][]domain.Code{
	domain.TenantStream: {
		domain.CodeValidationFailed, domain.CodeNotFound, domain.CodeInsufficientRole, domain.CodeVersionConflict, domain.CodeSlugTaken,
	},
	domain.MemberStream: {domain.CodeTenantAccessDenied,
		domain.CodeValidationFailed, domain.CodeNotFound, domain.CodeInsufficientRole, domain.CodeVersionConflict,
		domain.CodeAlreadyMember, domain.CodeLastOwner,
	},
	domain.ProjectStream: {
		domain.CodeValidationFailed, domain.CodeNotFound, domain.CodeNotYours, domain.CodeInsufficientRole,
		domain.CodeVersionConflict, domain.CodeProjectClosed, domain.CodeInvalidTransition,
	},
	domain.TaskStream: {
		domain.CodeValidationFailed, domain.CodeNotFound, domain.CodeNotYours, domain.CodeInsufficientRole,
		domain.CodeVersionConflict, domain.CodeProjectClosed,
	},
	domain.CommentStream: {
		domain.CodeValidationFailed, domain.CodeNotFound, domain.CodeNotYours, domain.CodeInsufficientRole,
		domain.CodeVersionConflict, domain.CodeProjectClosed,
	},
}

// editedBack reports whether the events are the only ones of which one command has two.
func editedBack(events []domain.Event) bool {
	if len(events) != 2 {
		return false
	}
	_, edit := events[0].(domain.ProjectUpdated)
	back, move := events[1].(domain.ProjectStatusChanged)
	return edit && move && back.AfterEdit
}

// decided records a decision's events and folds them into the aggregate's state.
func decided[S evolver[S]](t *rapid.T, h *history, stream domain.StreamID, by domain.Actor, state S, events []domain.Event, err error) S {
	t.Helper()
	if err != nil {
		var refusal *domain.Error
		if !errors.As(err, &refusal) || !slices.Contains(refusals[stream.Type], refusal.Code) || events != nil {
			t.Fatalf("%s: refused with %v, but has the events %v", stream, err, events)
		}
		return state
	}
	if len(events) > 1 && !editedBack(events) {
		t.Fatalf("%s: one command, the events %+v", stream, events)
	}
	for _, e := range events {
		seq := len(h.log) + 1
		h.versions[stream]++
		r := domain.Recorded{
			Tenant: tenantID, Seq: int64(seq), Stream: stream, Version: h.versions[stream],
			At: epoch.Add(time.Duration(seq) * time.Microsecond), Actor: by.ID, Event: stored(t, e),
		}
		checkEvent(t, h, by, r)
		if state, err = state.Evolve(r); err != nil {
			t.Fatalf("%s: the fold refuses %+v: %v", stream, e, err)
		}
		h.log = append(h.log, r)
	}
	return state
}

// checkEvent checks an event, before it is folded, against the rules that hold for
// all commands.
func checkEvent(t *rapid.T, h *history, by domain.Actor, r domain.Recorded) {
	t.Helper()
	d, data, err := domain.Encode(r.Event)
	if err != nil || d.Stream != r.Stream.Type || len(data) > 48<<10 {
		t.Fatalf("%s in %s: %d octets, %v", d.Type, r.Stream, len(data), err)
	}
	if gone, leaves := r.Event.(domain.MemberLeft); by.Role == domain.Viewer || by.Role == domain.Auditor {
		if !leaves || gone.UserID != by.ID {
			t.Fatalf("the role %s has no right to %+v", by.Role, r.Event)
		}
	}
	var project domain.ProjectID
	switch e := r.Event.(type) {
	case domain.ProjectStatusChanged:
		p := h.project(e.ProjectID)
		_, ok := domain.FindTransition(p.Status, e.To)
		if e.AfterEdit {
			ok = h.tenant.FourEyes && e.From == domain.Approved && e.To == domain.Submitted
		}
		if !ok || e.From != p.Status {
			t.Fatalf("%s → %s isn't in the table; the project was %s", e.From, e.To, p.Status)
		}
		if h.tenant.FourEyes && e.To == domain.Approved && h.wrote[e.ProjectID][by.ID] {
			t.Fatalf("%s approved what they wrote themselves", by.Name)
		}
		if e.To == domain.Submitted && !e.AfterEdit {
			h.wrote[e.ProjectID] = map[domain.UserID]bool{by.ID: true}
		}
	case domain.ProjectUpdated:
		project = e.ProjectID
		if s := h.project(project).Status; s == domain.Submitted || s == domain.Approved && h.tenant.FourEyes {
			h.wrote[project][by.ID] = true
		}
	case domain.TaskCreated:
		project = e.ProjectID
	case domain.TaskUpdated:
		project = e.ProjectID
	case domain.TaskDeleted:
		project = e.ProjectID
	case domain.CommentCreated:
		project = e.ProjectID
		h.checkMentions(t, e.Mentions)
	case domain.CommentUpdated:
		project = e.ProjectID
		h.checkMentions(t, e.Mentions)
		if c := h.comment(e.CommentID); c.AuthorID != by.ID {
			t.Fatalf("%s changed a comment by %s", by.Name, c.AuthorID)
		}
	case domain.CommentDeleted:
		project = e.ProjectID
	}
	if p := h.project(project); !project.IsZero() && (p.Status.Closed() || p.Deleted || p.Version == 0) {
		t.Fatalf("%+v was written to a project that is %s, deleted: %v", r.Event, p.Status, p.Deleted)
	}
}

func (h *history) project(id domain.ProjectID) domain.Project {
	for _, p := range h.projects {
		if p.ID == id {
			return p
		}
	}
	return domain.Project{}
}

func (h *history) comment(id domain.CommentID) domain.Comment {
	for _, c := range h.comments {
		if c.ID == id {
			return c
		}
	}
	return domain.Comment{}
}

func (h *history) checkMentions(t *rapid.T, mentions []domain.UserID) {
	t.Helper()
	for _, u := range mentions {
		active := false
		for n, m := range h.members {
			active = active || m.Active && person(n) == u
		}
		if !active {
			t.Fatalf("%s was mentioned and is no member", u)
		}
	}
}

func (h *history) owners() (n int) {
	for _, m := range h.members {
		if m.Active && m.Role == domain.Owner {
			n++
		}
	}
	return n
}

func TestHistoriesKeepTheRules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := found(t)
		commands := []func(*rapid.T){
			h.editTenant, h.beginMembership, h.changeMembership, h.renameUser, h.carryName,
			h.createProject, h.editProject, h.moveProject, h.moveProject, h.deleteProject,
			h.createTask, h.createTask, h.editTask, h.editTask, h.deleteTask,
			h.createComment, h.createComment, h.editComment, h.editComment, h.deleteComment,
		}
		for range rapid.SampledFrom([]int{5, 20, 100, 250}).Draw(t, "commands") {
			rapid.SampledFrom(commands).Draw(t, "command")(t)
			h.check(t)
		}
		h.checkFolds(t)
	})
}

// check checks what must hold between any two commands.
func (h *history) check(t *rapid.T) {
	if h.owners() == 0 {
		t.Fatal("the tenant has no owner")
	}
	for i, r := range h.log {
		if r.Seq != int64(i+1) {
			t.Fatalf("event %d has the seq %d", i+1, r.Seq)
		}
	}
	for _, p := range h.projects {
		if !p.Status.Known() || p.Version != h.versions[domain.Stream(domain.ProjectStream, p.ID)] {
			t.Fatalf("%+v", p)
		}
	}
}

// checkFolds folds every stream again, in two parts, and compares.
func (h *history) checkFolds(t *rapid.T) {
	checkFoldOf(t, h, domain.Stream(domain.TenantStream, tenantID), h.tenant)
	for n, m := range h.members {
		checkFoldOf(t, h, domain.Stream(domain.MemberStream, person(n)), m)
	}
	for _, p := range h.projects {
		checkFoldOf(t, h, domain.Stream(domain.ProjectStream, p.ID), p)
	}
	for _, task := range h.tasks {
		checkFoldOf(t, h, domain.Stream(domain.TaskStream, task.ID), task)
	}
	for _, c := range h.comments {
		checkFoldOf(t, h, domain.Stream(domain.CommentStream, c.ID), c)
	}
}

func checkFoldOf[S evolver[S]](t *rapid.T, h *history, stream domain.StreamID, want S) {
	t.Helper()
	var events []domain.Recorded
	for _, r := range h.log {
		if r.Stream != stream {
			continue
		}
		if events = append(events, r); r.Version != len(events) {
			t.Fatalf("%s: event %d has the version %d", stream, len(events), r.Version)
		}
	}
	split := rapid.IntRange(0, len(events)).Draw(t, "split of "+stream.String())
	var start S
	half := foldFrom(t, start, events[:split])
	kept := snapshot(t, half)
	for range 2 {
		if got := snapshot(t, foldFrom(t, half, events[split:])); got != snapshot(t, want) {
			t.Fatalf("%s: folded in two parts at %d:\n%s\nwant, folded event by event:\n%s", stream, split, got, snapshot(t, want))
		}
		if snapshot(t, half) != kept {
			t.Fatalf("%s: a fold changed the state that it started from", stream)
		}
	}
}

// foldFrom folds events, each decoded again, on a state.
func foldFrom[S evolver[S]](t *rapid.T, s S, events []domain.Recorded) S {
	t.Helper()
	for _, r := range events {
		r.Event = stored(t, r.Event)
		var err error
		if s, err = s.Evolve(r); err != nil {
			t.Fatal(err)
		}
	}
	return s
}
