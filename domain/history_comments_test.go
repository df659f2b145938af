package domain_test

import (
	"docket/domain"

	"pgregory.net/rapid"
)

var someBodies = sometimes("", "Too deep", "Deep enough", "<&>\n漢字", "@p2@example.org")

// mentioned draws the mentioned users: members and former members.
func (h *history) mentioned(t *rapid.T) (out []domain.Membership) {
	for _, n := range rapid.SliceOfN(somePerson, 0, 3).Draw(t, "mentioned") {
		out = append(out, h.members[n])
	}
	return out
}

func (h *history) createComment(t *rapid.T) {
	if len(h.tasks) == 0 || len(h.comments) == 12 {
		return
	}
	by, id := h.anyone(t), domain.CommentID(nth(3000+len(h.comments)))
	task := rapid.SampledFrom(h.tasks).Draw(t, "task")
	events, err := domain.DecideComment(domain.Comment{}, by, domain.CreateComment{
		ID: id, Task: task, Project: h.project(task.ProjectID), Body: someBodies.Draw(t, "body"), Mentioned: h.mentioned(t),
	})
	c := decided(t, h, domain.Stream(domain.CommentStream, id), by, domain.Comment{}, events, err)
	if err == nil {
		h.comments = append(h.comments, c)
	}
}

// onComment draws a comment, an actor and a command, and folds its events; without a
// comment it does nothing.
func (h *history) onComment(t *rapid.T, command func(domain.Comment, domain.Task, domain.Project) domain.CommentCommand) (before, after domain.Comment, c domain.CommentCommand, err error) {
	if len(h.comments) == 0 {
		return domain.Comment{}, domain.Comment{}, nil, nil
	}
	i := rapid.IntRange(0, len(h.comments)-1).Draw(t, "comment")
	before, by := h.comments[i], h.anyone(t)
	if rapid.Bool().Draw(t, "its author") {
		by = h.author(before, by)
	}
	c = command(before, h.task(before.TaskID), h.project(before.ProjectID))
	events, err := domain.DecideComment(before, by, c)
	h.comments[i] = decided(t, h, domain.Stream(domain.CommentStream, before.ID), by, before, events, err)
	return before, h.comments[i], c, err
}

// author is the comment's author if they are a member, otherwise any member.
func (h *history) author(c domain.Comment, somebody domain.Actor) domain.Actor {
	for n, m := range h.members {
		if m.Active && person(n) == c.AuthorID {
			return actor(n, m.Role)
		}
	}
	return somebody
}

func (h *history) task(id domain.TaskID) domain.Task {
	for _, task := range h.tasks {
		if task.ID == id {
			return task
		}
	}
	return domain.Task{}
}

func (h *history) editComment(t *rapid.T) {
	before, after, command, err := h.onComment(t, func(c domain.Comment, task domain.Task, p domain.Project) domain.CommentCommand {
		return domain.EditComment{
			IfMatch: match(t, c.Version), Task: task, Project: p, Body: edit(t, "body", someBodies), Mentioned: h.mentioned(t),
		}
	})
	if c, ok := command.(domain.EditComment); ok && err == nil {
		took(t, "body", before.Body, after.Body, c.Body)
	}
}

func (h *history) deleteComment(t *rapid.T) {
	h.onComment(t, func(c domain.Comment, task domain.Task, p domain.Project) domain.CommentCommand {
		return domain.DeleteComment{IfMatch: match(t, c.Version), Task: task, Project: p}
	})
}
