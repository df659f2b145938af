package domain_test

import (
	"strings"
	"testing"

	"docket/domain"

	"github.com/google/go-cmp/cmp"
)

// The owner of the tests' projects is person 1.
var projects = subject[domain.Project, domain.ProjectCommand]{
	stream: domain.Stream(domain.ProjectStream, projectID),
	author: actor(1, domain.Member),
	decide: domain.DecideProject,
}

func projectCreated() domain.ProjectCreated {
	return domain.ProjectCreated{
		ProjectID: projectID, Name: "Quay", Description: ptr("Deepen it"), Visibility: domain.Private,
		DueDate: ptr(domain.Date("2026-12-31")), OwnerID: person(1),
	}
}

func moved(from, to domain.Status) domain.ProjectStatusChanged {
	return domain.ProjectStatusChanged{ProjectID: projectID, Name: "Quay", OwnerID: person(1), From: from, To: to}
}

// approved is moved to approved, of a version of the project.
func approved(version int) domain.ProjectStatusChanged {
	e := moved(domain.Submitted, domain.Approved)
	e.ApprovedVersion = version
	return e
}

func projectDeleted(s domain.Status) domain.ProjectDeleted {
	return domain.ProjectDeleted{ProjectID: projectID, Name: "Quay", OwnerID: person(1), Status: s}
}

// projectIn is the history of a project that moved to a status in one step, which the
// fold accepts.
func projectIn(s domain.Status) []domain.Event {
	events := []domain.Event{projectCreated()}
	if s != domain.Draft {
		events = append(events, moved(domain.Draft, s))
	}
	return events
}

func projectAt(t tester, s domain.Status) domain.Project {
	t.Helper()
	return fold[domain.Project](t, projects.stream, projects.author, projectIn(s)...)
}

func membership(n int, r domain.Role) domain.Membership {
	return domain.Membership{TenantID: tenantID, UserID: person(n), Role: r, Active: true, Version: 1}
}

func TestProjectCreate(t *testing.T) {
	t.Parallel()
	member := actor(1, domain.Member)
	full := domain.CreateProject{
		ID: projectID, Name: "Quay", Description: ptr("Deepen it"), Visibility: domain.Private, DueDate: ptr(domain.Date("2026-12-31")),
	}
	projects.run(t, []scenario[domain.ProjectCommand]{
		{name: "create", by: member, when: full, then: []domain.Event{projectCreated()}},
		{
			name: "create the least", by: member,
			when: domain.CreateProject{ID: projectID, Name: "Q", Visibility: domain.Public},
			then: []domain.Event{domain.ProjectCreated{ProjectID: projectID, Name: "Q", Visibility: domain.Public, OwnerID: person(1)}},
		}, {
			name: "create as viewer", by: actor(1, domain.Viewer), when: full, refused: domain.CodeInsufficientRole,
			with: map[string]any{"required_role": domain.Member, "your_role": domain.Viewer},
		}, {
			name: "create as auditor", by: actor(1, domain.Auditor), when: full, refused: domain.CodeInsufficientRole,
		}, {
			name: "create twice", given: projectIn(domain.Draft), by: member, when: full, refused: domain.CodeConcurrentUpdate,
		}, {
			name: "create what was deleted", given: append(projectIn(domain.Draft), projectDeleted(domain.Draft)),
			by: member, when: full, refused: domain.CodeConcurrentUpdate,
		}, {
			name: "create with everything wrong, as viewer, twice", given: projectIn(domain.Draft), by: actor(1, domain.Viewer),
			when: domain.CreateProject{
				ID: projectID, Description: ptr(strings.Repeat("d", 4001)), Visibility: "hidden", DueDate: ptr(domain.Date("soon")),
			},
			refused: domain.CodeValidationFailed, at: "/name /description /visibility /due_date",
		},
	})
}

func TestProjectEdit(t *testing.T) {
	t.Parallel()
	own, manager := actor(1, domain.Member), actor(2, domain.Manager)
	updated := func(name string, owner int, changes ...domain.Change) []domain.Event {
		return []domain.Event{domain.ProjectUpdated{ProjectID: projectID, Name: name, OwnerID: person(owner), Changes: changes}}
	}
	rename := domain.EditProject{Name: domain.To("Mole")}
	renamed := domain.Change{Field: "name", From: []byte(`"Quay"`), To: []byte(`"Mole"`)}
	handOver := func(to int, m domain.Membership) domain.EditProject {
		return domain.EditProject{OwnerID: domain.To(person(to)), NewOwner: m}
	}
	gone := membership(5, domain.Member)
	gone.Active = false
	projects.run(t, []scenario[domain.ProjectCommand]{
		{
			name: "everything at once", given: projectIn(domain.Draft), by: own,
			when: domain.EditProject{
				IfMatch: domain.IfVersion(1), Name: domain.To("Mole"), Description: domain.To(ptr("")),
				Visibility: domain.To(domain.Public), DueDate: domain.To(ptr(domain.Date("2027-01-01"))),
				OwnerID: domain.To(person(5)), NewOwner: membership(5, domain.Member),
			},
			then: updated("Mole", 5, renamed,
				domain.Change{Field: "description", From: []byte(`"Deepen it"`), To: []byte(`""`)},
				domain.Change{Field: "visibility", From: []byte(`"private"`), To: []byte(`"public"`)},
				domain.Change{Field: "due_date", From: []byte(`"2026-12-31"`), To: []byte(`"2027-01-01"`)},
				domain.Change{Field: "owner_id", From: []byte(`"` + person(1).String() + `"`), To: []byte(`"` + person(5).String() + `"`)}),
		}, {
			name: "null clears", given: projectIn(domain.Draft), by: own,
			when: domain.EditProject{Description: domain.To[*string](nil), DueDate: domain.To[*domain.Date](nil)},
			then: updated("Quay", 1,
				domain.Change{Field: "description", From: []byte(`"Deepen it"`), To: []byte(`null`)},
				domain.Change{Field: "due_date", From: []byte(`"2026-12-31"`), To: []byte(`null`)}),
		}, {
			name: "null doesn't clear what is needed", given: projectIn(domain.Draft), by: own,
			when:    domain.EditProject{Name: domain.To(""), Visibility: domain.To(domain.Visibility(""))},
			refused: domain.CodeValidationFailed, at: "/name /visibility",
		}, {
			name: "null isn't an owner", given: projectIn(domain.Draft), by: own,
			when:    domain.EditProject{OwnerID: domain.To(domain.UserID{})},
			refused: domain.CodeValidationFailed, at: "/owner_id",
		},
		{name: "nothing", given: projectIn(domain.Draft), by: own, when: domain.EditProject{}},
		{
			name: "to what it is", given: projectIn(domain.Draft), by: own,
			when: domain.EditProject{Name: domain.To("Quay"), Description: domain.To(ptr("Deepen it")), OwnerID: domain.To(person(1))},
		},
		{name: "one's own rejected", given: projectIn(domain.Rejected), by: own, when: rename, then: updated("Mole", 1, renamed)},
		{
			name: "one's own active", given: projectIn(domain.Active), by: own, when: rename, refused: domain.CodeInsufficientRole,
			with: map[string]any{"required_role": domain.Manager, "your_role": domain.Member},
		},
		{name: "another's", given: projectIn(domain.Draft), by: actor(2, domain.Member), when: rename, refused: domain.CodeNotYours},
		{name: "another's active", given: projectIn(domain.Active), by: actor(2, domain.Member), when: rename, refused: domain.CodeNotYours},
		{name: "another's closed", given: projectIn(domain.Completed), by: actor(2, domain.Member), when: rename, refused: domain.CodeNotYours},
		{name: "one's own closed", given: projectIn(domain.Completed), by: own, when: rename, refused: domain.CodeProjectClosed},
		{
			name: "one's own closed, since made a viewer", given: projectIn(domain.Completed), by: actor(1, domain.Viewer),
			when: rename, refused: domain.CodeInsufficientRole,
		},
		{name: "any as manager", given: projectIn(domain.OnHold), by: manager, when: rename, then: updated("Mole", 1, renamed)},
		{
			name: "closed as manager", given: projectIn(domain.Archived), by: manager, when: rename,
			refused: domain.CodeProjectClosed, with: map[string]any{"current_status": domain.Archived},
		},
		{name: "closed, though nothing would change", given: projectIn(domain.Cancelled), by: manager, when: domain.EditProject{}, refused: domain.CodeProjectClosed},
		{name: "to a viewer", given: projectIn(domain.Draft), by: own, when: handOver(5, membership(5, domain.Viewer)), refused: domain.CodeValidationFailed, at: "/owner_id"},
		{name: "to an auditor", given: projectIn(domain.Draft), by: own, when: handOver(5, membership(5, domain.Auditor)), refused: domain.CodeValidationFailed, at: "/owner_id"},
		{name: "to a stranger", given: projectIn(domain.Draft), by: own, when: handOver(5, domain.Membership{}), refused: domain.CodeValidationFailed, at: "/owner_id"},
		{name: "to one who left", given: projectIn(domain.Draft), by: own, when: handOver(5, gone), refused: domain.CodeValidationFailed, at: "/owner_id"},
		{name: "to one by another's membership", given: projectIn(domain.Draft), by: own, when: handOver(5, membership(6, domain.Member)), refused: domain.CodeValidationFailed, at: "/owner_id"},
		{
			name: "by one who became its owner", by: actor(5, domain.Member), when: rename,
			given: append(projectIn(domain.Draft), updated("Quay", 5,
				domain.Change{Field: "owner_id", From: []byte(`null`), To: []byte(`"` + person(5).String() + `"`)})...),
			then: updated("Mole", 5, renamed),
		}, {
			name: "by its creator after handing it over", by: own, when: rename,
			given: append(projectIn(domain.Draft), updated("Quay", 5,
				domain.Change{Field: "owner_id", From: []byte(`null`), To: []byte(`"` + person(5).String() + `"`)})...),
			refused: domain.CodeNotYours,
		},
	})
}

func TestProjectDelete(t *testing.T) {
	t.Parallel()
	owner := actor(3, domain.Owner)
	projects.run(t, []scenario[domain.ProjectCommand]{
		{
			name: "delete", given: projectIn(domain.Active), by: owner,
			when: domain.DeleteProject{IfMatch: domain.IfVersion(2)}, then: []domain.Event{projectDeleted(domain.Active)},
		}, {
			name: "delete twice", given: append(projectIn(domain.Draft), projectDeleted(domain.Draft)), by: owner,
			when: domain.DeleteProject{}, refused: domain.CodeNotFound,
		}, {
			name: "delete nothing", by: owner, when: domain.DeleteProject{}, refused: domain.CodeNotFound,
		}, {
			name: "one's own draft as member", given: projectIn(domain.Draft), by: actor(1, domain.Member),
			when: domain.DeleteProject{}, refused: domain.CodeInsufficientRole,
			with: map[string]any{"required_role": domain.Manager},
		}, {
			name: "active as manager", given: projectIn(domain.Active), by: actor(2, domain.Manager),
			when: domain.DeleteProject{}, refused: domain.CodeInsufficientRole,
			with: map[string]any{"required_role": domain.Owner, "your_role": domain.Manager},
		}, {
			name: "stale", given: projectIn(domain.Draft), by: owner,
			when: domain.DeleteProject{IfMatch: domain.IfVersion(2)}, refused: domain.CodeVersionConflict,
		},
	})
	// API.md: an owner any, a manager in draft, rejected and cancelled.
	manager := map[domain.Status]bool{domain.Draft: true, domain.Rejected: true, domain.Cancelled: true}
	for _, s := range domain.Statuses() {
		p := projectAt(t, s.Name)
		if _, err := domain.DecideProject(p, owner, domain.DeleteProject{}); err != nil {
			t.Errorf("owner, %s: %v", s.Name, err)
		}
		if _, err := domain.DecideProject(p, actor(1, domain.Manager), domain.DeleteProject{}); (err == nil) != manager[s.Name] {
			t.Errorf("manager, %s: %v", s.Name, err)
		}
	}
}

// SubmittedBy is the actor of the last submission.
func TestProjectSubmittedBy(t *testing.T) {
	t.Parallel()
	p := projectAt(t, domain.Draft)
	for i, step := range []struct {
		by   int
		to   domain.Status
		want domain.UserID
	}{
		{2, domain.Submitted, person(2)}, {3, domain.Rejected, person(2)}, {1, domain.Draft, person(2)},
		{1, domain.Submitted, person(1)}, {4, domain.Approved, person(1)},
	} {
		var err error
		if p, err = p.Evolve(record(t, projects.stream, i+2, actor(step.by, domain.Owner), moved(p.Status, step.to))); err != nil {
			t.Fatal(err)
		}
		if p.SubmittedBy != step.want {
			t.Errorf("after step %d, to %s, SubmittedBy is %s, want %s", i, step.to, p.SubmittedBy, step.want)
		}
	}
	if !projectAt(t, domain.Draft).SubmittedBy.IsZero() {
		t.Error("somebody submitted a draft")
	}
}

// With four eyes, an edit takes an approved project back to submitted in the same Commit;
// without, its event says that it came after the approval. Other statuses stay.
func TestEditAfterApproval(t *testing.T) {
	t.Parallel()
	manager := actor(5, domain.Manager)
	for _, s := range domain.Statuses() {
		p := projectAt(t, s.Name)
		if s.Closed {
			continue
		}
		for _, fourEyes := range []bool{false, true} {
			got, err := domain.DecideProject(p, manager, domain.EditProject{Name: domain.To("Mole"), FourEyes: fourEyes})
			update := domain.ProjectUpdated{ProjectID: projectID, Name: "Mole", OwnerID: person(1),
				Changes:       []domain.Change{{Field: "name", From: []byte(`"Quay"`), To: []byte(`"Mole"`)}},
				AfterApproval: s.Name == domain.Approved && !fourEyes,
			}
			want := []domain.Event{update}
			if s.Name == domain.Approved && fourEyes {
				back := moved(domain.Approved, domain.Submitted)
				back.Name, back.AfterEdit = "Mole", true
				want = append(want, back)
			}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s, four eyes %v: %v, events (-want +got):\n%s", s.Name, fourEyes, err, diff)
			}
			if none, err := domain.DecideProject(p, manager, domain.EditProject{Name: domain.To("Quay"), FourEyes: fourEyes}); none != nil || err != nil {
				t.Errorf("%s, four eyes %v: an edit that changes nothing gives %v, %v", s.Name, fourEyes, none, err)
			}
		}
	}
}

// With four eyes, no user approves what they wrote: not the submitter, nor an editor of
// what was submitted, until it is submitted again.
func TestFourEyesOfEditors(t *testing.T) {
	t.Parallel()
	p, version := projectAt(t, domain.Draft), 1
	step := func(by int, c domain.ProjectCommand, want domain.Code) {
		t.Helper()
		events, err := domain.DecideProject(p, actor(by, domain.Manager), c)
		if err != nil && domain.CodeOf(err) != want || err == nil && want != "" {
			t.Fatalf("%+v by %d: %v, want %q", c, by, err, want)
		}
		for _, e := range events {
			version++
			if p, err = p.Evolve(record(t, projects.stream, version, actor(by, domain.Manager), e)); err != nil {
				t.Fatal(err)
			}
		}
	}
	edit := func(name string) domain.EditProject { return domain.EditProject{Name: domain.To(name), FourEyes: true} }
	move := func(to domain.Status) domain.MoveProject { return domain.MoveProject{To: to, FourEyes: true} }

	step(4, edit("of a draft"), "")
	step(1, move(domain.Submitted), "")
	step(2, edit("of the submitted"), "")
	step(1, move(domain.Approved), domain.CodeNotYours)
	step(2, move(domain.Approved), domain.CodeNotYours)
	step(4, move(domain.Approved), "")
	step(3, edit("of the approved"), "")
	if p.Status != domain.Submitted {
		t.Fatalf("edited after the approval, the project is %s", p.Status)
	}
	for _, by := range []int{1, 2, 3} {
		step(by, move(domain.Approved), domain.CodeNotYours)
	}
	step(1, move(domain.Draft), "")
	step(4, move(domain.Submitted), "")
	step(4, move(domain.Approved), domain.CodeNotYours)
	step(3, move(domain.Approved), "")
}

func TestProjectFold(t *testing.T) {
	t.Parallel()
	got := fold[domain.Project](t, projects.stream, projects.author,
		projectCreated(),
		domain.ProjectUpdated{ProjectID: projectID, Name: "Mole", OwnerID: person(5), Changes: []domain.Change{
			{Field: "description", From: []byte(`"Deepen it"`), To: []byte(`null`)},
			{Field: "name", From: []byte(`"Quay"`), To: []byte(`"Mole"`)},
			{Field: "visibility", From: []byte(`"private"`), To: []byte(`"public"`)},
			{Field: "owner_id", From: []byte(`null`), To: []byte(`"` + person(5).String() + `"`)},
		}},
		moved(domain.Draft, domain.Cancelled),
		projectDeleted(domain.Cancelled),
	)
	want := domain.Project{
		ID: projectID, Name: "Mole", Status: domain.Cancelled, Visibility: domain.Public,
		DueDate: ptr(domain.Date("2026-12-31")), OwnerID: person(5), CreatedBy: person(1),
		CreatedAt: moment(1), UpdatedAt: moment(4), Deleted: true, Version: 4,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}
