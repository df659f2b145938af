package httpapi

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"docket/domain"
)

// again is what must be the same in an answer that is given a second time. (The
// length is written by the server where no handler has.)
func (a *answer) again() (status int, headers http.Header, body string) {
	headers = maps.Clone(a.Header())
	for _, name := range []string{requestIDHeader, replayedHeader, "Content-Length"} {
		headers.Del(name)
	}
	return a.Code, headers, a.Body.String()
}

// repeats fails the test unless a is first over again, and says that it is.
func (a *answer) repeats(first *answer) {
	a.w.Helper()
	status, headers, body := a.again()
	wantStatus, wantHeaders, wantBody := first.again()
	if status != wantStatus || body != wantBody || !maps.EqualFunc(headers, wantHeaders, slices.Equal) {
		a.w.Errorf("%s: was answered %d %v %s\nand then %d %v %s", a.call, wantStatus, wantHeaders, wantBody, status, headers, body)
	}
	if a.Header().Get(replayedHeader) != "true" {
		a.w.Errorf("%s: nothing says that it was answered before", a.call)
	}
}

// Every command that the document gives a key, accepted or refused, is carried out
// once and answered the same again; with another body the key is refused.
func TestEveryCommandOnceUnderAKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := newStage(w)
	other := w.replica()
	for _, e := range w.published.endpoints {
		has := slices.ContainsFunc(e.Parameters, func(p *endpointParameter) bool { return p.Name == idempotencyHeader })
		should := e.Method != "GET" && e.Access != "public" && !strings.HasPrefix(e.Path, "/v1/auth/") &&
			e.ID != "change-password" && e.ID != "end-session" && e.ID != "ask-verification" && // they write no events
			e.ID != "create-api-key" && e.ID != "rotate-api-key" // their answers have a key
		if has != should {
			t.Errorf("%s: documents %s: %t", e.ID, idempotencyHeader, has)
		}
	}
	for _, row := range roleRows {
		e := w.published.by(row.op)
		if !slices.ContainsFunc(e.Parameters, func(p *endpointParameter) bool { return p.Name == idempotencyHeader }) {
			continue
		}
		if row.variant == "oneself" {
			continue // who has left is a stranger, whom the gates refuse before the key
		}
		for _, role := range []domain.Role{domain.Owner, domain.Member} {
			who, target, body := row.call(s, s.as(role))
			key := s.fresh()
			w.renamed()
			first := who.send(e.Method, target, body, idempotencyHeader, key)
			if first.Code >= 400 && first.problem().Code == string(domain.CodeInsufficientRole) {
				continue // the gate's answer is not remembered, and not the domain's in every row
			}
			if first.Header().Get(replayedHeader) != "" {
				t.Errorf("%s (%s): the first answer says it isn't", row.op, row.variant)
			}
			w.renamed()
			before := w.events()
			who.send(e.Method, target, body, idempotencyHeader, key).repeats(first)
			who.at(other).send(e.Method, target, body, idempotencyHeader, key).repeats(first)
			if n := w.events() - before; n != 0 {
				t.Errorf("%s (%s) by %s, repeated, left %d events", row.op, row.variant, role, n)
			}
			who.send(e.Method, target+"?", body, idempotencyHeader, key).repeats(first)
			if body != "" {
				who.send(e.Method, target, " "+body+"\n", idempotencyHeader, key).repeats(first)
				who.send(e.Method, target, strings.Replace(body, "{", `{"other":1,`, 1), idempotencyHeader, key).refused(domain.CodeIdempotencyKeyReused)
			}
		}
	}
}

// Many at once with one key have one effect, on two replicas, and all hear of it
// in the same words; also where the one is a refusal.
func TestManyAtOnceUnderOneKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	p := c.as(domain.Manager)
	other := p.at(w.replica())
	project := "/v1/projects/" + p.project("Site").ID.String()
	draft := "/v1/projects/" + p.project("Draft").ID.String()
	for _, call := range []struct {
		method, target, body string
		events               int
	}{
		{"POST", "/v1/projects", `{"name":"New"}`, 1},
		{"PATCH", project, `{"name":"Changed"}`, 1},
		{"POST", project + "/transitions", `{"to":"submitted"}`, 1},
		{"PATCH", draft, `{"name":"Draft"}`, 0},
		{"POST", draft + "/transitions", `{"to":"completed"}`, 0},
		{"DELETE", draft, "", 1},
		{"DELETE", draft, "", 0},
		{"POST", "/v1/notifications/read-all", "", 0},
		{"POST", "/v1/tenants", `{"name":"New","slug":"new-one"}`, 2},
	} {
		key := "one for all of these: " + call.method + call.target + call.body + string(rune('0'+call.events))
		before := w.events()
		answers := make([]*answer, 50)
		var all sync.WaitGroup
		for i := range answers {
			who := p
			if i%2 == 1 {
				who = other
			}
			all.Go(func() { answers[i] = who.send(call.method, call.target, call.body, idempotencyHeader, key) })
		}
		all.Wait()
		if n := w.events() - before; n != call.events {
			t.Errorf("%s %s: %d events, want %d", call.method, call.target, n, call.events)
		}
		first := slices.IndexFunc(answers, func(a *answer) bool { return a.Header().Get(replayedHeader) == "" })
		if first < 0 {
			t.Errorf("%s %s: none is the first", call.method, call.target)
			continue
		}
		for i, a := range answers {
			if i != first {
				a.repeats(answers[first])
			}
		}
	}
}

// A key is a user's, in a tenant, on a route.
func TestKeyHasAScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme, umbrella := w.company("acme", "Acme"), w.company("umbrella", "Umbrella")
	const key, body = "the same", `{"name":"Site"}`
	seen := map[string]bool{}
	made := func(a *answer) string {
		t.Helper()
		id := as[projectBody](a.want(201)).ID.String()
		if seen[id] || a.Header().Get(replayedHeader) != "" {
			t.Errorf("%s was made before", id)
		}
		seen[id] = true
		return id
	}
	p := acme.as(domain.Owner)
	id := made(p.post("/v1/projects", body, idempotencyHeader, key))
	made(acme.as(domain.Manager).post("/v1/projects", body, idempotencyHeader, key))
	made(umbrella.as(domain.Owner).post("/v1/projects", body, idempotencyHeader, key))
	first := p.patch("/v1/projects/"+id, body, idempotencyHeader, key).want(200)
	another := p.project("Another").ID.String()
	edited := p.patch("/v1/projects/"+another, body, idempotencyHeader, key).want(200)
	if as[projectBody](edited).ID.String() != another || edited.Header().Get(replayedHeader) != "" {
		t.Errorf("the key of one project's edit answered another's: %s", edited.Body)
	}
	p.patch("/v1/projects/"+id, body, idempotencyHeader, key).repeats(first)
	p.patch("/v1/projects/"+strings.ToUpper(id), body, idempotencyHeader, key).repeats(first)
	p.patch("/v1/projects/"+another, body, idempotencyHeader, key).repeats(edited)
	p.patch("/v1/projects/"+another, `{"name":"Other"}`, idempotencyHeader, key).refused(domain.CodeIdempotencyKeyReused)
	p.patch("/v1/projects/"+id, body, idempotencyHeader, key, "If-Match", `"1"`).refused(domain.CodeIdempotencyKeyReused)
}

// A request is the same however its tenant, its body and its version are spelled.
func TestKeyKnowsASpelling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := w.company("acme", "Acme")
	p := acme.as(domain.Owner)
	const key = "spelled"
	send := func(tenant map[string]string, method, target, body string, header ...string) *answer {
		t.Helper()
		req := p.request(method, target, body, append(header, idempotencyHeader, key)...)
		for _, name := range []string{tenantIDHeader, tenantSlugHeader} {
			req.Header.Del(name)
			if v := tenant[name]; v != "" {
				req.Header.Set(name, v)
			}
		}
		return p.do(req)
	}
	id, slug := acme.id.String(), "acme"
	byID := map[string]string{tenantIDHeader: id}
	body := `{"name":"Site","description":"a\r\nb","visibility":"public"}`
	first := send(byID, http.MethodPost, "/v1/projects", body).want(201)
	for _, tenant := range []map[string]string{
		byID, {tenantIDHeader: strings.ToUpper(id)}, {tenantSlugHeader: slug}, {tenantIDHeader: id, tenantSlugHeader: slug},
	} {
		send(tenant, http.MethodPost, "/v1/projects", body).repeats(first)
		send(tenant, http.MethodPost, "/v1/projects", ` { "visibility":"public", "description":"a\u000d\nb", "name" : "Site" } `).repeats(first)
	}
	made := as[projectBody](first)
	if made.Description == nil || *made.Description != "a\nb" {
		t.Errorf("%+v", made)
	}
	at := "/v1/projects/" + made.ID.String()
	first = send(byID, http.MethodPatch, at, `{"name":"New"}`, "If-Match", `"1"`).want(200)
	for _, tag := range []string{`W/"1"`, `"1-gzip"`, ` "1" `} {
		send(byID, http.MethodPatch, at, `{"name":"New"}`, "If-Match", tag).repeats(first)
	}
	send(byID, http.MethodPatch, at, `{"name":"New"}`, "If-Match", `"2"`).refused(domain.CodeIdempotencyKeyReused)
}

// What was answered stays answered, whatever has become of the thing since; what
// isn't an outcome is not remembered.
func TestKeyOutlivesItsEffect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	p := c.as(domain.Owner)
	first := p.post("/v1/projects", `{"name":"Site"}`, idempotencyHeader, "1").want(201)
	path := first.Header().Get("Location")
	p.patch(path, `{"name":"Renamed"}`).want(200)
	p.post("/v1/projects", `{"name":"Site"}`, idempotencyHeader, "1").repeats(first)
	refused := p.patch(path, `{"name":"Late"}`, idempotencyHeader, "2", "If-Match", `"1"`)
	refused.refused(domain.CodeVersionConflict)
	p.delete(path).want(204)
	p.post("/v1/projects", `{"name":"Site"}`, idempotencyHeader, "1").repeats(first)
	p.patch(path, `{"name":"Late"}`, idempotencyHeader, "2", "If-Match", `"1"`).repeats(refused)

	p.post("/v1/projects", `{"name":" "}`, idempotencyHeader, "3").refused(domain.CodeValidationFailed)
	p.post("/v1/projects", `{"name":"Mended"}`, idempotencyHeader, "3").want(201)
	p.post("/v1/projects", `{"name":"x"}`, idempotencyHeader, strings.Repeat("k", 256)).refused(domain.CodeMalformed)
	p.post("/v1/projects", `{"name":"x"}`, idempotencyHeader, strings.Repeat("k", 255)).want(201)
}

// A role that was taken away comes before the key: who may not do it any more
// isn't told what it once led to.
func TestKeyComesAfterTheRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	p := c.as(domain.Manager)
	first := p.post("/v1/projects", `{"name":"Site"}`, idempotencyHeader, "1").want(201)
	role := func(r domain.Role) {
		c.as(domain.Owner).patch("/v1/members/"+p.id.String(), jsonOf(map[string]any{"role": r})).want(200)
	}
	role(domain.Viewer)
	p.post("/v1/projects", `{"name":"Site"}`, idempotencyHeader, "1").refused(domain.CodeInsufficientRole)
	role(domain.Manager)
	p.post("/v1/projects", `{"name":"Site"}`, idempotencyHeader, "1").repeats(first)
}

// The caller's memberships stand in the answer to PATCH /v1/me; a replay has those of then.
func TestReplayOfEditMe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.user("Ann")
	first := p.patch("/v1/me", `{"name":"Anna"}`, idempotencyHeader, "1").want(200)
	p.post("/v1/tenants", `{"name":"New","slug":"new-one"}`).want(201)
	p.patch("/v1/me", `{"name":"Anna"}`, idempotencyHeader, "1").repeats(first)
}

// The gate's refusal isn't remembered on a replica that hears of the new role late,
// no more than on the one that was asked to change it.
func TestLateGateIsNotRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	p := c.as(domain.Manager)
	late := p.at(w.replica())
	late.post("/v1/projects", `{"name":"Warm"}`).want(201)
	role := func(r domain.Role) {
		c.as(domain.Owner).patch("/v1/members/"+p.id.String(), jsonOf(map[string]any{"role": r})).want(200)
	}
	role(domain.Viewer)
	late.post("/v1/projects", `{"name":"Site"}`, idempotencyHeader, "1").refused(domain.CodeInsufficientRole)
	role(domain.Manager)
	late.post("/v1/projects", `{"name":"Site"}`, idempotencyHeader, "1").want(201)
}

// A removed member gets no replayed answer, on any replica: a replay checks the
// membership as every read does.
func TestReplayAfterRemoval(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	p := c.as(domain.Manager)
	late := p.at(w.replica())
	late.post("/v1/projects", `{"name":"Site"}`, idempotencyHeader, "1").want(201)
	c.as(domain.Owner).delete("/v1/members/" + p.id.String()).want(204)
	late.post("/v1/projects", `{"name":"Site"}`, idempotencyHeader, "1").refused(domain.CodeTenantAccessDenied)
}

// A stranger can't tell a tenant that is closed from one that isn't there, with a
// key neither; and leaves nothing in its log's ledger.
func TestJoinUnderAKeyTellsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	closed := w.company("acme", "Acme").id.String()
	eve := w.user("Eve")
	for _, id := range []string{closed, random()} {
		p := eve.with(tenantIDHeader, id)
		key := "for " + id
		first := p.post("/v1/tenants/join", "", idempotencyHeader, key)
		first.refused(domain.CodeRegistrationClosed)
		p.post("/v1/tenants/join", "", idempotencyHeader, key).repeats(first)
	}
}
