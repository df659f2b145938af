package domain_test

import (
	"fmt"
	"strings"

	"docket/domain"

	"pgregory.net/rapid"
)

// people is how many persons the random histories have.
const people = 6

// sometimes draws an invalid value now and then, and a valid one otherwise, so that
// most commands pass the checks of their fields.
func sometimes[T any](wrong T, right ...T) *rapid.Generator[T] {
	return rapid.Custom(func(t *rapid.T) T {
		if rapid.IntRange(0, 19).Draw(t, "wrong") == 13 {
			return wrong
		}
		return rapid.SampledFrom(right).Draw(t, "right")
	})
}

// Values to draw from, valid and invalid.
var (
	someTexts    = sometimes("a\x00", "Quay", "Mole", "<&>", "漢字\n\u2028", `\u2028"`, strings.Repeat("é", 200))
	someLongs    = sometimes(ptr("\x07"), nil, ptr(""), ptr("By boat"), ptr(strings.Repeat("🚢", 4000)), ptr(strings.Repeat("\u2029", 4000)))
	someDates    = sometimes(ptr(domain.Date("0000-01-01")), nil, ptr(domain.Date("2026-12-01")), ptr(domain.Date("2027-01-01")))
	someLabels   = sometimes([]string{"sea", "sea"}, nil, []string{}, []string{"sea"}, []string{"sea", "bed"})
	someRoles    = sometimes("king", domain.Roles()...)
	someVisible  = sometimes("", domain.Private, domain.Public)
	someOpen     = sometimes("ajar", domain.RegistrationOpen, domain.RegistrationClosed)
	someStatuses = sometimes("later", domain.Todo, domain.InProgress, domain.Done)
	someUrgency  = sometimes("asap", domain.Low, domain.Normal, domain.High, domain.Urgent)
	someChannel  = sometimes("pigeon", domain.ChannelInApp, domain.ChannelEmail, domain.ChannelSlack)
	someAddress  = sometimes(ptr("port"), nil, ptr("port@example.org"))
	someWebhook  = rapid.SampledFrom([]*domain.SecretID{nil, ptr(webhookID)})
	somePerson   = rapid.IntRange(1, people)
)

// edit draws a member of a partial update: absent, or one of the values.
func edit[T any](t *rapid.T, name string, values *rapid.Generator[T]) domain.Edit[T] {
	if !rapid.Bool().Draw(t, name+" is there") {
		return domain.Edit[T]{}
	}
	return domain.To(values.Draw(t, name))
}

// match draws a condition that usually is met.
func match(t *rapid.T, version int) domain.IfMatch {
	met := []domain.IfMatch{{}, domain.IfVersion(version), domain.IfVersion(version-1, version)}
	return sometimes(domain.IfVersion(version+1), met...).Draw(t, "If-Match")
}

// anyone draws the actor: a member with their role, or a former member.
func (h *history) anyone(t *rapid.T) domain.Actor {
	n := rapid.SampledFrom([]int{1, 1, 1, 2, 2, 3, 3, 4, 5, 6}).Draw(t, "actor")
	if m := h.members[n]; m.Active {
		return actor(n, m.Role)
	}
	return actor(n, "")
}

// found is a history in which person 1 has founded the tenant and added others.
func found(t *rapid.T) *history {
	h := &history{versions: map[domain.StreamID]int{}, members: map[int]domain.Membership{}, names: map[int]domain.User{},
		wrote: map[domain.ProjectID]map[domain.UserID]bool{}}
	stream := domain.Stream(domain.TenantStream, tenantID)
	var system domain.Actor
	events, err := domain.DecideTenant(h.tenant, system, domain.CreateTenant{
		Name: "Harbour", Slug: "harbour", Registration: domain.RegistrationOpen, AwaitsFounder: true,
	})
	h.tenant = decided(t, h, stream, system, h.tenant, events, err)
	role, err := h.tenant.Admits()
	if err != nil || role != domain.Owner {
		t.Fatalf("the founder is admitted as %q, %v", role, err)
	}
	h.join(t, 1, system, domain.JoinTenant{User: user(1), Role: role})
	events, err = domain.DecideTenant(h.tenant, system, domain.FoundTenant{Founder: person(1)})
	h.tenant = decided(t, h, stream, system, h.tenant, events, err)
	for i, r := range []domain.Role{domain.Manager, domain.Member, domain.Member, domain.Viewer} {
		h.join(t, i+2, actor(1, domain.Owner), domain.AddMember{User: user(i + 2), Role: r})
	}
	return h
}

func user(n int) domain.User {
	return domain.User{ID: person(n), Email: fmt.Sprintf("p%d@example.org", n), Name: fmt.Sprintf("Person %d", n), Version: 1}
}

func (h *history) join(t *rapid.T, n int, by domain.Actor, c domain.MembershipCommand) {
	events, err := domain.DecideMembership(h.members[n], by, c)
	h.members[n] = decided(t, h, domain.Stream(domain.MemberStream, person(n)), by, h.members[n], events, err)
}

func (h *history) editTenant(t *rapid.T) {
	by := h.anyone(t)
	c := domain.EditTenant{
		IfMatch: match(t, h.tenant.Version), Name: edit(t, "name", someTexts), DefaultRole: edit(t, "default role", someRoles),
		Registration: edit(t, "registration", someOpen), Channel: edit(t, "channel", someChannel),
		EmailFrom: edit(t, "e-mail from", someAddress), SlackWebhook: edit(t, "slack", someWebhook),
		FourEyes: edit(t, "four eyes", rapid.Bool()), RequireVerifiedEmail: edit(t, "verified e-mail", rapid.Bool()),
	}
	events, err := domain.DecideTenant(h.tenant, by, c)
	before := h.tenant
	h.tenant = decided(t, h, domain.Stream(domain.TenantStream, tenantID), by, h.tenant, events, err)
	if err == nil {
		took(t, "name", before.Name, h.tenant.Name, c.Name)
		took(t, "registration", before.Registration, h.tenant.Registration, c.Registration)
		took(t, "default role", before.DefaultRole, h.tenant.DefaultRole, c.DefaultRole)
		took(t, "channel", before.Channel, h.tenant.Channel, c.Channel)
		took(t, "e-mail from", before.EmailFrom, h.tenant.EmailFrom, c.EmailFrom)
		took(t, "slack", before.SlackWebhook, h.tenant.SlackWebhook, c.SlackWebhook)
		took(t, "four eyes", before.FourEyes, h.tenant.FourEyes, c.FourEyes)
		took(t, "verified e-mail", before.RequireVerifiedEmail, h.tenant.RequireVerifiedEmail, c.RequireVerifiedEmail)
	}
	if h.tenant.Channel == domain.ChannelSlack && h.tenant.SlackWebhook == nil {
		t.Fatal("slack is the default channel, and has no address")
	}
}

// took fails unless a field has the value of a partial update.
func took[T any](t *rapid.T, name string, before, after T, e domain.Edit[T]) {
	if want := snapshot(t, e.Or(before)); snapshot(t, after) != want {
		t.Fatalf("%s is %s after the edit, want %s", name, snapshot(t, after), want)
	}
}

func (h *history) beginMembership(t *rapid.T) {
	n := somePerson.Draw(t, "user")
	if rapid.Bool().Draw(t, "by themselves") {
		if role, err := h.tenant.Admits(); err == nil {
			h.join(t, n, domain.Actor{}, domain.JoinTenant{User: h.user(n), Role: role})
		}
		return
	}
	h.join(t, n, h.anyone(t), domain.AddMember{User: h.user(n), Role: someRoles.Draw(t, "role")})
}

func (h *history) changeMembership(t *rapid.T) {
	n := somePerson.Draw(t, "member")
	m := h.members[n]
	stays := h.owners() > 1 || h.owners() == 1 && m.Role != domain.Owner
	var c domain.MembershipCommand = domain.RemoveMember{IfMatch: match(t, m.Version), OwnerStays: stays}
	if rapid.Bool().Draw(t, "stays") {
		c = domain.ChangeRole{IfMatch: match(t, m.Version), Role: edit(t, "role", someRoles), OwnerStays: stays}
	}
	h.join(t, n, h.anyone(t), c)
}

// renameUser changes a name in the platform's log, which isn't part of the history.
func (h *history) renameUser(t *rapid.T) {
	n := somePerson.Draw(t, "user")
	u := h.user(n)
	events, err := domain.DecideUser(u, domain.RenameUser{Name: edit(t, "name", someTexts)})
	if err != nil && domain.CodeOf(err) != domain.CodeValidationFailed {
		t.Fatal(err)
	}
	for _, e := range events {
		u.Version++
		if u, err = u.Evolve(domain.Recorded{Version: u.Version, Event: stored(t, e)}); err != nil {
			t.Fatal(err)
		}
	}
	h.names[n] = u
}

// user is a user with their present name.
func (h *history) user(n int) domain.User {
	if u, renamed := h.names[n]; renamed {
		return u
	}
	return user(n)
}

// carryName copies a user's present name into the tenant, perhaps again, or an
// earlier one that arrives late.
func (h *history) carryName(t *rapid.T) {
	n := somePerson.Draw(t, "user")
	u, renamed := h.names[n]
	if !renamed {
		return
	}
	c := domain.RenameMember{Name: u.Name, UserVersion: u.Version}
	before := h.members[n]
	if rapid.IntRange(0, 4).Draw(t, "late") == 0 {
		c = domain.RenameMember{Name: "an earlier name", UserVersion: rapid.IntRange(0, before.UserVersion).Draw(t, "version")}
	}
	h.join(t, n, domain.Actor{}, c)
	switch after := h.members[n]; {
	case c.Name == "an earlier name" && after.Version != before.Version:
		t.Fatalf("%+v was renamed to an older name: %+v", before, after)
	case c.Name == u.Name && after.Active && after.Name != u.Name && before.UserVersion < u.Version:
		t.Fatalf("%+v wasn't renamed to %q", after, u.Name)
	}
}

func (h *history) createProject(t *rapid.T) {
	if len(h.projects) == 6 {
		return
	}
	by, id := h.anyone(t), domain.ProjectID(nth(1000+len(h.projects)))
	events, err := domain.DecideProject(domain.Project{}, by, domain.CreateProject{
		ID: id, Name: someTexts.Draw(t, "name"), Description: someLongs.Draw(t, "description"), DueDate: someDates.Draw(t, "due date"),
		Visibility: someVisible.Draw(t, "visibility"),
	})
	p := decided(t, h, domain.Stream(domain.ProjectStream, id), by, domain.Project{}, events, err)
	if err == nil {
		h.projects = append(h.projects, p)
	}
}

// onProject draws a project, an actor and a command, and folds its events; without
// a project it does nothing.
func (h *history) onProject(t *rapid.T, command func(domain.Project) domain.ProjectCommand) (before, after domain.Project, c domain.ProjectCommand, err error) {
	if len(h.projects) == 0 {
		return domain.Project{}, domain.Project{}, nil, nil
	}
	i := rapid.IntRange(0, len(h.projects)-1).Draw(t, "project")
	before, by := h.projects[i], h.anyone(t)
	c = command(before)
	events, err := domain.DecideProject(before, by, c)
	h.projects[i] = decided(t, h, domain.Stream(domain.ProjectStream, before.ID), by, before, events, err)
	return before, h.projects[i], c, err
}

func (h *history) editProject(t *rapid.T) {
	before, after, command, err := h.onProject(t, func(p domain.Project) domain.ProjectCommand {
		n := somePerson.Draw(t, "new owner")
		return domain.EditProject{
			IfMatch: match(t, p.Version), Name: edit(t, "name", someTexts), Description: edit(t, "description", someLongs),
			Visibility: edit(t, "visibility", someVisible),
			DueDate:    edit(t, "due date", someDates), OwnerID: edit(t, "owner", rapid.Just(person(n))), NewOwner: h.members[n],
			FourEyes: h.tenant.FourEyes,
		}
	})
	if c, ok := command.(domain.EditProject); ok && err == nil {
		took(t, "name", before.Name, after.Name, c.Name)
		took(t, "description", before.Description, after.Description, c.Description)
		took(t, "visibility", before.Visibility, after.Visibility, c.Visibility)
		took(t, "due date", before.DueDate, after.DueDate, c.DueDate)
		took(t, "owner", before.OwnerID, after.OwnerID, c.OwnerID)
	}
}

func (h *history) moveProject(t *rapid.T) {
	h.onProject(t, func(p domain.Project) domain.ProjectCommand {
		to := []domain.Status{"paused"}
		for _, s := range domain.Statuses() {
			to = append(to, s.Name)
		}
		for _, step := range domain.TransitionsFrom(p.Status) {
			to = append(to, step.To, step.To, step.To)
		}
		return domain.MoveProject{
			IfMatch: match(t, p.Version), To: rapid.SampledFrom(to).Draw(t, "to"), Comment: someLongs.Draw(t, "comment"),
			FourEyes: h.tenant.FourEyes,
		}
	})
}

func (h *history) deleteProject(t *rapid.T) {
	if rapid.IntRange(0, 5).Draw(t, "really") > 0 { // else few projects live long enough
		return
	}
	h.onProject(t, func(p domain.Project) domain.ProjectCommand {
		return domain.DeleteProject{IfMatch: match(t, p.Version)}
	})
}

func (h *history) createTask(t *rapid.T) {
	if len(h.projects) == 0 || len(h.tasks) == 12 {
		return
	}
	by, id := h.anyone(t), domain.TaskID(nth(2000+len(h.tasks)))
	n := somePerson.Draw(t, "assignee")
	events, err := domain.DecideTask(domain.Task{}, by, domain.CreateTask{
		ID: id, Project: rapid.SampledFrom(h.projects).Draw(t, "project"), Title: someTexts.Draw(t, "title"),
		Description: someLongs.Draw(t, "description"), AssigneeID: rapid.SampledFrom([]*domain.UserID{nil, ptr(person(n))}).Draw(t, "assigned"),
		Assignee: h.members[n], Labels: someLabels.Draw(t, "labels"), DueDate: someDates.Draw(t, "due date"),
		Priority: someUrgency.Draw(t, "priority"),
	})
	task := decided(t, h, domain.Stream(domain.TaskStream, id), by, domain.Task{}, events, err)
	if err == nil {
		h.tasks = append(h.tasks, task)
	}
}

// onTask draws a task, an actor and a command, and folds its events; without a task
// it does nothing.
func (h *history) onTask(t *rapid.T, command func(domain.Task, domain.Project) domain.TaskCommand) (before, after domain.Task, c domain.TaskCommand, err error) {
	if len(h.tasks) == 0 {
		return domain.Task{}, domain.Task{}, nil, nil
	}
	i := rapid.IntRange(0, len(h.tasks)-1).Draw(t, "task")
	before, by := h.tasks[i], h.anyone(t)
	c = command(before, h.project(before.ProjectID))
	events, err := domain.DecideTask(before, by, c)
	h.tasks[i] = decided(t, h, domain.Stream(domain.TaskStream, before.ID), by, before, events, err)
	return before, h.tasks[i], c, err
}

func (h *history) editTask(t *rapid.T) {
	before, after, command, err := h.onTask(t, func(task domain.Task, p domain.Project) domain.TaskCommand {
		n := somePerson.Draw(t, "assignee")
		return domain.EditTask{
			IfMatch: match(t, task.Version), Project: p, Title: edit(t, "title", someTexts), Description: edit(t, "description", someLongs),
			Status:     edit(t, "status", someStatuses),
			Priority:   edit(t, "priority", someUrgency),
			AssigneeID: edit(t, "assigned", rapid.SampledFrom([]*domain.UserID{nil, ptr(person(n))})), Assignee: h.members[n],
			Labels: edit(t, "labels", someLabels), DueDate: edit(t, "due date", someDates),
		}
	})
	if c, ok := command.(domain.EditTask); ok && err == nil {
		took(t, "title", before.Title, after.Title, c.Title)
		took(t, "description", before.Description, after.Description, c.Description)
		took(t, "status", before.Status, after.Status, c.Status)
		took(t, "priority", before.Priority, after.Priority, c.Priority)
		took(t, "assignee", before.AssigneeID, after.AssigneeID, c.AssigneeID)
		took(t, "due date", before.DueDate, after.DueDate, c.DueDate)
		if c.Labels.Set && c.Labels.Value == nil {
			c.Labels.Value = []string{} // null clears the list, it doesn't make it null
		}
		took(t, "labels", before.Labels, after.Labels, c.Labels)
	}
}

func (h *history) deleteTask(t *rapid.T) {
	h.onTask(t, func(task domain.Task, p domain.Project) domain.TaskCommand {
		return domain.DeleteTask{IfMatch: match(t, task.Version), Project: p}
	})
}
