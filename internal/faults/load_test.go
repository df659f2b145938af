//go:build linux

package faults_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"docket/domain"
)

// write is what members and managers do until ctx ends: a mix that conflicts,
// is refused, and tells others.
func (c *client) write(ctx context.Context) {
	for ctx.Err() == nil {
		projects, tasks := c.tenant.known()
		dice := c.rng.IntN(100)
		switch {
		case len(tasks) < 2 || dice < 12:
			c.createTask(ctx, pick(c, projects))
		case dice < 18:
			c.createProject(ctx)
		case dice < 24:
			c.moveProject(ctx, pick(c, projects))
		case dice < 50:
			c.editTask(ctx, pick(c, tasks), true)
		case dice < 62:
			c.editTask(ctx, pick(c, tasks), false)
		case dice < 72:
			c.assignTask(ctx, pick(c, tasks))
		case dice < 82:
			c.comment(ctx, pick(c, tasks))
		default:
			c.readTask(ctx, pick(c, tasks))
		}
	}
}

// create is what the one does whose role comes and goes.
func (c *client) create(ctx context.Context) {
	for ctx.Err() == nil {
		c.createProject(ctx)
	}
}

// flip is what the founder does: gives and takes the role of another. The
// version is known because no other client changes that membership.
func (c *client) flip(ctx context.Context) {
	next := map[domain.Role]domain.Role{domain.Member: domain.Viewer, domain.Viewer: domain.Manager, domain.Manager: domain.Auditor, domain.Auditor: domain.Member}
	role := domain.Member
	for ctx.Err() == nil {
		cmd := &command{Kind: changeRole, Stream: domain.Stream(domain.MemberStream, c.tenant.flipped.id)}
		c.do(ctx, cmd, http.MethodPatch, "/v1/members/"+c.tenant.flipped.id.String(), map[string]any{"role": next[role]}, nil)
		if cmd.Outcome != refused {
			role = next[role]
		}
		hold(ctx, upTo(c.rng, breath))
	}
}

func pick[T any](c *client, from []T) T { return from[c.rng.IntN(len(from))] }

// unique is a text that no other command has.
func (c *client) unique() string { return fmt.Sprintf("%d/%d", c.id, c.sent+1) }

// somebody is a member who can be assigned and mentioned, perhaps oneself.
func (c *client) somebody() *person {
	return pick(c, append([]*person{c.tenant.manager}, c.tenant.members...))
}

func (c *client) createProject(ctx context.Context) {
	var made struct{ ID domain.ProjectID }
	cmd := &command{Kind: createProject}
	c.do(ctx, cmd, http.MethodPost, "/v1/projects", map[string]any{"name": c.unique()}, &made)
	if cmd.Outcome != acked {
		return
	}
	cmd.Stream = domain.Stream(domain.ProjectStream, made.ID)
	if c.person != c.tenant.flipped && c.rng.IntN(4) == 0 {
		c.tenant.addProject(made.ID)
	}
}

// moveProject takes a project a step along, or tries to. None is ever closed, so
// tasks can always be written.
func (c *client) moveProject(ctx context.Context, p domain.ProjectID) {
	to := pick(c, []domain.Status{domain.Submitted, domain.Draft, domain.Rejected, domain.Approved, domain.Active, domain.OnHold})
	cmd := &command{Kind: moveProject, Stream: domain.Stream(domain.ProjectStream, p)}
	c.do(ctx, cmd, http.MethodPost, "/v1/projects/"+p.String()+"/transitions", map[string]any{"to": to, "comment": c.unique()}, nil)
}

func (c *client) createTask(ctx context.Context, p domain.ProjectID) {
	var made struct{ ID domain.TaskID }
	body := map[string]any{"title": c.unique()}
	if c.rng.IntN(2) == 0 {
		body["assignee_id"] = c.somebody().id
	}
	cmd := &command{Kind: createTask}
	c.do(ctx, cmd, http.MethodPost, "/v1/projects/"+p.String()+"/tasks", body, &made)
	if cmd.Outcome != acked {
		return
	}
	cmd.Stream = domain.Stream(domain.TaskStream, made.ID)
	c.tenant.addTask(task{made.ID, cmd.Version, cmd.Seq})
}

// editTask changes a task's title, with or without the version that it knows.
func (c *client) editTask(ctx context.Context, k task, match bool) {
	cmd := &command{Kind: editTask, Stream: domain.Stream(domain.TaskStream, k.id)}
	if match {
		cmd.Expected = k.version
	}
	c.do(ctx, cmd, http.MethodPatch, "/v1/tasks/"+k.id.String(), map[string]any{"title": c.unique()}, nil)
	c.learn(k.id, cmd)
}

// assignTask gives a task to somebody. The title changes too, so that it is never
// a change of nothing.
func (c *client) assignTask(ctx context.Context, k task) {
	cmd := &command{Kind: assignTask, Stream: domain.Stream(domain.TaskStream, k.id)}
	c.do(ctx, cmd, http.MethodPatch, "/v1/tasks/"+k.id.String(), map[string]any{"title": c.unique(), "assignee_id": c.somebody().id}, nil)
	c.learn(k.id, cmd)
}

// learn keeps what an answer said of a task.
func (c *client) learn(id domain.TaskID, cmd *command) {
	switch {
	case cmd.Outcome == acked:
		c.tenant.addTask(task{id, cmd.Version, cmd.Seq})
	case cmd.Current > 0: // the answer has no seq
		c.tenant.addTask(task{id, cmd.Current, 0})
	}
}

func (c *client) comment(ctx context.Context, k task) {
	var made struct{ ID domain.CommentID }
	cmd := &command{Kind: comment}
	c.do(ctx, cmd, http.MethodPost, "/v1/tasks/"+k.id.String()+"/comments",
		map[string]any{"body": c.unique() + " @" + c.somebody().email}, &made)
	if cmd.Outcome == acked {
		cmd.Stream = domain.Stream(domain.CommentStream, made.ID)
	}
}

// readTask reads a task from any replica, which must show what was acknowledged
// by whichever.
func (c *client) readTask(ctx context.Context, k task) {
	if k.seq == 0 || !c.run.positions {
		return
	}
	c.sent++
	request := fmt.Sprintf("read-%d-%d", c.id, c.sent)
	to := pick(c, c.run.replicas)
	a, err := c.send(ctx, to, http.MethodGet, "/v1/tasks/"+k.id.String()+"?min_seq="+strconv.FormatInt(k.seq, 10), request, nil, nil)
	switch {
	case err != nil || a.status == http.StatusServiceUnavailable:
		hold(ctx, upTo(c.rng, breath))
	case a.status != http.StatusOK:
		c.oddly(request, a, fmt.Errorf("no answer that this read may get"))
	default:
		var shown struct{ Version int }
		if err := a.decode(&shown); err != nil {
			c.oddly(request, a, err)
		}
		c.reads = append(c.reads, read{
			Request: request, Tenant: c.tenant.id, Stream: domain.Stream(domain.TaskStream, k.id),
			Least: k.version, Shown: shown.Version, At: c.run.now(),
		})
	}
}
