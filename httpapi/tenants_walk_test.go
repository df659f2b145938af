package httpapi

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"docket/domain"
)

// The first part of the tour: users, tenants, members.
func TestUsersAndTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob, cem := w.signUp("Ann"), w.signUp("Bob"), w.signUp("Cem")

	me := as[currentUserBody](ann.get("/v1/me").want(200))
	if me.ID != ann.id || me.Email != ann.email || me.Name != "Ann" || me.EmailVerified ||
		len(me.Memberships) != 1 || me.Memberships[0].Slug != "default" || me.Memberships[0].Role != domain.Owner {
		t.Errorf("the first: %+v", me)
	}
	for _, p := range []person{bob, cem} {
		if got := as[currentUserBody](p.get("/v1/me").want(200)).Memberships; len(got) != 1 || got[0].Role != domain.Member {
			t.Errorf("%s: %+v", p.name, got)
		}
	}
	changed := ann.patch("/v1/members/"+cem.id.String(), `{"role":"manager"}`).want(200)
	if m := as[memberBody](changed); m.Role != domain.Manager || m.Version != 2 || changed.Header().Get("ETag") != `"2"` {
		t.Errorf("%+v", m)
	}

	made := bob.post("/v1/tenants", `{"name":"Bob's","slug":"bobs-2"}`).want(201)
	bobs := as[tenantBody](made)
	if bobs.Role != domain.Owner || bobs.Slug != "bobs-2" || bobs.Version != 1 || made.seq() != 2 {
		t.Errorf("%+v, seq %d", bobs, made.seq())
	}
	ann.post("/v1/tenants", `{"name":"x","slug":"bobs-2"}`).refused(domain.CodeSlugTaken)
	for _, slug := range []string{"a", "-a", "a-", "A1", "a_b", "ä1", "01234567890123456789012345678901234567890"} {
		ann.post("/v1/tenants", jsonOf(map[string]any{"name": "x", "slug": slug})).refused(domain.CodeValidationFailed)
	}
	if got := items[tenantBody](bob.get("/v1/tenants")); len(got) != 2 || got[0].Slug != "default" || got[1].ID != bobs.ID || got[1].Role != domain.Owner {
		t.Errorf("%+v", got)
	}
	owner := bob.in(bobs.ID)
	settings := owner.get("/v1/admin/tenant").want(200)
	if s := as[tenantSettingsBody](settings); s.Registration != domain.RegistrationClosed || s.DefaultRole != domain.Member {
		t.Errorf("born %+v", s)
	}
	cem.in(bobs.ID).post("/v1/tenants/join", "").refused(domain.CodeRegistrationClosed)
	edited := owner.patch("/v1/admin/tenant", `{"name":"Bob & Co","registration":"open","default_role":"viewer"}`,
		"If-Match", settings.Header().Get("ETag")).want(200)
	if s := as[tenantSettingsBody](edited); s.Name != "Bob & Co" || s.Registration != domain.RegistrationOpen ||
		s.DefaultRole != domain.Viewer || s.Version != 2 || edited.seq() != 3 {
		t.Errorf("%+v", s)
	}
	owner.patch("/v1/admin/tenant", `{"name":"again"}`, "If-Match", `"1"`).refused(domain.CodeVersionConflict, "current_version", "2")
	if again := owner.patch("/v1/admin/tenant", `{"registration":"open"}`).want(200); again.seq() != 3 || as[tenantSettingsBody](again).Version != 2 {
		t.Errorf("a change of nothing: seq %d, %s", again.seq(), again.Body)
	}
	for _, bad := range []string{`{"default_role":"owner"}`, `{"registration":null}`, `{"slug":"other"}`, `{"name":" "}`} {
		owner.patch("/v1/admin/tenant", bad).refused(domain.CodeValidationFailed)
	}

	joined := cem.with(tenantSlugHeader, "bobs-2").post("/v1/tenants/join", "").want(201)
	if m := as[memberBody](joined); m.UserID != cem.id || m.Role != domain.Viewer || joined.seq() != 4 {
		t.Errorf("%+v", m)
	}
	cem.in(bobs.ID).post("/v1/tenants/join", "").refused(domain.CodeAlreadyMember)
	// One who registers there becomes a member there, and of no other tenant.
	dana := w.anonymous().in(bobs.ID)
	dana.email = "dana@example.org"
	dana.post("/v1/auth/register", `{"email":"dana@example.org","password":"`+password+`","name":"Dana"}`).want(201)
	if got := as[currentUserBody](dana.login().get("/v1/me").want(200)).Memberships; len(got) != 1 || got[0].Slug != "bobs-2" || got[0].Name != "Bob & Co" || got[0].Role != domain.Viewer {
		t.Errorf("%+v", got)
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob, cem, stranger := w.user("Ann"), w.user("Bob"), w.user("Cem"), w.user("Stranger")
	acme := as[tenantBody](ann.post("/v1/tenants", `{"name":"Acme","slug":"acme"}`).want(201)).ID
	ann, bob, cem, stranger = ann.in(acme), bob.in(acme), cem.in(acme), stranger.in(acme)
	at := func(p person) string { return "/v1/members/" + p.id.String() }

	added := ann.post("/v1/members", `{"email":"`+bob.email+`","role":"viewer"}`).want(201)
	if m := as[memberBody](added); m.UserID != bob.id || m.Email != bob.email || m.Name != "Bob" || m.Role != domain.Viewer || m.Version != 1 {
		t.Errorf("%+v", m)
	}
	if added.Header().Get("Location") != at(bob) || added.Header().Get("ETag") != `"1"` || added.seq() != 3 {
		t.Error(added.Header())
	}
	ann.post("/v1/members", `{"email":"`+bob.email+`","role":"member"}`).refused(domain.CodeAlreadyMember)
	// Asked by the address, whatever its case.
	ann.post("/v1/members", `{"email":"`+strings.ToUpper(bob.email)+`","role":"member"}`).refused(domain.CodeAlreadyMember)
	ann.post("/v1/members", `{"email":"unknown@example.org","role":"member"}`).invalid("/email unknown_user")
	ann.post("/v1/members", `{"email":"`+cem.email+`","role":"admin"}`).invalid("/role enum")
	ann.post("/v1/members", `{"email":"`+cem.email+`","role":"owner"}`).want(201)

	names := func(p person) (names []string) {
		for _, m := range items[memberBody](p.get("/v1/members")) {
			names = append(names, m.Name+" "+string(m.Role))
		}
		return names
	}
	if got := names(ann); !slices.Equal(got, []string{"Ann owner", "Bob viewer", "Cem owner"}) {
		t.Error(got)
	}
	ann.patch(at(bob), `{"role":"auditor"}`, "If-Match", `"7"`).refused(domain.CodeVersionConflict, "current_version", "1")
	if same := ann.patch(at(bob), `{"role":"viewer"}`).want(200); same.seq() != added.seq() || same.Header().Get("ETag") != `"1"` {
		t.Error("a change of nothing made an event")
	}
	ann.patch(at(bob), `{"role":null}`).invalid("/role type")
	ann.patch(at(bob), `{}`).want(200)
	w.caughtUp(acme, ann.patch(at(bob), `{"role":"auditor"}`, "If-Match", `"1"`).want(200).seq())
	if got := names(bob); !slices.Equal(got, []string{"Ann owner", "Bob auditor", "Cem owner"}) { // auditors read it
		t.Error(got)
	}

	bob.delete(at(ann)).refused(domain.CodeInsufficientRole, "required_role", `"owner"`, "your_role", `"auditor"`)
	ann.delete(at(stranger)).refused(domain.CodeNotFound)
	stranger.get("/v1/members").refused(domain.CodeTenantAccessDenied)
	bob.delete(at(bob), "If-Match", `"1"`).refused(domain.CodeVersionConflict)
	if left := bob.delete(at(bob)).want(204); left.seq() != 6 {
		t.Error(left.seq())
	}
	bob.get("/v1/members").refused(domain.CodeTenantAccessDenied)
	ann.delete(at(bob)).refused(domain.CodeNotFound)
	// One who comes back goes on with the version, so that no ETag means two things.
	if back := as[memberBody](ann.post("/v1/members", `{"email":"`+bob.email+`","role":"member"}`).want(201)); back.Version != 4 || back.Role != domain.Member {
		t.Errorf("%+v", back)
	}

	ann.delete(at(cem)).want(204)
	ann.delete(at(ann)).refused(domain.CodeLastOwner)
	ann.patch(at(ann), `{"role":"member"}`).refused(domain.CodeLastOwner)
	ann.patch(at(bob), `{"role":"owner"}`).want(200)
	ann.patch(at(ann), `{"role":"member"}`).want(200)
	ann.patch(at(bob), `{"role":"member"}`).refused(domain.CodeInsufficientRole, "required_role", `"owner"`, "your_role", `"member"`)
}

// Two owners who go at the same moment, on two replicas: one stays.
func TestLastOwnersGoTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.user("Ann"), w.user("Bob")
	other := w.replica()
	for range 10 {
		ann.patch("/v1/members/"+bob.id.String(), `{"role":"owner"}`).want(200)
		var left [2]*answer
		var both sync.WaitGroup
		for i, p := range []person{ann, bob.at(other)} {
			both.Go(func() { left[i] = p.delete("/v1/members/" + p.id.String()) })
		}
		both.Wait()
		if left[0].Code+left[1].Code != 204+409 {
			t.Fatalf("answers %d and %d", left[0].Code, left[1].Code)
		}
		goes := ann
		if left[0].Code == 409 {
			left[0].refused(domain.CodeLastOwner)
			goes = bob
		} else {
			left[1].refused(domain.CodeLastOwner)
			ann, bob = bob, ann
		}
		goes.post("/v1/tenants/join", "").want(201)
	}
}
