package projections

import (
	"errors"
	"slices"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"

	"github.com/google/go-cmp/cmp"
)

// found fails the test unless err is nil.
func must[R any](t *testing.T) func(R, error) R {
	return func(r R, err error) R {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

func same[R any](t *testing.T, got, want R) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("-want +got:\n%s", d)
	}
}

func isNotFound(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, domain.NotFound("")) {
		t.Fatalf("got %v, want not-found", err)
	}
}

func TestOneOfEach(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 3)
	c, ann := w.Found(t, "acme")
	bob := tenanttest.NewID[domain.UserID](t)
	c.Join(t, bob, "Bob", domain.Member)
	due, text := domain.Date("2026-12-24"), "All \"of\" it,\n<b>every</b> bit 🎄"
	website := tenanttest.NewID[domain.ProjectID](t)
	if err := c.ChangeProject(t, ann, website, domain.CreateProject{
		ID: website, Name: "Website", Description: &text, Visibility: domain.Public, DueDate: &due,
	}); err != nil {
		t.Fatal(err)
	}
	plain := c.CreateProject(t, bob, "Plain")
	full := c.CreateTask(t, ann, website, domain.CreateTask{
		Title: "Draw", Description: &text, Priority: domain.Urgent, AssigneeID: &bob, Assignee: c.Members[bob],
		Labels: []string{"a,b", `"q"`, "{}", "null", "ünïcode"}, DueDate: &due,
	})
	bare := c.CreateTask(t, bob, plain, domain.CreateTask{Title: "Bare"})
	w.Caught(t, c)
	s, f := c.Scope(t, ann), Fresh{}
	member := func(u domain.UserID) *domain.Membership {
		t.Helper()
		all, _, err := w.queries.Members(t.Context(), s, MemberFilter{}, Page{}, f)
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(all, func(m domain.Membership) bool { return m.UserID == u }); i >= 0 {
			return &all[i]
		}
		return nil
	}

	same(t, must[domain.Project](t)(w.queries.Project(t.Context(), s, website, f)), c.Projects[website])
	same(t, must[domain.Project](t)(w.queries.Project(t.Context(), s, plain, f)), c.Projects[plain])
	same(t, must[domain.Task](t)(w.queries.Task(t.Context(), s, full, f)), c.Tasks[full])
	same(t, must[domain.Task](t)(w.queries.Task(t.Context(), s, bare, f)), c.Tasks[bare])
	same(t, *member(bob), c.Members[bob])
	same(t, must[domain.Tenant](t)(w.queries.Tenant(t.Context(), s, f)), c.State)

	_, err := w.queries.Project(t.Context(), s, domain.ProjectID(full), f)
	isNotFound(t, err)
	_, err = w.queries.Task(t.Context(), s, domain.TaskID(website), f)
	isNotFound(t, err)

	// What is deleted isn't there, nor what hangs on it.
	if err := c.ChangeProject(t, ann, website, domain.DeleteProject{}); err != nil {
		t.Fatal(err)
	}
	if err := c.ChangeTask(t, ann, bare, domain.DeleteTask{Project: c.Projects[plain]}); err != nil {
		t.Fatal(err)
	}
	if err := c.ChangeMember(t, bob, bob, domain.RemoveMember{}); err != nil {
		t.Fatal(err)
	}
	w.Caught(t, c)
	_, err = w.queries.Project(t.Context(), s, website, f)
	isNotFound(t, err)
	_, err = w.queries.Task(t.Context(), s, full, f)
	isNotFound(t, err)
	_, err = w.queries.Task(t.Context(), s, bare, f)
	isNotFound(t, err)
	if m := member(bob); m != nil {
		t.Errorf("who left is still there: %+v", m)
	}

	// Who joins again goes on in the same stream.
	c.Join(t, bob, "Robert", domain.Viewer)
	w.Caught(t, c)
	same(t, *member(bob), c.Members[bob])
}

func TestMemberships(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 100)
	first, ann := w.Found(t, "first")
	second, _ := w.Found(t, "second")
	third, _ := w.Found(t, "third")
	second.Join(t, ann, "Ann", domain.Viewer)
	third.Join(t, ann, "Ann", domain.Member)
	if err := third.ChangeMember(t, third.UserIDs[0], ann, domain.RemoveMember{}); err != nil {
		t.Fatal(err)
	}
	fresh := map[domain.TenantID]int64{first.ID: first.Head(), second.ID: second.Head(), third.ID: third.Head()}
	for _, c := range []*tenanttest.Tenant{first, second, third} {
		w.Caught(t, c)
	}
	want := []UserTenant{
		{Tenant: first.State, Role: domain.Owner, JoinedAt: first.Members[ann].JoinedAt},
		{Tenant: second.State, Role: domain.Viewer, JoinedAt: second.Members[ann].JoinedAt},
	}
	page := func(u domain.UserID, p Page) ([]UserTenant, *Keyset) {
		t.Helper()
		items, next, err := w.queries.Memberships(t.Context(), u, p, fresh)
		if err != nil {
			t.Fatal(err)
		}
		return items, next
	}
	all, next := page(ann, Page{})
	same(t, all, want)
	one, more := page(ann, Page{Limit: 1})
	if next != nil || more == nil {
		t.Fatalf("there is more after all (%v), and nothing after the first (%v)", next, more)
	}
	same(t, one, want[:1])
	two, next := page(ann, Page{Limit: 1, After: more})
	same(t, two, want[1:])
	if got, _ := page(tenanttest.NewID[domain.UserID](t), Page{}); next != nil || len(got) != 0 {
		t.Fatalf("more after the last: %v; a stranger has %v", next, got)
	}
}

// A tenant whose build is incomplete doesn't keep the list from the other tenants. The
// list leaves that tenant out, even if it has rows of the membership already.
func TestMembershipsBesideAnIncompleteBuild(t *testing.T) {
	t.Parallel()
	for _, model := range []string{members.Name, tenants.Name} {
		w := newWorld(t)
		w.RunAll(t, 100)
		half, ann := w.Found(t, "half")
		whole, _ := w.Found(t, "whole")
		whole.Join(t, ann, "Ann", domain.Viewer)
		w.Caught(t, half)
		w.Caught(t, whole)
		// As if the model were newer than both logs, and had been folded to the end of one.
		for _, sql := range []string{
			`insert into subscriptions (name) select $1 where $2::uuid is not null`,
			`update checkpoints set complete = tenant_id <> $2 where subscription = $1`,
		} {
			if _, err := w.Engine.Exec(t.Context(), sql, model, half.ID.UUID()); err != nil {
				t.Fatal(err)
			}
		}
		w.queries = NewQueries(w.API, feed.NewPositions(w.API)) // which remembers nothing
		list := func() (slugs []string) {
			t.Helper()
			items, _, err := w.queries.Memberships(t.Context(), ann, Page{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range items {
				slugs = append(slugs, item.Tenant.Slug)
			}
			return slugs
		}
		same(t, list(), []string{"whole"})
		if _, err := w.Engine.Exec(t.Context(), `update checkpoints set complete = true`); err != nil {
			t.Fatal(err)
		}
		same(t, list(), []string{"half", "whole"})
	}
}

func TestScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 100)
	c, ann := w.Found(t, "acme")
	bob := tenanttest.NewID[domain.UserID](t)
	c.Join(t, bob, "Bob", domain.Member)
	p := c.CreateProject(t, ann, "Website")
	w.Caught(t, c)
	stale := c.Scope(t, bob)
	if err := c.ChangeMember(t, ann, bob, domain.ChangeRole{Role: domain.To(domain.Viewer)}); err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func(domain.Scope) error{
		"project": func(s domain.Scope) error { _, err := w.queries.Project(t.Context(), s, p, Fresh{}); return err },
		"projects": func(s domain.Scope) error {
			_, _, err := w.queries.Projects(t.Context(), s, ProjectFilter{}, Order{}, Page{}, Fresh{})
			return err
		},
		"tasks": func(s domain.Scope) error {
			_, _, err := w.queries.Tasks(t.Context(), s, TaskFilter{}, Order{}, Page{}, Fresh{})
			return err
		},
		"members": func(s domain.Scope) error {
			_, _, err := w.queries.Members(t.Context(), s, MemberFilter{}, Page{}, Fresh{})
			return err
		},
		"tenant": func(s domain.Scope) error { _, err := w.queries.Tenant(t.Context(), s, Fresh{}); return err },
		"activity": func(s domain.Scope) error {
			_, _, err := w.queries.Activity(t.Context(), s, ActivityFilter{}, 0, Fresh{})
			return err
		},
		"events": func(s domain.Scope) error { _, _, err := w.queries.Events(t.Context(), s, Span{}, 0); return err },
		"head":   func(s domain.Scope) error { _, err := w.queries.SeqHead(t.Context(), s); return err },
		"seq at": func(s domain.Scope) error { _, err := w.queries.SeqAt(t.Context(), s, time.Now()); return err },
		"history": func(s domain.Scope) error {
			_, _, err := w.queries.History(t.Context(), s, domain.Stream(domain.ProjectStream, p), Span{}, 0)
			return err
		},
		"missing": func(s domain.Scope) error {
			_, err := w.queries.Project(t.Context(), s, tenanttest.NewID[domain.ProjectID](t), Fresh{})
			if errors.Is(err, domain.NotFound("")) {
				return nil
			}
			return err
		},
	} {
		if err := ask(stale); !errors.Is(err, domain.ErrScopeStale) {
			t.Errorf("%s with a membership that moved: %v", name, err)
		}
		if err := ask(c.Scope(t, bob)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := ask(domain.Operate(c.ID)); err != nil {
			t.Errorf("%s by an operator: %v", name, err)
		}
		if err := ask(domain.Scope{}); !errors.Is(err, domain.TenantAccessDenied()) {
			t.Errorf("%s with no scope: %v", name, err)
		}
	}
}
