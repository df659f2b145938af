package commands_test

import (
	"slices"
	"sync"
	"testing"

	"docket/commands"
	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"
)

func TestComments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	ann, bob := w.register("ann@example.org"), w.register("bob@example.org")
	a, b := w.scope(w.one, ann), w.scope(w.two, bob)
	p, err := w.one.CreateProject(ctx, a, commands.Origin{}, domain.CreateProject{Name: "P", Visibility: domain.Private})
	if err != nil {
		t.Fatal(err)
	}
	task, err := w.one.CreateTask(ctx, a, commands.Origin{}, p.State.ID, domain.CreateTask{Title: "T", Priority: domain.Normal})
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.two.CreateComment(ctx, b, commands.Origin{}, task.State.ID, domain.CreateComment{
		Body: "see @ANN@example.org, @unknown@example.org and x@bob@example.org."})
	if err != nil || c.State.AuthorID != bob || !slices.Equal(c.State.Mentions, []domain.UserID{ann}) {
		t.Fatalf("comment by %s mentions %v, error %v, want by %s, mentions %v", c.State.AuthorID, c.State.Mentions, err, bob, ann)
	}
	_, err = w.one.EditComment(ctx, a, commands.Origin{}, c.State.ID, domain.EditComment{Body: domain.To("x")})
	w.wantCode(err, domain.CodeNotYours)
	edited, err := w.two.EditComment(ctx, b, commands.Origin{}, c.State.ID, domain.EditComment{Body: domain.To("@ann@example.org again, @bob@example.org")})
	if err != nil || edited.State.Version != 2 || !slices.Equal(edited.State.Mentions, []domain.UserID{ann, bob}) {
		t.Fatalf("edited: version %d mentions %v, error %v, want version 2, mentions %v and %v", edited.State.Version, edited.State.Mentions, err, ann, bob)
	}
	if _, err := w.one.DeleteComment(ctx, a, commands.Origin{}, c.State.ID, domain.DeleteComment{}); err != nil {
		t.Fatal(err)
	}
	_, err = w.two.EditComment(ctx, b, commands.Origin{}, c.State.ID, domain.EditComment{Body: domain.To("x")})
	w.wantCode(err, domain.CodeNotFound)
	_, err = w.two.CreateComment(ctx, b, commands.Origin{}, domain.TaskID(p.State.ID), domain.CreateComment{Body: "x"})
	w.wantCode(err, domain.CodeNotFound)
}

func TestFourEyes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	ann, bob := w.register("ann@example.org"), w.register("bob@example.org")
	a := w.scope(w.one, ann)
	if _, err := w.one.ChangeRole(ctx, a, commands.Origin{}, bob, domain.ChangeRole{Role: domain.To(domain.Manager)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.two.EditTenant(ctx, w.scope(w.two, ann), commands.Origin{}, domain.EditTenant{FourEyes: domain.To(true)}, domain.Edit[*string]{}); err != nil {
		t.Fatal(err)
	}
	p, err := w.one.CreateProject(ctx, a, commands.Origin{}, domain.CreateProject{Name: "P", Visibility: domain.Private})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.one.MoveProject(ctx, a, commands.Origin{}, p.State.ID, domain.MoveProject{To: domain.Submitted}); err != nil {
		t.Fatal(err)
	}
	_, err = w.one.MoveProject(ctx, a, commands.Origin{}, p.State.ID, domain.MoveProject{To: domain.Approved})
	w.wantCode(err, domain.CodeNotYours)
	approved, err := w.two.MoveProject(ctx, w.scope(w.two, bob), commands.Origin{}, p.State.ID, domain.MoveProject{To: domain.Approved})
	if err != nil {
		t.Fatal(err)
	}
	// What was approved has changed: it is submitted again, by one Commit.
	edited, err := w.one.EditProject(ctx, a, commands.Origin{}, p.State.ID, domain.EditProject{Name: domain.To("Q")})
	if err != nil || edited.State.Status != domain.Submitted || edited.State.Version != approved.State.Version+2 {
		t.Fatalf("an edit after the approval: %+v, %v", edited.State, err)
	}
	_, err = w.one.MoveProject(ctx, a, commands.Origin{}, p.State.ID, domain.MoveProject{To: domain.Approved})
	w.wantCode(err, domain.CodeNotYours)
}

// A new name is copied once into every tenant of which the user is a member, and into
// no other.
func TestRename(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	ann, bob := w.register("ann@example.org"), w.register("bob@example.org")
	acme, err := w.one.CreateTenant(ctx, bob, commands.Origin{}, commands.NewTenant{Name: "Acme", Slug: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	left, err := w.one.CreateTenant(ctx, ann, commands.Origin{}, commands.NewTenant{Name: "Left", Slug: "left"})
	if err != nil {
		t.Fatal(err)
	}
	ls, err := w.one.Admit(ctx, left.State.ID, ann, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.one.AddMember(ctx, ls, commands.Origin{}, "bob@example.org", domain.Member); err != nil {
		t.Fatal(err)
	}
	if _, err := w.one.RemoveMember(ctx, ls, commands.Origin{}, bob, domain.RemoveMember{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Robert", "Rob"} {
		if _, err := w.one.Rename(ctx, bob, commands.Origin{}, domain.RenameUser{Name: domain.To(name)}); err != nil {
			t.Fatal(err)
		}
	}
	events, err := tenanttest.Load(ctx, w.store, domain.Platform, domain.Stream(domain.UserStream, bob), 0)
	if err != nil || len(events) != 3 {
		t.Fatalf("the user's stream has %d events, error %v, want 3", len(events), err)
	}
	// Two replicas handle the page concurrently, one of them twice.
	var handled sync.WaitGroup
	for _, c := range []*commands.Commands{w.one, w.two, w.one} {
		handled.Go(func() {
			if err := c.CarryRenames(bounded(t), &feed.Page{Tenant: domain.Platform, Events: events}); err != nil {
				t.Error(err)
			}
		})
	}
	handled.Wait()
	for tenant, want := range map[domain.TenantID]int{w.def: 3, acme.State.ID: 3, left.State.ID: 2} {
		got, err := tenanttest.Load(ctx, w.store, tenant, domain.Stream(domain.MemberStream, bob), 0)
		if err != nil || len(got) > want || len(got) < min(want, 2) {
			t.Errorf("the membership in %s has %d events, error %v, want 2 to %d", tenant, len(got), err, want)
		}
		s, err := w.two.Admit(ctx, tenant, bob, true)
		if tenant == left.State.ID {
			w.wantCode(err, domain.CodeTenantAccessDenied)
		} else if err != nil || s.Actor().Name != "Rob" {
			t.Errorf("the name in %s is %q, error %v, want Rob", tenant, s.Actor().Name, err)
		}
	}
}
