package httpapi

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"docket/domain"
	"docket/eventstore"
)

// person is somebody who sends requests: with a token or none, in a tenant or
// the default one, to one replica.
type person struct {
	w      *world
	server http.Handler
	id     domain.UserID
	email  string
	name   string
	token  string
	// headers go with every request.
	headers []string
	// mustNotSee fails the test where it stands in an answer.
	mustNotSee string
}

// anonymous is a caller without a token.
func (w *world) anonymous() person { return person{w: w, server: w.server} }

// user makes a user of the default tenant who is logged in. Only the hashing of
// a password, which takes longer than all the rest, is left to the tests of
// registration: those who need one call signUp.
func (w *world) user(name string) person {
	w.Helper()
	p := w.named(name)
	p.id = domain.UserID(uuid.Must(uuid.NewV7()))
	_, err := w.store.Append(w.Context(), eventstore.Commit{
		Command: domain.CommandID(uuid.New()), Actor: p.id,
		Parts: []eventstore.Part{{Tenant: domain.Platform, Stream: domain.Stream(domain.UserStream, p.id), Events: []domain.Event{
			domain.UserRegistered{Email: domain.About(p.id, p.email), Name: domain.About(p.id, name)},
		}}},
		Claims: []eventstore.Claim{{Tenant: domain.Platform, Kind: eventstore.ClaimEmail, Value: domain.FoldEmail(p.email), Holder: p.id.UUID()}},
	})
	if err != nil {
		w.Fatal(err)
	}
	p = p.session()
	p.post("/v1/tenants/join", "").want(201)
	return p
}

// signUp registers a user in the default tenant and logs in.
func (w *world) signUp(name string) person {
	w.Helper()
	p := w.named(name)
	made := p.post("/v1/auth/register", jsonOf(map[string]any{"email": p.email, "password": password, "name": name})).want(201)
	p.id = as[UserBody](made).ID
	return p.login()
}

// named is an anonymous caller with a name and an address of its own.
func (w *world) named(name string) person {
	p := w.anonymous()
	p.name = name
	p.email = fmt.Sprintf("%s.%d@example.org", strings.ReplaceAll(strings.ToLower(name), " ", "."), w.persons.Add(1))
	return p
}

// login gives one who signed up a new session.
func (p person) login() person {
	p.w.Helper()
	p.token = as[sessionTokensBody](p.post("/v1/auth/login", jsonOf(map[string]any{"email": p.email, "password": password})).want(200)).AccessToken
	return p
}

// session gives a user a new session without a password.
func (p person) session() person {
	p.w.Helper()
	id := uuid.Must(uuid.NewV7())
	p.w.beginSession(id, p.id)
	token, _, err := p.w.server.tokens.Issue(p.id, id)
	if err != nil {
		p.w.Fatal(err)
	}
	p.token = token
	return p
}

// in is the person in a tenant.
func (p person) in(t domain.TenantID) person {
	return p.with(tenantIDHeader, t.String())
}

// with is the person with one more header on every request; an empty value
// takes it away.
func (p person) with(name, value string) person {
	p.headers = append(p.headers[:len(p.headers):len(p.headers)], name, value)
	return p
}

// at is the person at another replica.
func (p person) at(s http.Handler) person {
	p.server = s
	return p
}

// company is a tenant with a member of each role.
type company struct {
	w     *world
	id    domain.TenantID
	slug  string
	staff map[domain.Role]person // each in the tenant
}

// company makes a tenant. prefix begins the name of everything in it.
func (w *world) company(slug, prefix string) *company {
	w.Helper()
	owner := w.user(prefix + " owner")
	made := as[tenantBody](owner.post("/v1/tenants", jsonOf(map[string]any{"name": prefix + " company", "slug": slug})).want(201))
	c := &company{w: w, id: made.ID, slug: slug, staff: map[domain.Role]person{domain.Owner: owner.in(made.ID)}}
	var last int64
	for _, role := range domain.Roles() {
		if role == domain.Owner {
			continue
		}
		p := w.user(prefix + " " + string(role))
		last = c.as(domain.Owner).post("/v1/members", jsonOf(map[string]any{"email": p.email, "role": role})).want(201).seq()
		c.staff[role] = p.in(c.id)
	}
	w.caughtUp(c.id, last) // so that each sees themselves
	return c
}

func (c *company) as(r domain.Role) person { return c.staff[r] }

// anotherThan is a manager or owner who isn't p.
func (c *company) anotherThan(p person) person {
	if p.id == c.as(domain.Manager).id {
		return c.as(domain.Owner)
	}
	return c.as(domain.Manager)
}

// project makes a project of the person's in their tenant.
func (p person) project(name string) projectBody {
	p.w.Helper()
	return as[projectBody](p.post("/v1/projects", jsonOf(map[string]any{"name": name})).want(201))
}

// task puts a task on a project's list.
func (p person) task(project domain.ProjectID, title string) taskBody {
	p.w.Helper()
	return as[taskBody](p.post("/v1/projects/"+project.String()+"/tasks", jsonOf(map[string]any{"title": title})).want(201))
}

// comment says something about a task.
func (p person) comment(task domain.TaskID, body string) commentBody {
	p.w.Helper()
	return as[commentBody](p.post("/v1/tasks/"+task.String()+"/comments", jsonOf(map[string]any{"body": body})).want(201))
}

// move takes a project along the workflow.
func (p person) move(project domain.ProjectID, to ...domain.Status) {
	p.w.Helper()
	for _, status := range to {
		p.post("/v1/projects/"+project.String()+"/transitions", jsonOf(map[string]any{"to": status})).want(200)
	}
}
