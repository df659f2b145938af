package commands_test

import (
	"testing"

	"docket/commands"
	"docket/domain"
)

// The operator decides who registers: each policy, from here and from elsewhere, with the
// setup code and without, before and after the tenant has its founder.
func TestRegistrationPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	with := func(p commands.RegistrationPolicy) *commands.Commands {
		t.Helper()
		c, err := commands.New(commands.Config{Store: w.store, Passwords: w.passwords, SetupCode: "let-me-in", Registration: p})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	n := 0
	refusal := domain.CodeSetupCodeRequired // until the tenant has its founder
	try := func(p commands.RegistrationPolicy, by commands.Registrant, admitted bool) {
		t.Helper()
		want := refusal
		if p == commands.RegisterNone {
			want = domain.CodeRegistrationClosed
		}
		n++
		email := string(rune('a'+n)) + "@example.org"
		_, err := with(p).Register(t.Context(), w.def, commands.Origin{}, commands.Registration{
			Email: email, Password: password, Name: "N", Registrant: by,
		})
		if admitted != (err == nil) || err != nil && domain.CodeOf(err) != want {
			t.Errorf("%s, %+v: %v; want it admitted: %t", p, by, err, admitted)
		}
		if _, found, err := with(p).UserByEmail(t.Context(), email); err != nil || found != admitted {
			t.Errorf("%s, %+v: a user was made: %t, %v", p, by, found, err)
		}
	}
	local, code, wrong := commands.Registrant{Local: true}, commands.Registrant{SetupCode: "let-me-in"}, commands.Registrant{SetupCode: "let-me"}
	for _, p := range []commands.RegistrationPolicy{commands.RegisterNone, commands.RegisterInvited, commands.RegisterLocal, ""} {
		try(p, wrong, false)
		try(p, commands.Registrant{}, false)
	}
	try(commands.RegisterNone, code, false)
	try(commands.RegisterNone, local, false)
	try(commands.RegisterInvited, code, true) // founds the tenant
	refusal = domain.CodeRegistrationClosed
	try(commands.RegisterInvited, local, false)
	for _, p := range []commands.RegistrationPolicy{commands.RegisterNone, commands.RegisterInvited, commands.RegisterLocal} {
		try(p, code, false)
	}
	try(commands.RegisterLocal, local, true)
	try("", local, true)
	try(commands.RegisterAnyone, commands.Registrant{}, true)
}

func TestWhoCreatesTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.register("ann@example.org"), w.register("bob@example.org")
	with := func(cfg commands.Config) *commands.Commands {
		t.Helper()
		cfg.Store = w.store
		c, err := commands.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	create := func(c *commands.Commands, u domain.UserID, slug string) error {
		_, err := c.CreateTenant(t.Context(), u, commands.Origin{}, commands.NewTenant{Name: "N", Slug: slug})
		return err
	}
	w.wantCode(create(with(commands.Config{OnlyOperatorsCreate: true}), bob, "closed"), domain.CodeRegistrationClosed)
	two := with(commands.Config{TenantsPerUser: 2})
	for _, slug := range []string{"b1", "b2"} { // bob is a member of default, which isn't his
		if err := create(two, bob, slug); err != nil {
			t.Fatal(err)
		}
	}
	w.wantCode(create(two, bob, "b3"), domain.CodeRegistrationClosed)
	if err := create(two, ann, "a1"); err != nil { // she owns default
		t.Fatal(err)
	}
	w.wantCode(create(two, ann, "a2"), domain.CodeRegistrationClosed)
	if err := create(with(commands.Config{}), ann, "a2"); err != nil {
		t.Error(err)
	}
}

// Whom an owner has removed isn't taken back by an open tenant, until an owner adds them.
func TestRemovedMembersStayOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	ann, bob := w.register("ann@example.org"), w.register("bob@example.org")
	join := func() (domain.Role, error) {
		done, err := w.two.Join(ctx, w.def, bob, commands.Origin{}, commands.Registrant{})
		return done.State.Role, err
	}
	remove := func(by domain.UserID) {
		t.Helper()
		if _, err := w.one.RemoveMember(ctx, w.scope(w.one, by), commands.Origin{}, bob, domain.RemoveMember{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.one.ChangeRole(ctx, w.scope(w.one, ann), commands.Origin{}, bob, domain.ChangeRole{Role: domain.To(domain.Viewer)}); err != nil {
		t.Fatal(err)
	}
	remove(bob)
	if role, err := join(); err != nil || role != domain.Viewer {
		t.Errorf("came back as %q, %v; want the viewer that an owner had made", role, err)
	}
	remove(ann)
	if _, err := join(); domain.CodeOf(err) != domain.CodeTenantAccessDenied {
		t.Errorf("a removed member joins: %v", err)
	}
	if _, err := w.one.AddMember(ctx, w.scope(w.one, ann), commands.Origin{}, "bob@example.org", domain.Member); err != nil {
		t.Fatal(err)
	}
	remove(bob)
	if role, err := join(); err != nil || role != domain.Member {
		t.Errorf("came back as %q, %v", role, err)
	}
}
