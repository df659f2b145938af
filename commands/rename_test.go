package commands_test

import (
	"testing"

	"docket/commands"
	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"
)

// An older name that arrives late doesn't replace the newer one with which a user
// joined. Schema version 1 of member.joined lacks the user's version, so there the
// names are copied.
func TestRenameAfterJoining(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	ann := w.register("ann@example.org")
	bob := w.register("bob@example.org")
	rename := func(name string) {
		t.Helper()
		if _, err := w.one.Rename(ctx, bob, commands.Origin{}, domain.RenameUser{Name: domain.To(name)}); err != nil {
			t.Fatal(err)
		}
	}
	create := func(by domain.UserID, slug string) domain.TenantID {
		t.Helper()
		done, err := w.one.CreateTenant(ctx, by, commands.Origin{}, commands.NewTenant{Name: slug, Slug: slug})
		if err != nil {
			t.Fatal(err)
		}
		return done.State.ID
	}
	rename("Robert")
	rename("Rob")
	since := create(bob, "since")
	older := create(ann, "older")
	w.insert(older, domain.Stream(domain.MemberStream, bob), 1, "member.joined", 1, `{"user_id":"`+bob.String()+`","role":"member",
"email":{"$p":{"subject":"`+bob.String()+`","key":"none","value":"bob@example.org"}},
"name":{"$p":{"subject":"`+bob.String()+`","key":"none","value":"Rob"}}}`, `{}`)
	if _, err := w.engine.Exec(ctx, `insert into claims (tenant_id, kind, value, holder) values ($1, $2, $3::uuid::text, $3)`,
		domain.Platform.UUID(), "memberships/"+bob.String(), older.UUID()); err != nil {
		t.Fatal(err)
	}

	events, err := tenanttest.Load(ctx, w.store, domain.Platform, domain.Stream(domain.UserStream, bob), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.two.CarryRenames(ctx, &feed.Page{Tenant: domain.Platform, Events: events}); err != nil {
		t.Fatal(err)
	}
	for tenant, want := range map[domain.TenantID]struct{ events, joinedWith int }{w.def: {3, 1}, since: {1, 3}, older: {3, 0}} {
		got, err := tenanttest.Load(ctx, w.store, tenant, domain.Stream(domain.MemberStream, bob), 0)
		if err != nil || len(got) != want.events {
			t.Fatalf("the membership in %s has %d events, error %v, want %d", tenant, len(got), err, want.events)
		}
		if joined := got[0].Event.(domain.MemberJoined); joined.UserVersion != want.joinedWith {
			t.Errorf("joined %s with version %d of the user, want %d", tenant, joined.UserVersion, want.joinedWith)
		}
		if s, err := w.two.Admit(ctx, tenant, bob, true); err != nil || s.Actor().Name != "Rob" {
			t.Errorf("the name in %s is %q, error %v, want Rob", tenant, s.Actor().Name, err)
		}
	}
	// A name that is newer than the joining is copied.
	rename("Bobby")
	events, err = tenanttest.Load(ctx, w.store, domain.Platform, domain.Stream(domain.UserStream, bob), len(events))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.two.CarryRenames(ctx, &feed.Page{Tenant: domain.Platform, Events: events}); err != nil {
		t.Fatal(err)
	}
	if s, err := w.two.Admit(ctx, since, bob, true); err != nil || s.Actor().Name != "Bobby" {
		t.Errorf("the name is %q, error %v, want Bobby", s.Actor().Name, err)
	}
}
