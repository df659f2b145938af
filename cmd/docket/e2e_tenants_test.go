package main

import (
	"slices"
	"strings"
	"sync"
)

func (w *walk) tenants() {
	t, ann, bob, cem := w.t, w.ann, w.bob, w.cem
	ann.post("/v1/tenants", object("name", "Acme", "slug", "acme")).want(201)
	bob.post("/v1/tenants", object("name", "Acme", "slug", "acme")).refused(409, "slug-taken")
	acme := ann.in("acme")
	bob.in("acme").post("/v1/tenants/join", "").refused(403, "registration-closed")
	acme.patch("/v1/admin/tenant", object("name", "Acme Ltd", "registration", "open", "default_role", "viewer")).want(200)
	bob.in("acme").post("/v1/tenants/join", "").want(201)
	bob.in("acme").post("/v1/tenants/join", "").refused(409, "already-member")
	bob.in("acme").post("/v1/projects", object("name", "x")).refused(403, "insufficient-role")
	cem.in("acme").get("/v1/members").refused(403, "tenant-access-denied")
	cem.in("nonesuch").get("/v1/members").refused(403, "tenant-access-denied")

	if slugs := ann.get("/v1/tenants").column("slug"); !slices.Equal(slugs, []string{"default", "acme"}) {
		t.Errorf("Ann's tenants: %v", slugs)
	}
	config := map[string]any{"default_notification_channel": "email", "email": map[string]any{"from": "acme@example.org"}, "four_eyes": true,
		"slack": map[string]any{"webhook_url": "https://hooks.example.org/services/secret"}}
	acme.patch("/v1/admin/tenant", object("config", config)).want(200)
	const shown = `"config":{"default_notification_channel":"email","email":{"from":"acme@example.org"},"slack":{"set":true},"four_eyes":true,"require_verified_email":false}`
	if got := acme.get("/v1/admin/tenant").want(200); got.text("name") != "Acme Ltd" || !strings.Contains(got.body, shown) || strings.Contains(got.body, "secret") {
		t.Errorf("settings: %s", got.body)
	}

	acme.post("/v1/members", object("email", cem.email, "role", "member")).want(201)
	w.in.awaitCheckpoints()
	if got := acme.get("/v1/members").column("role"); !slices.Equal(got, []string{"owner", "viewer", "member"}) {
		t.Errorf("members of acme: %v", got)
	}
	acme.delete("/v1/members/" + bob.id).want(204)
	bob.in("acme").get("/v1/members").refused(403, "tenant-access-denied")
	w.lastOwner(acme, cem.in("acme"))
}

// lastOwner has the two owners of a tenant leave at the same moment: one must stay.
func (w *walk) lastOwner(first, second caller) {
	w.t.Helper()
	first.delete("/v1/members/"+first.id).refused(409, "last-owner")
	first.patch("/v1/members/"+second.id, object("role", "owner")).want(200)
	var (
		both     sync.WaitGroup
		statuses [2]int
	)
	for i, c := range []caller{first, second} {
		both.Go(func() { statuses[i] = c.delete("/v1/members/" + c.id).status })
	}
	both.Wait()
	slices.Sort(statuses[:])
	if statuses != [2]int{204, 409} {
		w.t.Errorf("two owners left at once: %v", statuses)
	}
}
