package httpapi

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"docket/accounts"
	"docket/domain"
)

// mailTo sends the mails that wait, and takes the newest to an address; the zero value
// where there is none.
func (w *world) mailTo(address string) accounts.Mail {
	w.Helper()
	for list := w.sendMails(); len(list) > 0; list = w.sendMails() {
		for _, m := range list {
			w.mails[m.To] = m
		}
	}
	defer delete(w.mails, address)
	return w.mails[address]
}

// mailedToken is the token of the newest mail to an address.
func (w *world) mailedToken(address string) string {
	w.Helper()
	m := w.mailTo(address)
	_, rest, found := strings.Cut(m.Text, "#token=")
	token, _, _ := strings.Cut(rest, "\n")
	if !found || len(token) != 43 || !strings.Contains(m.HTML, token) {
		w.Fatalf("no token for %s in %+v", address, m)
	}
	return token
}

func (w *world) expireMails() {
	w.Helper()
	w.execute(`update account_mails set created_at = created_at - interval '2 minutes'`)
}

func tokenBody(token string) string { return jsonOf(map[string]any{"token": token}) }

// A mail verifies the address; the user, /v1/me and the members show it, and a tenant that
// demands it lets others only read.
func TestVerifiedAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signUp("Root") // founds the default tenant
	acme := w.company("acme", "Acme")
	ann := w.signUp("Ann").in(acme.id)
	owner := acme.as(domain.Owner)
	owner.post("/v1/members", jsonOf(map[string]any{"email": ann.email, "role": "member"})).want(201)
	demand := `{"config":{"require_verified_email":true}}`
	owner.patch("/v1/admin/tenant", demand).refused(domain.CodeEmailUnverified)
	w.execute(`insert into credentials (user_id, password_hash, email_verified_at) values ('` + owner.id.String() + `', '', now())
on conflict (user_id) do update set email_verified_at = now()`)
	owner.patch("/v1/admin/tenant", demand).want(200)

	ann.get("/v1/projects").want(200)
	ann.post("/v1/projects", `{"name":"New"}`).refused(domain.CodeEmailUnverified)
	if ann.post("/v1/me/verification", "").want(202); as[currentUserBody](ann.get("/v1/me")).EmailVerified {
		t.Error("a verified address without a token")
	}
	mail := w.mailTo(ann.email)
	if !strings.Contains(mail.Text, "https://docket.example.org/verify-email#token=") || !strings.Contains(mail.HTML, `<a href="https://docket.example.org/verify-email#token=`) {
		t.Fatalf("%+v", mail)
	}
	if again := w.mailTo(ann.email); again.To != "" {
		t.Errorf("within a minute a second mail: %+v", again)
	}
	w.expireMails()
	ann.post("/v1/me/verification", "").want(202)
	token := w.mailedToken(ann.email)
	w.anonymous().post("/v1/auth/verify", tokenBody(token)).want(204)
	ann.post("/v1/projects", `{"name":"New"}`).want(201)
	if !as[currentUserBody](ann.get("/v1/me")).EmailVerified {
		t.Error("/v1/me says nothing")
	}
	w.caughtUp(acme.id, w.head(acme.id))
	for _, m := range items[memberBody](ann.get("/v1/members")) {
		if m.Verified != (m.UserID == ann.id || m.UserID == owner.id) {
			t.Errorf("%+v", m)
		}
	}
	w.expireMails()
	if ann.post("/v1/me/verification", "").want(202); w.mailTo(ann.email).To != "" {
		t.Error("a verified address gets a mail")
	}
	// Another database server has lost the verification.
	w.execute(`update credentials set email_verified_at = null`)
	ann.post("/v1/projects", `{"name":"Newer"}`).want(201)
	w.server.ServerChanged()
	ann.post("/v1/projects", `{"name":"Newest"}`).refused(domain.CodeEmailUnverified)
}

// A forgotten password is reset once, of twenty at the same time, and ends all sessions. The
// link is of the public address, whatever the request says.
func TestResetPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.signUp("Ann")
	w.mailTo(ann.email)
	forgot := func(email string) *answer {
		req := w.anonymous().request(http.MethodPost, "/v1/auth/password/forgot", jsonOf(map[string]any{"email": email}))
		req.Host = "evil.example"
		req.Header.Set("X-Forwarded-Host", "evil.example")
		return w.anonymous().do(req).want(202)
	}
	known, unknown := forgot(ann.email), forgot("unknown@example.org")
	if known.Body.String() != unknown.Body.String() || known.Header().Get("Content-Type") != unknown.Header().Get("Content-Type") {
		t.Errorf("%v %s and %v %s", known.Header(), known.Body, unknown.Header(), unknown.Body)
	}
	mail := w.mailTo(ann.email)
	if !strings.Contains(mail.Text, "https://docket.example.org/reset-password#token=") || strings.Contains(mail.Text+mail.HTML, "evil") {
		t.Fatalf("%+v", mail)
	}
	forgot(ann.email)
	if again := w.mailTo(ann.email); again.To != "" {
		t.Errorf("within a minute a second mail: %+v", again)
	}
	_, rest, _ := strings.Cut(mail.Text, "#token=")
	token, _, _ := strings.Cut(rest, "\n")
	reset := func(token, password string) *answer {
		return w.anonymous().post("/v1/auth/password/reset", jsonOf(map[string]any{"token": token, "password": password}))
	}
	reset(token, "password").refused(domain.CodeValidationFailed)
	ann.get("/v1/me").want(200)
	var all sync.WaitGroup
	codes := make(chan int, 20)
	for range cap(codes) {
		all.Go(func() { codes <- reset(token, "another horse battery").Code })
	}
	all.Wait()
	close(codes)
	got := map[int]int{}
	for code := range codes {
		got[code]++
	}
	if got[204] != 1 || got[422]+got[503] != 19 {
		t.Errorf("%v", got)
	}
	ann.get("/v1/me").refused(domain.CodeUnauthenticated)
	w.anonymous().post("/v1/auth/login", jsonOf(map[string]any{"email": ann.email, "password": "another horse battery"})).want(200)
	if notice := w.mailTo(ann.email); notice.Subject != "Your password was changed" || strings.Contains(notice.Text, "#token") {
		t.Errorf("%+v", notice)
	}
	if !as[currentUserBody](ann.session().get("/v1/me")).EmailVerified {
		t.Error("a token from the mailbox doesn't verify it")
	}
}

// Expired, used, foreign, truncated and invented tokens get one answer.
func TestTokensOfMailsAnswerAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.signUp("Ann")
	verify := w.mailedToken(ann.email)
	ann.post("/v1/auth/password/forgot", jsonOf(map[string]any{"email": ann.email})).want(202)
	reset := w.mailedToken(ann.email)
	const verifyPath, resetPath = "/v1/auth/verify", "/v1/auth/password/reset"
	send := func(path, token string) *answer {
		body := map[string]any{"token": token}
		if path == resetPath {
			body["password"] = "another horse battery"
		}
		return w.anonymous().post(path, jsonOf(body))
	}
	want := send(verifyPath, "")
	want.refused(domain.CodeValidationFailed)
	alike := func(what, path, token string) {
		t.Helper()
		a := send(path, token)
		if a.Code != 422 || withoutRequest(a.Body.String()) != withoutRequest(want.Body.String()) {
			t.Errorf("%s: %d %s, want %s", what, a.Code, a.Body, want.Body)
		}
	}
	for path, of := range map[string][2]string{verifyPath: {verify, reset}, resetPath: {reset, verify}} {
		own, foreign := of[0], of[1]
		alike("foreign", path, foreign)
		alike("truncated", path, own[:42])
		alike("longer", path, own+"A")
		alike("invented", path, strings.Repeat("A", 43))
		alike("empty", path, "")
	}
	w.execute(`update account_tokens set expires_at = expires_at - interval '2 days'`)
	alike("expired", verifyPath, verify)
	alike("expired", resetPath, reset)
	w.execute(`update account_tokens set expires_at = expires_at + interval '2 days'`)
	send(verifyPath, verify).want(204)
	send(resetPath, reset).want(204)
	alike("used", verifyPath, verify)
	alike("used", resetPath, reset)
	w.execute(`delete from account_tokens`)
	alike("deleted", verifyPath, verify)
}

// withoutRequest is a problem without its request's id and path.
func withoutRequest(body string) string {
	var out []string
	for part := range strings.SplitSeq(body, ",") {
		if !strings.Contains(part, `"request_id"`) && !strings.Contains(part, `"instance"`) {
			out = append(out, part)
		}
	}
	return strings.Join(out, ",")
}
