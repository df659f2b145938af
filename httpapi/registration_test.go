package httpapi

import (
	"fmt"
	"net/http"
	"testing"

	"docket/domain"
)

// visit is a registration that comes from somewhere.
type visit struct {
	from    string // the address
	headers []string
	host    string // "": localhost:8000
	code    string
}

func (w *world) visit(v visit, email string) *answer {
	w.Helper()
	body := map[string]any{"email": email, "password": password, "name": "Visitor"}
	if v.code != "" {
		body["setup_code"] = v.code
	}
	req := w.anonymous().request(http.MethodPost, "/v1/auth/register", jsonOf(body), v.headers...)
	req.RemoteAddr = v.from
	if v.host != "" {
		req.Host = v.host
	}
	return w.anonymous().do(req)
}

// The first of the default tenant becomes its owner, and must come straight from
// the machine itself or know the setup code.
func TestFounder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.events()
	for name, v := range map[string]visit{
		"from another machine":         {from: "192.0.2.1:4000"},
		"from another, by IPv6":        {from: "[2001:db8::1]:4000"},
		"through a proxy here":         {from: "127.0.0.1:4000", headers: []string{"X-Forwarded-For", "192.0.2.1"}},
		"a proxy that says loopback":   {from: "127.0.0.1:4000", headers: []string{"X-Forwarded-For", "127.0.0.1"}},
		"a proxy that says it so":      {from: "127.0.0.1:4000", headers: []string{"Forwarded", "for=127.0.0.1"}},
		"a proxy that tells the host":  {from: "127.0.0.1:4000", headers: []string{"X-Forwarded-Host", "localhost"}},
		"a proxy that tells the proto": {from: "127.0.0.1:4000", headers: []string{"X-Forwarded-Proto", "https"}},
		"a proxy that tells the real":  {from: "127.0.0.1:4000", headers: []string{"X-Real-IP", "127.0.0.1"}},
		"a proxy that tells itself":    {from: "127.0.0.1:4000", headers: []string{"Via", "1.1 proxy"}},
		"another, saying loopback":     {from: "192.0.2.1:4000", headers: []string{"X-Forwarded-For", "127.0.0.1"}},
		"with a wrong code":            {from: "192.0.2.1:4000", code: "let-me-i"},
		"with a code in another case":  {from: "192.0.2.1:4000", code: "LET-ME-IN"},
		"with a longer code":           {from: "192.0.2.1:4000", code: setupCode + "x"},
		"a page that DNS leads here":   {from: "127.0.0.1:4000", host: "evil.example:8000"},
		"such a page, by its origin":   {from: "127.0.0.1:4000", host: "evil.example:8000", headers: []string{"Origin", "http://evil.example:8000"}},
		"a name of this network":       {from: "127.0.0.1:4000", host: "docket.lan"},
		"a name that looks local":      {from: "127.0.0.1:4000", host: "localhost.evil.example:8000"},
		"an address that isn't local":  {from: "127.0.0.1:4000", host: "192.0.2.1:8000"},
		"another site's page":          {from: "127.0.0.1:4000", headers: []string{"Origin", "https://evil.example"}},
		"a page of another program":    {from: "127.0.0.1:4000", headers: []string{"Origin", "http://localhost:3000"}},
		"a page without an origin":     {from: "127.0.0.1:4000", headers: []string{"Origin", "null"}},
		"from no address":              {from: ""},
		"from a socket":                {from: "@"},
		"from a name":                  {from: "localhost:4000"},
	} {
		if a := w.visit(v, "a@example.org"); a.isnt(domain.CodeSetupCodeRequired) != "" {
			t.Errorf("%s: got %d %s", name, a.Code, a.Body)
		}
	}
	w.anonymous().post("/v1/auth/login", jsonOf(map[string]any{"email": "a@example.org", "password": password})).refused(domain.CodeUnauthenticated)
	if w.events() != before {
		t.Error("a refused founder left an event")
	}
	w.visit(visit{from: "192.0.2.1:4000", code: setupCode}, "founder@example.org").want(201)
	// Now it is an open tenant like any other: no code, from wherever.
	w.visit(visit{from: "192.0.2.1:4000"}, "second@example.org").want(201)
	w.visit(visit{from: "127.0.0.1:4000", code: setupCode}, "third@example.org").want(201)
	for email, role := range map[string]domain.Role{"founder@example.org": domain.Owner, "second@example.org": domain.Member, "third@example.org": domain.Member} {
		p := w.anonymous()
		p.email = email
		if got := as[currentUserBody](p.login().get("/v1/me").want(200)).Memberships; len(got) != 1 || got[0].Role != role {
			t.Errorf("%s: %+v", email, got)
		}
	}
	for _, v := range []visit{
		{from: "127.0.0.1:1"}, {from: "[::1]:1", host: "[::1]:8000"}, {from: "127.8.9.10:1", host: "127.0.0.1"},
		{from: "[::ffff:127.0.0.1]:1", host: "LocalHost:8000", headers: []string{"Origin", "http://localhost:8000"}},
	} {
		w := newWorld(t)
		w.visit(v, "a@example.org").want(201)
	}
}

// Who registers comes into a tenant that is open, or isn't registered at all.
func TestRegistrationIsClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := w.user("Root")
	acme := as[tenantBody](owner.post("/v1/tenants", `{"name":"Acme","slug":"acme"}`).want(201)).ID
	body := jsonOf(map[string]any{"email": "new@example.org", "password": password, "name": "New"})
	before := w.events()
	want := w.anonymous().in(acme).post("/v1/auth/register", body)
	want.refused(domain.CodeRegistrationClosed)
	for name, a := range map[string]*answer{
		"closed, by slug":        w.anonymous().post("/v1/auth/register", body, tenantSlugHeader, "acme"),
		"unknown, by id":         w.anonymous().post("/v1/auth/register", body, tenantIDHeader, random()),
		"unknown, by slug":       w.anonymous().post("/v1/auth/register", body, tenantSlugHeader, "there-is-none"),
		"closed, a known e-mail": w.anonymous().in(acme).post("/v1/auth/register", jsonOf(map[string]any{"email": owner.email, "password": password, "name": "New"})),
		"closed, with the code":  w.anonymous().in(acme).post("/v1/auth/register", body[:len(body)-1]+`,"setup_code":"`+setupCode+`"}`),
	} {
		if a.Code != want.Code || a.anonymous() != want.anonymous() {
			t.Errorf("%s: %d %s, want %s", name, a.Code, a.Body, want.Body)
		}
	}
	joiner := w.user("Joiner")
	for name, a := range map[string]*answer{
		"closed":  joiner.in(acme).post("/v1/tenants/join", ""),
		"unknown": joiner.post("/v1/tenants/join", "", tenantIDHeader, random()),
	} {
		if a.isnt(domain.CodeRegistrationClosed) != "" || a.anonymous() != want.anonymous() {
			t.Errorf("join, %s: %d %s", name, a.Code, a.Body)
		}
	}
	if n := w.events() - before; n != 2 { // the joiner's own registration
		t.Errorf("%d events", n)
	}
	// The failed registration left the address free.
	w.anonymous().post("/v1/auth/login", jsonOf(map[string]any{"email": "new@example.org", "password": password})).refused(domain.CodeUnauthenticated)
	w.anonymous().post("/v1/auth/register", body).want(201)
}

func TestEmails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	register := func(email string) *answer {
		return w.anonymous().post("/v1/auth/register", jsonOf(map[string]any{"email": email, "password": password, "name": "Name"}))
	}
	login := func(email, password string) *answer {
		return w.anonymous().post("/v1/auth/login", jsonOf(map[string]any{"email": email, "password": password}))
	}
	if u := as[UserBody](register("Ann.Straße@Example.org").want(201)); u.Email != "Ann.Straße@Example.org" {
		t.Errorf("%+v", u) // as it was written
	}
	before := w.events()
	for _, same := range []string{"ann.straße@example.org", "ANN.STRAẞE@EXAMPLE.ORG", "ann.straße@EXAMPLE.org"} {
		register(same).refused(domain.CodeEmailTaken)
		login(same, password).want(200)
	}
	wrong := login("ann.straße@example.org", password+"x")
	wrong.refused(domain.CodeUnauthenticated)
	for name, a := range map[string]*answer{
		"unknown":         login("unknown@example.org", password),
		"another mailbox": login("ann.strasse@example.org", password),
		"no address":      login("anonymous", password),
		"an empty one":    login("", password),
		"a long password": login("ann.straße@example.org", fmt.Sprintf("%0200d", 1)),
		"an empty one 2":  login("ann.straße@example.org", ""),
		"another case":    login("ann.straße@example.org", "Correct horse battery"),
		"a space more":    login("ann.straße@example.org", password+" "),
	} {
		if a.Code != wrong.Code || a.anonymous() != wrong.anonymous() || fmt.Sprint(a.Header().Values("WWW-Authenticate")) != fmt.Sprint(wrong.Header().Values("WWW-Authenticate")) {
			t.Errorf("%s: %d %s, want %s", name, a.Code, a.Body, wrong.Body)
		}
	}
	for _, bad := range []string{"1234567", "", fmt.Sprintf("%0129d", 1), `with\u0000nul`, `with\nbreak`} {
		w.anonymous().post("/v1/auth/register", `{"email":"b@example.org","name":"B","password":"`+bad+`"}`).refused(domain.CodeValidationFailed)
	}
	if w.events() != before {
		t.Error("something that was refused left an event")
	}
	register("ann.strasse@example.org").want(201)
	// Characters are counted, not bytes.
	w.anonymous().post("/v1/auth/register", `{"email":"c@example.org","name":"C","password":"`+fmt.Sprintf("%0127d", 1)+`ä"}`).want(201)
	login("c@example.org", fmt.Sprintf("%0127d", 1)+"ä").want(200)
}

// Of many who register with one address at once, on two replicas, one does.
func TestOneAddressOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("Root")
	other := w.replica()
	codes := make(chan int, 6)
	before := w.events()
	for i := range cap(codes) {
		p := w.anonymous()
		if i%2 == 0 {
			p = p.at(other)
		}
		go func() {
			codes <- p.post("/v1/auth/register", jsonOf(map[string]any{"email": "same@example.org", "password": password, "name": "N"})).Code
		}()
	}
	sum := 0
	for range cap(codes) {
		sum += <-codes
	}
	if sum != 201+5*409 || w.events() != before+2 {
		t.Errorf("the statuses add up to %d, and there are %d events more", sum, w.events()-before)
	}
}

// A refresh token has one successor, which it gets again for some seconds; logging out ends what the session had.
func TestSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.signUp("Ann")
	session := func(a *answer) (person, string) {
		t.Helper()
		tokens := as[sessionTokensBody](a.want(200))
		if tokens.TokenType != "Bearer" || tokens.ExpiresIn != int(tokenLifetime.Seconds()) || tokens.RefreshToken == "" {
			t.Errorf("%+v", tokens)
		}
		p := ann
		p.token = tokens.AccessToken
		return p, tokens.RefreshToken
	}
	refresh := func(token string) *answer {
		return w.anonymous().post("/v1/auth/refresh", jsonOf(map[string]any{"refresh_token": token}))
	}
	login := func() *answer {
		return w.anonymous().post("/v1/auth/login", jsonOf(map[string]any{"email": ann.email, "password": password}))
	}
	first, one := session(login())
	second, two := session(refresh(one))
	first.get("/v1/me").want(200)
	second.get("/v1/me").want(200)
	third, three := session(refresh(two))
	if _, again := session(refresh(two)); again != three {
		t.Error("a token that comes again at once gets another successor")
	}
	w.expireGrace()
	// One that was used before is stolen: the whole session ends, the present
	// tokens with it, and no other session.
	refresh(one).refused(domain.CodeUnauthenticated)
	refresh(three).refused(domain.CodeUnauthenticated)
	for _, p := range []person{first, second, third} {
		p.get("/v1/me").refused(domain.CodeUnauthenticated)
	}
	ann.get("/v1/me").want(200)

	p, token := session(login())
	p.post("/v1/auth/logout", "").want(204)
	p.get("/v1/me").refused(domain.CodeUnauthenticated)
	p.post("/v1/auth/logout", "").refused(domain.CodeUnauthenticated)
	refresh(token).refused(domain.CodeUnauthenticated)
	ann.get("/v1/me").want(200)
	for _, bad := range []string{"", "x", token + "x", token[:len(token)-1], "null"} {
		refresh(bad).refused(domain.CodeUnauthenticated)
	}
}
