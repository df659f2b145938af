package httpapi

import (
	"fmt"
	"testing"

	"docket/domain"
)

// A user sees their sessions, ends one, and ends all others with a new password; another's
// session is none.
func TestOwnSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.signUp("Ann"), w.signUp("Bob")
	phone, laptop := ann.login(), ann.login()
	list := func(p person) (ids []string, current string) {
		t.Helper()
		for _, s := range as[struct{ Items []sessionBody }](p.get("/v1/me/sessions").want(200)).Items {
			ids = append(ids, s.ID.String())
			if s.Current {
				current = s.ID.String()
			}
			if s.CreatedAt.IsZero() || s.UsedAt.Before(s.CreatedAt) || !s.ExpiresAt.After(s.UsedAt) {
				t.Errorf("%+v", s)
			}
		}
		return ids, current
	}
	ids, current := list(laptop)
	if len(ids) != 3 || ids[0] != current {
		t.Fatalf("%v, of which this one is %s; want three, the newest first", ids, current)
	}
	page := as[struct {
		Items []sessionBody
		Next  *string `json:"next_cursor"`
	}](laptop.get("/v1/me/sessions?limit=2").want(200))
	if len(page.Items) != 2 || page.Next == nil {
		t.Fatalf("%+v", page)
	}
	rest := as[struct{ Items []sessionBody }](laptop.get("/v1/me/sessions?limit=2&cursor=" + *page.Next).want(200))
	if len(rest.Items) != 1 || rest.Items[0].ID.String() != ids[2] {
		t.Errorf("the second page is %+v", rest)
	}
	bob.get("/v1/me/sessions?cursor=" + *page.Next).refused(domain.CodeCursorInvalid)

	_, onPhone := list(phone)
	bob.send("DELETE", "/v1/me/sessions/"+onPhone, "").refused(domain.CodeNotFound)
	phone.get("/v1/me").want(200)
	laptop.send("DELETE", "/v1/me/sessions/"+onPhone, "").want(204)
	phone.get("/v1/me").refused(domain.CodeUnauthenticated)
	laptop.send("DELETE", "/v1/me/sessions/"+onPhone, "").refused(domain.CodeNotFound)

	change := func(current, next string) *answer {
		return laptop.post("/v1/me/password", jsonOf(map[string]any{"current_password": current, "new_password": next}))
	}
	change("wrong horse battery", "another password").refused(domain.CodeValidationFailed)
	change(password, "short").refused(domain.CodeValidationFailed)
	ann.get("/v1/me").want(200)
	change(password, "another password").want(204)
	ann.get("/v1/me").refused(domain.CodeUnauthenticated)
	laptop.get("/v1/me").want(200)
	login := func(p string, status int) {
		t.Helper()
		w.anonymous().post("/v1/auth/login", jsonOf(map[string]any{"email": ann.email, "password": p})).want(status)
	}
	login(password, 401)
	login("another password", 200)
}

// A login with the old password that is under way while it is changed has no session
// afterwards.
func TestLoginsBesideANewPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.signUp("Ann")
	present := password
	for round := range 6 {
		next := fmt.Sprintf("password of round %d", round)
		answers := make(chan *answer, 4)
		for range cap(answers) {
			go func() {
				answers <- w.anonymous().post("/v1/auth/login", jsonOf(map[string]any{"email": ann.email, "password": present}))
			}()
		}
		ann.post("/v1/me/password", jsonOf(map[string]any{"current_password": present, "new_password": next})).want(204)
		for range cap(answers) {
			a := <-answers
			if a.Code == 200 {
				p := ann
				p.token = as[sessionTokensBody](a).AccessToken
				if got := p.get("/v1/me"); got.isnt(domain.CodeUnauthenticated) != "" {
					t.Errorf("round %d: a login with the old password is alive: %d", round, got.Code)
				}
			}
		}
		present = next
	}
}
