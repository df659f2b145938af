package tenanttest

import (
	"context"
	"fmt"

	"docket/domain"
	"docket/eventstore"
)

// Tenant is a tenant whose commands are decided on states in memory. Its methods append
// the events.
type Tenant struct {
	Env      *Env
	ID       domain.TenantID
	State    domain.Tenant
	Members  map[domain.UserID]domain.Membership
	Projects map[domain.ProjectID]domain.Project
	Tasks    map[domain.TaskID]domain.Task
	Comments map[domain.CommentID]domain.Comment
	// The ids in the order of creation, for a generator to choose from.
	UserIDs    []domain.UserID
	ProjectIDs []domain.ProjectID
	TaskIDs    []domain.TaskID
	CommentIDs []domain.CommentID
	Log        []domain.Recorded
}

// Found creates a tenant and its first owner.
func (e *Env) Found(t TB, slug string) (*Tenant, domain.UserID) {
	t.Helper()
	c := &Tenant{
		Env: e, ID: NewID[domain.TenantID](t),
		Members:  map[domain.UserID]domain.Membership{},
		Projects: map[domain.ProjectID]domain.Project{},
		Tasks:    map[domain.TaskID]domain.Task{},
		Comments: map[domain.CommentID]domain.Comment{},
	}
	ann := NewID[domain.UserID](t)
	created, err := domain.DecideTenant(c.State, domain.Actor{}, domain.CreateTenant{
		Name: "Company " + slug, Slug: slug, Registration: domain.RegistrationClosed,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Append(t, c.ActorNamed(ann, "Ann"), eventstore.Commit{NewTenants: []domain.TenantID{c.ID}}, c.Stream(), created)
	c.Join(t, ann, "Ann", domain.Owner)
	return c, ann
}

// Stream is the stream of the tenant itself.
func (c *Tenant) Stream() domain.StreamID { return domain.Stream(domain.TenantStream, c.ID) }

// ActorNamed is a user as an owner, who need not be a member.
func (c *Tenant) ActorNamed(u domain.UserID, name string) domain.Actor {
	return domain.Actor{ID: u, Name: name, Role: domain.Owner}
}

// Actor is a member as an actor.
func (c *Tenant) Actor(u domain.UserID) domain.Actor {
	m := c.Members[u]
	return domain.Actor{ID: u, Name: m.Name, Role: m.Role}
}

// Scope is the scope of a member.
func (c *Tenant) Scope(t TB, u domain.UserID) domain.Scope {
	t.Helper()
	s, err := domain.Admit(c.Members[u])
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Head is the last seq of the log.
func (c *Tenant) Head() int64 { return int64(len(c.Log)) }

// Join makes a user a member by their own act.
func (c *Tenant) Join(t TB, u domain.UserID, name string, role domain.Role) {
	t.Helper()
	by, user := c.ActorNamed(u, name), domain.User{ID: u, Email: fmt.Sprintf("%s@example.org", u), Name: name}
	var command domain.MembershipCommand = domain.JoinTenant{User: user, Role: role}
	if c.Members[u].Removed {
		// A member that an owner has removed comes back by an owner alone; the tenant may have none.
		by.Role, command = domain.Owner, domain.AddMember{User: user, Role: role}
	}
	events, err := domain.DecideMembership(c.Members[u], by, command)
	if err != nil {
		t.Fatal(err)
	}
	if c.Members[u].Version == 0 {
		c.UserIDs = append(c.UserIDs, u)
	}
	c.Append(t, c.ActorNamed(u, name), eventstore.Commit{}, domain.Stream(domain.MemberStream, u), events)
}

// ChangeMember runs a command on a membership.
func (c *Tenant) ChangeMember(t TB, by, u domain.UserID, command domain.MembershipCommand) error {
	t.Helper()
	events, err := domain.DecideMembership(c.Members[u], c.Actor(by), command)
	if err == nil {
		c.Append(t, c.Actor(by), eventstore.Commit{}, domain.Stream(domain.MemberStream, u), events)
	}
	return err
}

// ChangeProject runs a command on a project.
func (c *Tenant) ChangeProject(t TB, by domain.UserID, id domain.ProjectID, command domain.ProjectCommand) error {
	t.Helper()
	events, err := domain.DecideProject(c.Projects[id], c.Actor(by), command)
	if err == nil {
		c.Append(t, c.Actor(by), eventstore.Commit{}, domain.Stream(domain.ProjectStream, id), events)
	}
	return err
}

// CreateProject creates a private project.
func (c *Tenant) CreateProject(t TB, by domain.UserID, name string) domain.ProjectID {
	t.Helper()
	id := NewID[domain.ProjectID](t)
	if err := c.ChangeProject(t, by, id, domain.CreateProject{ID: id, Name: name, Visibility: domain.Private}); err != nil {
		t.Fatal(err)
	}
	c.ProjectIDs = append(c.ProjectIDs, id)
	return id
}

// ChangeTask runs a command on a task.
func (c *Tenant) ChangeTask(t TB, by domain.UserID, id domain.TaskID, command domain.TaskCommand) error {
	t.Helper()
	events, err := domain.DecideTask(c.Tasks[id], c.Actor(by), command)
	if err == nil {
		c.Append(t, c.Actor(by), eventstore.Commit{}, domain.Stream(domain.TaskStream, id), events)
	}
	return err
}

// CreateTask creates a task in a project.
func (c *Tenant) CreateTask(t TB, by domain.UserID, p domain.ProjectID, command domain.CreateTask) domain.TaskID {
	t.Helper()
	command.ID, command.Project = NewID[domain.TaskID](t), c.Projects[p]
	if command.Priority == "" {
		command.Priority = domain.Normal
	}
	if err := c.ChangeTask(t, by, command.ID, command); err != nil {
		t.Fatal(err)
	}
	c.TaskIDs = append(c.TaskIDs, command.ID)
	return command.ID
}

// ChangeComment runs a command on a comment.
func (c *Tenant) ChangeComment(t TB, by domain.UserID, id domain.CommentID, command domain.CommentCommand) error {
	t.Helper()
	events, err := domain.DecideComment(c.Comments[id], c.Actor(by), command)
	if err == nil {
		c.Append(t, c.Actor(by), eventstore.Commit{}, domain.Stream(domain.CommentStream, id), events)
	}
	return err
}

// CreateComment comments on a task.
func (c *Tenant) CreateComment(t TB, by domain.UserID, task domain.TaskID, body string) domain.CommentID {
	t.Helper()
	id := NewID[domain.CommentID](t)
	k := c.Tasks[task]
	if err := c.ChangeComment(t, by, id, domain.CreateComment{ID: id, Task: k, Project: c.Projects[k.ProjectID], Body: body}); err != nil {
		t.Fatal(err)
	}
	c.CommentIDs = append(c.CommentIDs, id)
	return id
}

// Append writes the events of one stream and folds them into the states.
func (c *Tenant) Append(t TB, by domain.Actor, commit eventstore.Commit, s domain.StreamID, events []domain.Event) {
	t.Helper()
	if len(events) == 0 {
		return
	}
	name := domain.About(by.ID, by.Name)
	commit.Command, commit.Actor = NewID[domain.CommandID](t), by.ID
	commit.Meta = domain.Meta{RequestID: "request-" + commit.Command.String(), ActorName: &name}
	commit.Parts = []eventstore.Part{{Tenant: c.ID, Stream: s, Expected: c.Version(s), Events: events}}
	done, err := c.Env.Store.Append(context.Background(), commit)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range done.Events {
		c.Evolve(t, e)
	}
}

// Version is the version of a stream.
func (c *Tenant) Version(s domain.StreamID) int {
	switch s.Type {
	case domain.TenantStream:
		return c.State.Version
	case domain.MemberStream:
		return c.Members[domain.UserID(s.ID)].Version
	case domain.ProjectStream:
		return c.Projects[domain.ProjectID(s.ID)].Version
	case domain.CommentStream:
		return c.Comments[domain.CommentID(s.ID)].Version
	default:
		return c.Tasks[domain.TaskID(s.ID)].Version
	}
}

// Evolve folds an event of the log into the states.
func (c *Tenant) Evolve(t TB, e domain.Recorded) {
	t.Helper()
	var err error
	switch e.Stream.Type {
	case domain.TenantStream:
		c.State, err = c.State.Evolve(e)
	case domain.MemberStream:
		id := domain.UserID(e.Stream.ID)
		c.Members[id], err = c.Members[id].Evolve(e)
	case domain.ProjectStream:
		id := domain.ProjectID(e.Stream.ID)
		c.Projects[id], err = c.Projects[id].Evolve(e)
	case domain.CommentStream:
		id := domain.CommentID(e.Stream.ID)
		c.Comments[id], err = c.Comments[id].Evolve(e)
	default:
		id := domain.TaskID(e.Stream.ID)
		c.Tasks[id], err = c.Tasks[id].Evolve(e)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.Log = append(c.Log, e)
}
