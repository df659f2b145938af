//go:build linux

package faults_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"docket/domain"
)

// tenant is one of those that the load is in, and what its clients know of it.
type tenant struct {
	id domain.TenantID
	// founder is its only owner, manager and members write, and flipped is a
	// member whose role comes and goes.
	founder, manager, flipped *person
	members                   []*person

	mu sync.Mutex
	// projects are those that tasks can be put on, tasks those to work on, the
	// newest last.
	projects []domain.ProjectID
	tasks    []task
	// told is the highest seq that anybody was told.
	told int64
}

// task is what was last acknowledged of one.
type task struct {
	id      domain.TaskID
	version int
	seq     int64
}

// person is a logged-in user.
type person struct {
	id    domain.UserID
	email string
	token string
	// since is when they got it.
	since time.Time
}

// tokenAge is when a token is replaced, well before it expires.
const tokenAge = 10 * time.Minute

// newTenant makes a tenant and its people, before there are any faults.
func (r *run) newTenant(n int) *tenant {
	r.t.Helper()
	t := &tenant{founder: r.register(n, "founder")}
	as := &client{run: r, http: http.DefaultClient, person: t.founder}
	var made struct{ ID domain.TenantID }
	r.setUp(as, http.MethodPost, "/v1/tenants", map[string]any{"name": fmt.Sprint("Tenant ", n), "slug": fmt.Sprint("tenant-", n)}, &made)
	t.id, as.tenant = made.ID, t
	add := func(name string, role domain.Role) *person {
		p := r.register(n, name)
		r.setUp(as, http.MethodPost, "/v1/members", map[string]any{"email": p.email, "role": role}, nil)
		return p
	}
	t.manager, t.flipped = add("manager", domain.Manager), add("flipped", domain.Member)
	t.members = []*person{add("ann", domain.Member), add("bob", domain.Member)}
	for i := range 3 {
		var project struct{ ID domain.ProjectID }
		r.setUp(as, http.MethodPost, "/v1/projects", map[string]any{"name": fmt.Sprint("Project ", i)}, &project)
		t.projects = append(t.projects, project.ID)
	}
	// A completed project that no client changes any more: whatever the dice say, every
	// read model has rows to compare.
	var finished struct{ ID domain.ProjectID }
	r.setUp(as, http.MethodPost, "/v1/projects", map[string]any{"name": "Finished"}, &finished)
	for _, to := range []domain.Status{domain.Submitted, domain.Approved, domain.Active, domain.Completed} {
		r.setUp(as, http.MethodPost, "/v1/projects/"+finished.ID.String()+"/transitions", map[string]any{"to": to}, nil)
	}
	return t
}

const password = "a password of the tests"

// register makes a user, who joins the default tenant, and logs in.
func (r *run) register(n int, name string) *person {
	r.t.Helper()
	p := &person{email: fmt.Sprintf("%s-%d@example.org", name, n)}
	as := &client{run: r, http: http.DefaultClient}
	var user struct{ ID domain.UserID }
	r.setUp(as, http.MethodPost, "/v1/auth/register", map[string]any{"email": p.email, "password": password, "name": name}, &user)
	p.id = user.ID
	if err := as.login(r.t.Context(), p); err != nil {
		r.t.Fatal(err)
	}
	return p
}

// login gets a person a new token.
func (c *client) login(ctx context.Context, p *person) error {

	a, err := c.send(ctx, c.run.replicas[0], http.MethodPost, "/v1/auth/login", "login", map[string]any{"email": p.email, "password": password}, nil)
	if err != nil {
		return err
	}
	var session struct {
		Token string `json:"access_token"`
	}
	if err := a.decode(&session); err != nil || a.status != http.StatusOK {
		return fmt.Errorf("login: %d %s (%w)", a.status, a.body, err)
	}
	p.token, p.since = session.Token, time.Now()
	return nil
}

// setUp makes a request that must succeed.
func (r *run) setUp(c *client, method, path string, body, into any) {
	r.t.Helper()
	a, err := c.send(r.t.Context(), r.replicas[0], method, path, "setup", body, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if a.status >= 300 {
		r.t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	if into != nil {
		if err := a.decode(into); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (t *tenant) addProject(p domain.ProjectID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.projects = append(t.projects, p)
}

// addTask keeps a task, or what is newer of it.
func (t *tenant) addTask(k task) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.tasks {
		if t.tasks[i].id == k.id {
			if t.tasks[i].version < k.version {
				t.tasks[i] = k
			}
			return
		}
	}
	t.tasks = append(t.tasks, k)
}

// tell keeps the seq of an acknowledged command.
func (t *tenant) tell(seq int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.told = max(t.told, seq)
}

// acknowledged is the highest seq that anybody was told.
func (t *tenant) acknowledged() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.told
}

// known is a copy of what is known.
func (t *tenant) known() (projects []domain.ProjectID, tasks []task) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.projects[:len(t.projects):len(t.projects)], append([]task(nil), t.tasks[max(0, len(t.tasks)-hot):]...)
}

// hot is how many tasks of a tenant are worked on at a time: so few that clients
// get into each other's way.
const hot = 6
