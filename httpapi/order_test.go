package httpapi

import (
	"slices"
	"strings"
	"testing"

	"docket/domain"
)

// The order of checks is part of the contract: a request that is wrong in every
// way hears of the first, and of the next when that is mended.
func TestOrderOfChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := newStage(w)
	member, owner := s.as(domain.Member), s.as(domain.Owner)
	another := s.project(owner)
	closed := s.project(member, domain.Cancelled)
	archived := s.project(member, domain.Cancelled, domain.Archived)
	othersTask := s.task(owner)
	own := member.project("Project")
	closedTask := member.task(own.ID, "Task").ID.String()
	owner.move(own.ID, domain.Cancelled)
	open := s.project(member)

	token := func(p person) func(*request) { return func(r *request) { r.token = p.token } }
	header := func(name, value string) func(*request) { return func(r *request) { r.header[name] = value } }
	id := func(id string) func(*request) { return func(r *request) { r.id = id } }
	query := func(query string) func(*request) { return func(r *request) { r.query = query } }
	body := func(text string) func(*request) { return func(r *request) { r.body = text } }
	asItIs := func(*request) {}
	gates := []mending{
		{asItIs, domain.CodeUnauthenticated},
		{token(s.stranger), domain.CodeTenantInvalid},
		{header(tenantSlugHeader, "default"), domain.CodeTenantMismatch},
		{header(tenantSlugHeader, ""), domain.CodeTenantAccessDenied},
		{token(s.as(domain.Viewer)), domain.CodeInsufficientRole},
	}
	bodies := []mending{
		{token(member), domain.CodePayloadTooLarge},
		{body("{"), domain.CodeUnsupportedMediaType},
		{header("Content-Type", "application/json"), domain.CodeUnknownParameter},
		{query(""), domain.CodeMalformed},                     // If-Match
		{header("If-Match", `"99"`), domain.CodeMalformed},    // the body
		{body(`{"nonsense":1}`), domain.CodeValidationFailed}, // before the id, which isn't one
	}
	noBody := []mending{
		{token(member), domain.CodeUnknownParameter},
		{query(""), domain.CodeMalformed},
		{header("If-Match", `"99"`), domain.CodeNotFound},
	}
	for name, c := range map[string]struct {
		method, before, after string
		steps                 []mending
	}{
		"edit a project": {"PATCH", "/v1/projects/", "", slices.Concat(gates, bodies, []mending{
			{id(random()), domain.CodeValidationFailed},
			{body(`{"name":" "}`), domain.CodeValidationFailed},
			{body(`{"name":"x","owner_id":"` + random() + `"}`), domain.CodeNotFound},
			{id(another), domain.CodeNotYours},
			{id(closed), domain.CodeVersionConflict},
			{header("If-Match", ""), domain.CodeProjectClosed},
			{id(open), domain.CodeValidationFailed}, // the new owner is no member: a question about the tenant
		})},
		"move a project": {"POST", "/v1/projects/", "/transitions", slices.Concat(gates, bodies, []mending{
			{body(`{"to":"active"}`), domain.CodeNotFound},
			{id(random()), domain.CodeNotFound},
			{id(another), domain.CodeNotYours},
			{id(archived), domain.CodeVersionConflict},
			{header("If-Match", ""), domain.CodeInvalidTransition},
		})},
		"move a project with a role too low": {"POST", "/v1/projects/", "/transitions", slices.Concat(gates, bodies, []mending{
			{body(`{"to":"draft"}`), domain.CodeNotFound},
			{id(closed), domain.CodeInsufficientRole}, // before 412
			{token(owner), domain.CodeVersionConflict},
		})},
		"edit a task": {"PATCH", "/v1/tasks/", "", slices.Concat(gates, bodies, []mending{
			{id(random()), domain.CodeValidationFailed},
			{body(`{"title":" "}`), domain.CodeValidationFailed},
			{body(`{"title":"x","assignee_id":"` + random() + `"}`), domain.CodeNotFound},
			{id(closedTask), domain.CodeVersionConflict},
			{header("If-Match", ""), domain.CodeProjectClosed},
			{id(othersTask), domain.CodeValidationFailed},
		})},
		"delete a task": {"DELETE", "/v1/tasks/", "", slices.Concat(gates, noBody, []mending{
			{id(random()), domain.CodeNotFound},
			{id(othersTask), domain.CodeNotYours},
			{id(closedTask), domain.CodeVersionConflict},
			{header("If-Match", ""), domain.CodeProjectClosed},
		})},
	} {
		r := request{
			id: "no-id", query: "?nonsense=1", body: strings.Repeat("x", maxBody+1),
			header: map[string]string{tenantIDHeader: s.id.String(), tenantSlugHeader: "NO SLUG", "If-Match": "no tag", "Content-Type": "text/plain"},
		}
		before := w.events()
		for i, step := range c.steps {
			step.mend(&r)
			p := w.anonymous()
			p.token = r.token
			for name, value := range r.header {
				p = p.with(name, value)
			}
			a := p.send(c.method, c.before+r.id+c.after+r.query, r.body)
			if wrong := a.isnt(step.next); wrong != "" {
				t.Errorf("%s, step %d: %s: got %d %s", name, i, wrong, a.Code, a.Body)
			}
		}
		if w.events() != before {
			t.Errorf("%s: something that was refused left an event", name)
		}
	}
}

// request is what is mended step by step.
type request struct {
	token, id, query, body string
	header                 map[string]string
}

// mending mends one thing, and says what is then found to be wrong.
type mending struct {
	mend func(*request)
	next domain.Code
}
