package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"

	"docket/domain"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// A tenant has 50 projects to read, and one of them 50 tasks: as many as a page has.
const firstItems = 50

const projectBody = `{"name":"Harbour wall","description":"Deepen the harbour"}`

// tenant is a tenant with its owner and contents.
type tenant struct {
	id       domain.TenantID
	email    string   // the owner's
	owner    headers  // the owner's token and the tenant
	inTenant headers  // the tenant alone
	projects []string // to read; the first one has the tasks
	tasks    []string
	own      []*ownProject // one for each connection, to write to
}

// ownProject is a project that one connection writes to.
type ownProject struct{ id, status string }

// createTenants creates n tenants through the API, each with own projects to write to.
// It creates four at a time: passwords are slow to hash.
func createTenants(ctx context.Context, addr string, n, own int) ([]*tenant, error) {
	all := make([]*tenant, n)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for i := range all {
		all[i] = &tenant{}
		g.Go(func() error {
			c := &client{addr: addr}
			defer c.close()
			if err := all[i].create(ctx, c, own); err != nil {
				return fmt.Errorf("create the tenants: %w", err)
			}
			return nil
		})
	}
	return all, g.Wait()
}

func (t *tenant) create(ctx context.Context, c *client, own int) error {
	name := "bench-" + uuid.NewString()
	t.email = name + "@example.org"
	if _, err := c.do(ctx, "", post("/v1/auth/register", t.passwordAnd(`,"name":"Bench"`), http.StatusCreated)); err != nil {
		return err
	}
	if err := t.logIn(ctx, c); err != nil {
		return err
	}
	var failed error
	create := func(path, body string, args ...any) string {
		var created struct{ ID string }
		if failed == nil { // the first error counts
			failed = c.read(ctx, t.owner, post(path, fmt.Sprintf(body, args...), http.StatusCreated), &created)
		}
		return created.ID
	}
	id := create("/v1/tenants", `{"name":"Bench","slug":%q}`, name[:29])
	t.inTenant = headers("X-Tenant-ID: " + id + "\r\n")
	t.owner += t.inTenant
	for range firstItems {
		t.projects = append(t.projects, create("/v1/projects", projectBody))
	}
	for i := range firstItems {
		t.tasks = append(t.tasks, create("/v1/projects/"+t.projects[0]+"/tasks", taskBody, i))
	}
	for range own {
		t.own = append(t.own, &ownProject{id: create("/v1/projects", projectBody), status: "draft"})
	}
	if failed == nil {
		failed = t.id.UnmarshalText([]byte(id))
	}
	return failed
}

func (t *tenant) passwordAnd(more string) string {
	return fmt.Sprintf(`{"email":%q,"password":"correct horse battery"%s}`, t.email, more)
}

// logIn gets a new token for the owner.
func (t *tenant) logIn(ctx context.Context, c *client) error {
	var session struct {
		Token string `json:"access_token"`
	}
	if err := c.read(ctx, "", post("/v1/auth/login", t.passwordAnd(""), http.StatusOK), &session); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	t.owner = headers("Authorization: Bearer "+session.Token+"\r\n") + t.inTenant
	return nil
}

// opMix is all operations in the shares of mix.
const opMix = "mix"

// mix is a day's work in percent: more is read than written.
var mix = []struct {
	op      string
	percent int
}{{"get-task", 30}, {"get-project", 20}, {"list-tasks", 20}, {"list-projects", 10}, {"create-task", 12}, {"transition", 8}}

// operations are those that can be measured, by name. Each makes the next request of
// one connection.
var operations = map[string]func(*desk) request{
	"create-task":   (*desk).createTask,
	opBulk:          (*desk).createTasks,
	"transition":    (*desk).transition,
	"get-project":   func(d *desk) request { return get("/v1/projects/" + d.any(d.tenant.projects)) },
	"get-task":      func(d *desk) request { return get("/v1/tasks/" + d.any(d.tenant.tasks)) },
	"list-projects": func(*desk) request { return get("/v1/projects?limit=50") },
	"list-tasks":    func(d *desk) request { return get("/v1/projects/" + d.tenant.projects[0] + "/tasks?limit=50") },
}

func operationNames() []string { return slices.Sorted(maps.Keys(operations)) }

// desk is where one connection works: in one tenant, and writing to one project.
type desk struct {
	tenant  *tenant
	project *ownProject
	random  *rand.Rand
	created int
}

// nextStatus moves a project from draft to active, and then between active and on hold.
var nextStatus = map[string]string{
	"draft": "submitted", "submitted": "approved", "approved": "active", "active": "on_hold", "on_hold": "active",
}

const taskBody = `{"title":"Survey the foundations %d","description":"By boat, before the winter","priority":"normal","labels":["sea"]}`

func (d *desk) createTask() request {
	d.created++
	return post("/v1/projects/"+d.project.id+"/tasks", fmt.Sprintf(taskBody, d.created), http.StatusCreated)
}

// opBulk creates bulkItems tasks with one request.
const opBulk, bulkItems = "bulk-create", 100

func (d *desk) createTasks() request {
	items := make([]string, bulkItems)
	for i := range items {
		d.created++
		items[i] = `{"project_id":"` + d.project.id + `",` + fmt.Sprintf(taskBody, d.created)[1:]
	}
	return post("/v1/tasks/bulk", `{"items":[`+strings.Join(items, ",")+`]}`, http.StatusOK)
}

func (d *desk) transition() request {
	to := nextStatus[d.project.status]
	r := post("/v1/projects/"+d.project.id+"/transitions", `{"to":"`+to+`"}`, http.StatusOK)
	r.done = func() { d.project.status = to }
	return r
}

func (d *desk) any(ids []string) string { return ids[d.random.IntN(len(ids))] }

// next makes the next request of an operation, or of the mix.
func (d *desk) next(op string) request {
	if op != opMix {
		return operations[op](d)
	}
	n := d.random.IntN(100)
	for _, share := range mix {
		if n -= share.percent; n < 0 {
			return operations[share.op](d)
		}
	}
	panic("the shares of the mix aren't 100 percent")
}
