package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// What each tenant has at first. One page of a list is as long.
const (
	firstProjects = 50
	firstTasks    = 50
)

// company is a tenant, its owner, and what it has.
type company struct {
	id    string
	email string // the owner's
	owner credentials
	// projects are for reading; listed is the one that has the tasks.
	projects []string
	listed   string
	tasks    []string
	// own are projects for connections to write to.
	own []*ownProject
	// until is when the owner's token ends.
	until time.Time
}

// foundCompanies makes n tenants through the API, each with own projects for the
// connections to write to. A few are made at once: passwords are slow to hash.
func foundCompanies(ctx context.Context, addr string, n, own int) ([]*company, error) {
	all := make([]*company, n)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for i := range all {
		g.Go(func() (err error) {
			c := &client{addr: addr}
			defer c.close()
			all[i], err = found(ctx, c, own)
			return err
		})
	}
	return all, g.Wait()
}

func found(ctx context.Context, c *client, own int) (*company, error) {
	id := uuid.NewString()
	email := "bench-" + id + "@example.org"
	register := request{method: http.MethodPost, path: "/v1/auth/register", body: fmt.Sprintf(`{%s,"name":"Bench"}`, secrets(email)), want: http.StatusCreated}
	if _, err := c.expect(ctx, credentials{}, register, false); err != nil {
		return nil, err
	}
	out := &company{email: email}
	if err := c.logIn(ctx, out); err != nil {
		return nil, err
	}
	var err error
	if out.id, err = c.create(ctx, out.owner, "/v1/tenants", fmt.Sprintf(`{"name":"Bench","slug":"bench-%s"}`, id[:23])); err != nil {
		return nil, err
	}
	out.owner.tenant = out.id
	for i := range firstProjects + own {
		p, err := c.create(ctx, out.owner, "/v1/projects", fmt.Sprintf(`{"name":"Project %d","description":"Deepen the harbour"}`, i))
		if err != nil {
			return nil, err
		}
		if i < firstProjects {
			out.projects = append(out.projects, p)
		} else {
			out.own = append(out.own, &ownProject{id: p, status: "draft"})
		}
	}
	out.listed = out.projects[0]
	for i := range firstTasks {
		t, err := c.create(ctx, out.owner, "/v1/projects/"+out.listed+"/tasks", fmt.Sprintf(taskBody, i))
		if err != nil {
			return nil, err
		}
		out.tasks = append(out.tasks, t)
	}
	return out, nil
}

func secrets(email string) string {
	return fmt.Sprintf(`"email":%q,"password":"correct horse battery"`, email)
}

// logIn gets a new token for a tenant's owner.
func (c *client) logIn(ctx context.Context, of *company) error {
	var session struct {
		Token   string `json:"access_token"`
		Expires int    `json:"expires_in"`
	}
	login := request{method: http.MethodPost, path: "/v1/auth/login", body: `{` + secrets(of.email) + `}`, want: http.StatusOK}
	if err := c.ask(ctx, credentials{}, login, &session); err != nil {
		return err
	}
	of.owner.token, of.until = session.Token, time.Now().Add(time.Duration(session.Expires)*time.Second)
	return nil
}

// logIn gets new tokens for all.
func logIn(ctx context.Context, addr string, all []*company) error {
	c := &client{addr: addr}
	defer c.close()
	for _, of := range all {
		if err := c.logIn(ctx, of); err != nil {
			return fmt.Errorf("log in: %w", err)
		}
	}
	return nil
}

// create posts something and returns its id.
func (c *client) create(ctx context.Context, as credentials, path, body string) (string, error) {
	var made struct {
		ID string `json:"id"`
	}
	err := c.ask(ctx, as, request{method: http.MethodPost, path: path, body: body, want: http.StatusCreated}, &made)
	return made.ID, err
}

// ask is expect, and reads the answer's body into to.
func (c *client) ask(ctx context.Context, as credentials, r request, to any) error {
	a, err := c.expect(ctx, as, r, true)
	if err != nil {
		return err
	}
	return json.Unmarshal(a.Body, to)
}
