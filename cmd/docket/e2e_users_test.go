package main

import (
	"slices"
	"strings"

	"docket/internal/tenanttest"
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
	w.cem.post("/v1/me/verification", "").want(202)
	w.anonymous.post("/v1/auth/password/forgot", object("email", cem.email)).want(202)
	// No mail server is set: these are tokens as a mail would have them.
	for _, kind := range []string{"verify", "reset"} {
		w.in.execute(`insert into account_tokens (token_hash, kind, user_id, expires_at)
select sha256('the token of a mail to ` + kind + `'), '` + kind + `', id, now() + interval '1 minute' from (select holder as id from claims where kind = 'email' and value = '` + cem.email + `') u`)
	}
	w.anonymous.post("/v1/auth/verify", object("token", "the token of a mail to verify")).want(204)
	w.anonymous.post("/v1/auth/password/reset", object("token", "the token of a mail to reset", "password", password)).want(204)
	w.cem.get("/v1/me").refused(401, "unauthenticated")
	w.cem.token = login().text("access_token")
	w.operators()
	w.anonymous.post("/v1/auth/login", object("email", cem.email, "password", "wrong horse")).refused(401, "unauthenticated")
}

// operators create a user, who chooses a password with the link, and keep that user out for a
// while.
func (w *walk) operators() {
	const email = "dan@example.org"
	made := w.in.run("users", "create", "--email", email, "--name", "Dan")
	if made.status != 0 || len(strings.TrimSpace(made.stdout)) != 43 {
		w.t.Fatalf("users create: %d %q %s", made.status, made.stdout, made.stderr)
	}
	if again := w.in.run("users", "create", "--email", email, "--name", "Dan"); again.status != 1 {
		w.t.Errorf("the same user again: %d %s", again.status, again.stderr)
	}
	w.anonymous.post("/v1/auth/password/reset", object("token", strings.TrimSpace(made.stdout), "password", password)).want(204)
	dan := w.anonymous
	login := func() *answer {
		return w.anonymous.post("/v1/auth/login", object("email", email, "password", password))
	}
	dan.token = login().want(200).text("access_token")
	dan.get("/v1/me").want(200)
	if o := w.in.run("users", "disable", email); o.status != 0 {
		w.t.Errorf("disable: %d %s", o.status, o.stderr)
	}
	login().refused(401, "unauthenticated")
	tenanttest.Eventually(w.t, "the session of a disabled user ends", func() (bool, any) {
		a := dan.get("/v1/me")
		return a.status == 401, a.status
	})
	if o := w.in.run("users", "enable", email); o.status != 0 {
		w.t.Errorf("enable: %d %s", o.status, o.stderr)
	}
	dan.get("/v1/me").refused(401, "unauthenticated")
	login().want(200)
	if o := w.in.run("users", "reset-link", "unknown@example.org"); o.status != 1 {
		w.t.Errorf("a link for an unknown user: %d %s", o.status, o.stdout)
	}
	if o := w.in.run("users", "reset-link", email); o.status != 0 || len(strings.TrimSpace(o.stdout)) != 43 {
		w.t.Errorf("reset-link: %d %q", o.status, o.stdout)
	}
}
