package main

import (
	"slices"
)

func (w *walk) users() {
	w.ann, w.bob, w.cem = w.anonymous.register("Ann"), w.anonymous.register("Bob"), w.anonymous.register("Cem")
	ann, bob, cem := w.ann, w.bob, w.cem
	w.in.awaitCheckpoints()
	w.roles(ann, "owner")
	w.roles(bob, "member")
	ann.patch("/v1/members/"+cem.id, object("role", "manager")).want(200)
	w.in.awaitCheckpoints()
	w.roles(cem, "manager")
	bob.patch("/v1/members/"+bob.id, object("role", "owner")).refused(403, "insufficient-role")
	w.anonymous.get("/v1/me").refused(401, "unauthenticated")
	w.anonymous.register("Anne").patch("/v1/me", object("name", "Änne")).want(200)
	w.in.awaitCheckpoints()
	if names := ann.get("/v1/members").column("name"); !slices.Contains(names, "Änne") || slices.Contains(names, "Anne") {
		w.t.Errorf("members of default: %v", names)
	}
}

func (w *walk) roles(c caller, want string) {
	w.t.Helper()
	memberships := c.get("/v1/me").want(200).decode()["memberships"].([]any)
	if len(memberships) != 1 || memberships[0].(map[string]any)["role"] != want {
		w.t.Errorf("%s has %v, want the role %s", c.email, memberships, want)
	}
}

// sessions refreshes a session, has the used token end it after the grace, logs out of another,
// ends a third by its id, and the rest with a new password.
func (w *walk) sessions() {
	login := func() *answer {
		return w.anonymous.post("/v1/auth/login", object("email", w.cem.email, "password", password)).want(200)
	}
	refresh := func(token string) *answer {
		return w.anonymous.post("/v1/auth/refresh", object("refresh_token", token))
	}
	one := login().text("refresh_token")
	two := refresh(one).want(200)
	cem := w.cem
	cem.token = two.text("access_token")
	cem.get("/v1/me").want(200)
	if again := refresh(one).want(200); again.text("refresh_token") != two.text("refresh_token") {
		w.t.Error("a refresh token that comes again at once gets another successor")
	}
	w.in.execute(`update refresh_tokens set used_at = used_at - interval '1 minute'`)
	refresh(one).refused(401, "unauthenticated")
	refresh(two.text("refresh_token")).refused(401, "unauthenticated")

	cem.token = login().text("access_token")
	cem.post("/v1/auth/logout", "").want(204)
	cem.get("/v1/me").refused(401, "unauthenticated")
	login()
	sessions := w.cem.get("/v1/me/sessions").want(200).items()
	w.cem.delete("/v1/me/sessions/" + text(sessions[0]["id"])).want(204)
	if left := w.cem.get("/v1/me/sessions").items(); len(left) != len(sessions)-1 {
		w.t.Errorf("%d sessions, and %d after one was ended", len(sessions), len(left))
	}
	for _, change := range [][2]string{{password, "another password"}, {"another password", password}} {
		w.cem.post("/v1/me/password", object("current_password", change[0], "new_password", change[1])).want(204)
	}
	w.anonymous.post("/v1/auth/login", object("email", cem.email, "password", "wrong horse")).refused(401, "unauthenticated")
}
