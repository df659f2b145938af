package projections

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/internal/pgtest"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// fatalist is a test, a benchmark or a rapid.T.
type fatalist interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// world is a database and one replica's parts on it.
type world struct {
	db       *pgtest.DB
	engine   *pgxpool.Pool
	api      *pgxpool.Pool
	progress *feed.Positions
	store    *eventstore.Store
	queries  *Queries
	rebuild  *Rebuilder
}

func newWorld(t testing.TB) *world {
	t.Helper()
	db := pgtest.New(t)
	w := &world{db: db, engine: db.Engine(t), api: db.API(t)}
	w.progress = feed.NewPositions(w.api)
	w.store = eventstore.New(w.engine, w.api, nil)
	w.queries = NewQueries(w.api, w.progress)
	w.rebuild = NewRebuilder(w.engine)
	w.rebuild.FullSpeed = true
	return w
}

// run runs subscriptions on connections of their own until stop, at the latest
// until the test ends.
func (w *world) run(t testing.TB, pageSize int, handlers map[string]message.NoPublishHandlerFunc) (stop func()) {
	t.Helper()
	events := feed.New(feed.Config{
		Pool: w.db.Engine(t), PageSize: pageSize, Workers: 1, Sweep: 10 * time.Millisecond, Interests: Interests(),
	}, w.progress)
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	router.AddMiddleware(middleware.Recoverer)
	for name, handler := range handlers {
		router.AddConsumerHandler(name, name, events, handler)
	}
	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.Background()) }()
	<-router.Running()
	var stopped bool
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		if err := router.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// caught waits until the subscriptions have come to the end of what the company
// has appended.
func (w *world) caught(t fatalist, c *company, models ...string) {
	t.Helper()
	if len(models) == 0 {
		models = Models()
	}
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		caught := w.progress.Await(ctx, c.id, c.head(), models...)
		cancel()
		if caught {
			return
		}
		// A page that fails would be waited for until the test is killed.
		var why string
		if err := w.engine.QueryRow(context.Background(),
			`select coalesce(string_agg(error, '; '), '') from checkpoints where tenant_id = $1`, c.id.UUID()).Scan(&why); err != nil {
			t.Fatal(err)
		}
		if why != "" {
			t.Fatal(why)
		}
	}
}

// company is a tenant whose commands are decided on states kept in memory, with
// the events they led to.
type company struct {
	world    *world
	id       domain.TenantID
	tenant   domain.Tenant
	members  map[domain.UserID]domain.Membership
	projects map[domain.ProjectID]domain.Project
	tasks    map[domain.TaskID]domain.Task
	comments map[domain.CommentID]domain.Comment
	// In the order in which they began, for a generator to choose from.
	userIDs    []domain.UserID
	projectIDs []domain.ProjectID
	taskIDs    []domain.TaskID
	commentIDs []domain.CommentID
	log        []domain.Recorded
}

// found begins a tenant and its first owner.
func (w *world) found(t fatalist, slug string) (*company, domain.UserID) {
	t.Helper()
	c := &company{
		world: w, id: newID[domain.TenantID](t),
		members:  map[domain.UserID]domain.Membership{},
		projects: map[domain.ProjectID]domain.Project{},
		tasks:    map[domain.TaskID]domain.Task{},
		comments: map[domain.CommentID]domain.Comment{},
	}
	ann := newID[domain.UserID](t)
	created, err := domain.DecideTenant(c.tenant, domain.Actor{}, domain.CreateTenant{
		Name: "Company " + slug, Slug: slug, Registration: domain.RegistrationClosed,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.append(t, c.actor(ann, "Ann"), eventstore.Commit{NewTenants: []domain.TenantID{c.id}}, c.stream(), created)
	c.join(t, ann, "Ann", domain.Owner)
	return c, ann
}

func (c *company) stream() domain.StreamID { return domain.Stream(domain.TenantStream, c.id) }

func (c *company) actor(u domain.UserID, name string) domain.Actor {
	return domain.Actor{ID: u, Name: name, Role: domain.Owner}
}

// by is a member as an actor.
func (c *company) by(u domain.UserID) domain.Actor {
	m := c.members[u]
	return domain.Actor{ID: u, Name: m.Name, Role: m.Role}
}

// scope is the scope of a member.
func (c *company) scope(t fatalist, u domain.UserID) domain.Scope {
	t.Helper()
	s, err := domain.Admit(c.members[u])
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (c *company) head() int64 { return int64(len(c.log)) }

// join makes a user a member by their own act.
func (c *company) join(t fatalist, u domain.UserID, name string, role domain.Role) {
	t.Helper()
	events, err := domain.DecideMembership(c.members[u], c.actor(u, name), domain.JoinTenant{
		User: domain.User{ID: u, Email: fmt.Sprintf("%s@example.org", u), Name: name}, Role: role,
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.members[u].Version == 0 {
		c.userIDs = append(c.userIDs, u)
	}
	c.append(t, c.actor(u, name), eventstore.Commit{}, domain.Stream(domain.MemberStream, u), events)
}

func (c *company) member(t fatalist, by, u domain.UserID, command domain.MembershipCommand) error {
	t.Helper()
	events, err := domain.DecideMembership(c.members[u], c.by(by), command)
	if err == nil {
		c.append(t, c.by(by), eventstore.Commit{}, domain.Stream(domain.MemberStream, u), events)
	}
	return err
}

func (c *company) project(t fatalist, by domain.UserID, id domain.ProjectID, command domain.ProjectCommand) error {
	t.Helper()
	events, err := domain.DecideProject(c.projects[id], c.by(by), command)
	if err == nil {
		c.append(t, c.by(by), eventstore.Commit{}, domain.Stream(domain.ProjectStream, id), events)
	}
	return err
}

// create makes a project.
func (c *company) create(t fatalist, by domain.UserID, name string) domain.ProjectID {
	t.Helper()
	id := newID[domain.ProjectID](t)
	if err := c.project(t, by, id, domain.CreateProject{ID: id, Name: name, Visibility: domain.Private}); err != nil {
		t.Fatal(err)
	}
	c.projectIDs = append(c.projectIDs, id)
	return id
}

func (c *company) task(t fatalist, by domain.UserID, id domain.TaskID, command domain.TaskCommand) error {
	t.Helper()
	events, err := domain.DecideTask(c.tasks[id], c.by(by), command)
	if err == nil {
		c.append(t, c.by(by), eventstore.Commit{}, domain.Stream(domain.TaskStream, id), events)
	}
	return err
}

// add puts a task on a project's list.
func (c *company) add(t fatalist, by domain.UserID, p domain.ProjectID, command domain.CreateTask) domain.TaskID {
	t.Helper()
	command.ID, command.Project = newID[domain.TaskID](t), c.projects[p]
	if command.Priority == "" {
		command.Priority = domain.Normal
	}
	if err := c.task(t, by, command.ID, command); err != nil {
		t.Fatal(err)
	}
	c.taskIDs = append(c.taskIDs, command.ID)
	return command.ID
}

func (c *company) comment(t fatalist, by domain.UserID, id domain.CommentID, command domain.CommentCommand) error {
	t.Helper()
	events, err := domain.DecideComment(c.comments[id], c.by(by), command)
	if err == nil {
		c.append(t, c.by(by), eventstore.Commit{}, domain.Stream(domain.CommentStream, id), events)
	}
	return err
}

// say comments on a task.
func (c *company) say(t fatalist, by domain.UserID, task domain.TaskID, body string) domain.CommentID {
	t.Helper()
	id := newID[domain.CommentID](t)
	k := c.tasks[task]
	if err := c.comment(t, by, id, domain.CreateComment{ID: id, Task: k, Project: c.projects[k.ProjectID], Body: body}); err != nil {
		t.Fatal(err)
	}
	c.commentIDs = append(c.commentIDs, id)
	return id
}

// append writes the events of one stream and folds them into the states.
func (c *company) append(t fatalist, by domain.Actor, commit eventstore.Commit, s domain.StreamID, events []domain.Event) {
	t.Helper()
	if len(events) == 0 {
		return
	}
	name := domain.About(by.ID, by.Name)
	commit.Command, commit.Actor = newID[domain.CommandID](t), by.ID
	commit.Meta = domain.Meta{RequestID: "request-" + commit.Command.String(), ActorName: &name}
	commit.Parts = []eventstore.Part{{Tenant: c.id, Stream: s, Expected: c.version(s), Events: events}}
	done, err := c.world.store.Append(context.Background(), commit)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range done.Events {
		c.evolve(t, e)
	}
}

func (c *company) version(s domain.StreamID) int {
	switch s.Type {
	case domain.TenantStream:
		return c.tenant.Version
	case domain.MemberStream:
		return c.members[domain.UserID(s.ID)].Version
	case domain.ProjectStream:
		return c.projects[domain.ProjectID(s.ID)].Version
	case domain.CommentStream:
		return c.comments[domain.CommentID(s.ID)].Version
	default:
		return c.tasks[domain.TaskID(s.ID)].Version
	}
}

func (c *company) evolve(t fatalist, e domain.Recorded) {
	t.Helper()
	var err error
	switch e.Stream.Type {
	case domain.TenantStream:
		c.tenant, err = c.tenant.Evolve(e)
	case domain.MemberStream:
		id := domain.UserID(e.Stream.ID)
		c.members[id], err = c.members[id].Evolve(e)
	case domain.ProjectStream:
		id := domain.ProjectID(e.Stream.ID)
		c.projects[id], err = c.projects[id].Evolve(e)
	case domain.CommentStream:
		id := domain.CommentID(e.Stream.ID)
		c.comments[id], err = c.comments[id].Evolve(e)
	default:
		id := domain.TaskID(e.Stream.ID)
		c.tasks[id], err = c.tasks[id].Evolve(e)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.log = append(c.log, e)
}

func newID[ID ~[16]byte](t fatalist) ID {
	t.Helper()
	u, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return ID(u)
}

// loneBuild is a build whose Builds has no other; Close ends both.
type loneBuild struct {
	*feed.Build
	Close func()
}

// startBuild begins or resumes one.
func startBuild(ctx context.Context, pool *pgxpool.Pool, t domain.TenantID, subscription string, foldVersion int) (*loneBuild, error) {
	builds, err := feed.OpenBuilds(ctx, pool, t, "")
	if err != nil {
		return nil, err
	}
	b, err := builds.Start(ctx, subscription, foldVersion)
	if err != nil {
		builds.Close()
		return nil, err
	}
	return &loneBuild{b, builds.Close}, nil
}
