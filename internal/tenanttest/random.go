package tenanttest

import (
	"docket/domain"
	"docket/eventstore"

	"pgregory.net/rapid"
)

// ChangeAnything runs a random command, which may be refused.
func (c *Tenant) ChangeAnything(t *rapid.T) {
	t.Helper()
	by := rapid.SampledFrom(c.UserIDs).Draw(t, "by")
	if !c.Members[by].Active {
		c.Join(t, by, c.Members[by].Name, rapid.SampledFrom(domain.Roles()).Draw(t, "role"))
		return
	}
	text := rapid.SampledFrom([]string{"a", "Website", "é \"x\" <&>\n🎄", "Zoë", "b"})
	switch rapid.IntRange(0, 13).Draw(t, "what") {
	case 0:
		c.Join(t, NewID[domain.UserID](t), text.Draw(t, "name"), rapid.SampledFrom(domain.Roles()).Draw(t, "role"))
	case 1:
		u := rapid.SampledFrom(c.UserIDs).Draw(t, "member")
		if rapid.Bool().Draw(t, "leaves") {
			_ = c.ChangeMember(t, by, u, domain.RemoveMember{OwnerStays: true})
		} else {
			_ = c.ChangeMember(t, by, u, domain.ChangeRole{Role: domain.To(rapid.SampledFrom(domain.Roles()).Draw(t, "role")), OwnerStays: true})
		}
	case 2:
		c.editTenant(t, by, text.Draw(t, "name"))
	case 3, 4:
		c.createAnyProject(t, by, text)
	case 5, 6:
		c.changeAnyProject(t, by, text)
	case 7:
		u := rapid.SampledFrom(c.UserIDs).Draw(t, "renamed")
		_ = c.ChangeMember(t, u, u, domain.RenameMember{Name: text.Draw(t, "name"), UserVersion: c.Members[u].UserVersion + 1})
	case 8, 9, 10:
		c.changeAnyComment(t, by, text)
	default:
		c.changeAnyTask(t, by, text)
	}
}

func (c *Tenant) editTenant(t *rapid.T, by domain.UserID, name string) {
	t.Helper()
	webhook := NewID[domain.SecretID](t)
	events, err := domain.DecideTenant(c.State, c.Actor(by), domain.EditTenant{
		Name: domain.To(name), Registration: domain.To(domain.RegistrationOpen), DefaultRole: domain.To(domain.Viewer),
		FourEyes: domain.To(rapid.Bool().Draw(t, "four eyes")),

		RequireVerifiedEmail: domain.To(rapid.Bool().Draw(t, "verified e-mail")),
		SlackWebhook:         domain.To(rapid.SampledFrom([]*domain.SecretID{nil, &webhook}).Draw(t, "webhook")),
		EmailFrom:            domain.To(rapid.SampledFrom([]*string{nil, new("a@example.org")}).Draw(t, "e-mail from")),
	})
	if err == nil {
		c.Append(t, c.Actor(by), eventstore.Commit{}, c.Stream(), events)
	}
}

func (c *Tenant) createAnyProject(t *rapid.T, by domain.UserID, text *rapid.Generator[string]) {
	t.Helper()
	id := NewID[domain.ProjectID](t)
	due := domain.Date("2026-12-24")
	description := text.Draw(t, "description")
	command := domain.CreateProject{ID: id, Name: text.Draw(t, "name"), Visibility: domain.Public}
	if rapid.Bool().Draw(t, "described") {
		command.DueDate, command.Description, command.Visibility = &due, &description, domain.Private
	}
	if c.ChangeProject(t, by, id, command) == nil {
		c.ProjectIDs = append(c.ProjectIDs, id)
	}
}

func (c *Tenant) changeAnyProject(t *rapid.T, by domain.UserID, text *rapid.Generator[string]) {
	t.Helper()
	if len(c.ProjectIDs) == 0 {
		return
	}
	id := rapid.SampledFrom(c.ProjectIDs).Draw(t, "project")
	p := c.Projects[id]
	switch rapid.IntRange(0, 5).Draw(t, "change") {
	case 0:
		_ = c.ChangeProject(t, by, id, domain.DeleteProject{})
	case 1, 2:
		var noDate *domain.Date
		owner := rapid.SampledFrom(c.UserIDs).Draw(t, "owner")
		_ = c.ChangeProject(t, by, id, domain.EditProject{
			Name: domain.To(text.Draw(t, "name")), DueDate: domain.To(noDate),
			OwnerID: domain.To(owner), NewOwner: c.Members[owner], FourEyes: c.State.FourEyes,
		})
	default:
		if moves := domain.TransitionsFrom(p.Status); len(moves) > 0 {
			_ = c.ChangeProject(t, by, id, domain.MoveProject{To: rapid.SampledFrom(moves).Draw(t, "move").To, FourEyes: c.State.FourEyes})
		}
	}
}

func (c *Tenant) changeAnyTask(t *rapid.T, by domain.UserID, text *rapid.Generator[string]) {
	t.Helper()
	if len(c.ProjectIDs) == 0 {
		return
	}
	assignee := rapid.SampledFrom(c.UserIDs).Draw(t, "assignee")
	labels := rapid.SliceOfNDistinct(text, 0, 3, rapid.ID).Draw(t, "labels")
	if len(c.TaskIDs) == 0 || rapid.IntRange(0, 2).Draw(t, "new") == 0 {
		p := c.Projects[rapid.SampledFrom(c.ProjectIDs).Draw(t, "project")]
		id := NewID[domain.TaskID](t)
		if c.ChangeTask(t, by, id, domain.CreateTask{
			ID: id, Project: p, Title: text.Draw(t, "title"), Priority: domain.High,
			AssigneeID: &assignee, Assignee: c.Members[assignee], Labels: labels,
		}) == nil {
			c.TaskIDs = append(c.TaskIDs, id)
		}
		return
	}
	id := rapid.SampledFrom(c.TaskIDs).Draw(t, "task")
	p := c.Projects[c.Tasks[id].ProjectID]
	if rapid.IntRange(0, 4).Draw(t, "delete") == 0 {
		_ = c.ChangeTask(t, by, id, domain.DeleteTask{Project: p})
		return
	}
	var unassigned *domain.UserID
	_ = c.ChangeTask(t, by, id, domain.EditTask{
		Project: p, Title: domain.To(text.Draw(t, "title")), Labels: domain.To(labels), AssigneeID: domain.To(unassigned),
		Status: domain.To(rapid.SampledFrom([]domain.TaskStatus{domain.Todo, domain.InProgress, domain.Done}).Draw(t, "status")),
	})
}

func (c *Tenant) changeAnyComment(t *rapid.T, by domain.UserID, text *rapid.Generator[string]) {
	t.Helper()
	if len(c.TaskIDs) == 0 {
		return
	}
	mentioned := []domain.Membership{c.Members[rapid.SampledFrom(c.UserIDs).Draw(t, "mentioned")]}
	if len(c.CommentIDs) == 0 || rapid.IntRange(0, 2).Draw(t, "new") == 0 {
		k := c.Tasks[rapid.SampledFrom(c.TaskIDs).Draw(t, "task")]
		id := NewID[domain.CommentID](t)
		if c.ChangeComment(t, by, id, domain.CreateComment{
			ID: id, Task: k, Project: c.Projects[k.ProjectID], Body: text.Draw(t, "body"), Mentioned: mentioned,
		}) == nil {
			c.CommentIDs = append(c.CommentIDs, id)
		}
		return
	}
	id := rapid.SampledFrom(c.CommentIDs).Draw(t, "comment")
	k := c.Tasks[c.Comments[id].TaskID]
	if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
		_ = c.ChangeComment(t, by, id, domain.DeleteComment{Task: k, Project: c.Projects[k.ProjectID]})
		return
	}
	author := c.Comments[id].AuthorID
	_ = c.ChangeComment(t, author, id, domain.EditComment{
		Task: k, Project: c.Projects[k.ProjectID], Body: domain.To(text.Draw(t, "body")), Mentioned: mentioned,
	})
}
