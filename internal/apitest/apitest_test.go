package apitest_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"docket/internal/apitest"
)

func published(t *testing.T) *apitest.Document {
	t.Helper()
	text, err := os.ReadFile("../../openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	d, err := apitest.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const (
	id   = "01a20928-b478-7cd8-96b7-b53661bb4561"
	at   = "2026-11-23T16:06:32.360493Z"
	task = `{"id":"` + id + `","project_id":"` + id + `","title":"T","description":null,"status":"todo","priority":"low","assignee_id":null,` +
		`"labels":[],"due_date":null,"created_by":"` + id + `","created_at":"` + at + `","updated_at":"` + at + `","version":9223372036854775807}`
	problem = `{"type":"/problems/not-found","title":"T","status":404,"detail":"D","code":"not-found","request_id":"r"}`
	event   = `{"seq":1,"at":"` + at + `","stream_type":"task","stream_id":"` + id + `","version":1,"type":"task.created","schema_version":1,` +
		`"actor_id":"` + id + `","command_id":"` + id + `","data":{},"meta":{}}`
)

func TestDisagreements(t *testing.T) {
	t.Parallel()
	d := published(t)
	for _, tc := range []struct {
		name, call, sent string
		header           string // of the request: name, value
		status           int
		answered         string // media type, space, body
		want             string // part of what is wrong; empty: nothing
	}{
		{name: "as documented", call: "GET /v1/tasks/" + id, status: 200, answered: "application/json " + task},
		{name: "not published", call: "GET /v1/nonesuch", status: 200, answered: "text/plain x"},
		{name: "not published, refused", call: "GET /v1/tasks/", status: 404, answered: "application/problem+json " + problem},
		{name: "half a problem", call: "GET /v1/nonesuch", status: 404, answered: `application/problem+json {"code":"not-found"}`, want: "missing properties"},
		{name: "another status", call: "GET /v1/tasks/" + id, status: 202, answered: "application/json " + task, want: "'202' does not exist"},
		{name: "another media type", call: "GET /v1/tasks/" + id, status: 200, answered: "text/plain " + task, want: "text/plain"},
		{name: "a member missing", call: "GET /v1/tasks/" + id, status: 200, answered: "application/json " + strings.Replace(task, `"title":"T",`, "", 1), want: "missing property 'title'"},
		{name: "a member too many", call: "GET /v1/tasks/" + id, status: 200, answered: "application/json " + strings.Replace(task, `"title"`, `"x":1,"title"`, 1), want: "'x' not allowed"},
		{name: "a member twice", call: "GET /v1/tasks/" + id, status: 200, answered: "application/json " + strings.Replace(task, `"title"`, `"title":"U","title"`, 1), want: "duplicate"},
		{name: "another word", call: "GET /v1/tasks/" + id, status: 200, answered: "application/json " + strings.Replace(task, `"low"`, `"lowest"`, 1), want: "must be one of"},
		{name: "another type", call: "GET /v1/tasks/" + id, status: 200, answered: "application/json " + strings.Replace(task, `"T"`, `null`, 1), want: "want string"},
		{name: "another UUID", call: "GET /v1/tasks/" + id, status: 200, answered: "application/json " + strings.Replace(task, id, strings.ToUpper(id), 1), want: "no canonical UUID"},
		{name: "local time", call: "GET /v1/tasks/" + id, status: 200, answered: "application/json " + strings.Replace(task, "493Z", "493+01:00", 1), want: "no time in UTC"},
		{name: "no time", call: "GET /v1/tasks/" + id, status: 200, answered: "application/json " + strings.Replace(task, at, "0001-01-01T00:00:00Z", 1), want: "no time in UTC"},
		{name: "a header missing", call: "POST /v1/projects/" + id + "/tasks", sent: `{"title":"T"}`, status: 201, answered: "application/json " + task, want: "no header Docket-Seq"},
		{name: "a body too many", call: "DELETE /v1/tasks/" + id, status: 204, answered: "application/json {}", want: "a body where there should be none"},
		{name: "a documented code", call: "GET /v1/tasks/" + id, status: 404, answered: "application/problem+json " + problem},
		{name: "another code", call: "GET /v1/tasks/" + id, status: 404, answered: "application/problem+json " + strings.Replace(problem, `"not-found"`, `"internal"`, 1), want: "the code internal isn't documented"},
		{name: "lines", call: "GET /v1/admin/events", status: 200, answered: "application/x-ndjson " + event + "\n" + event + "\n"},
		{name: "a wrong line", call: "GET /v1/admin/events", status: 200, answered: "application/x-ndjson " + event + "\n" + strings.Replace(event, `"seq":1`, `"seq":"1"`, 1) + "\n", want: "$.seq"},
		{name: "a body that can't be", call: "POST /v1/projects/" + id + "/tasks", sent: `{"title":1}`, status: 201, answered: "application/json " + task, want: "$.title"},
		{name: "a body that can't be, refused", call: "POST /v1/projects/" + id + "/tasks", sent: `{"title":1}`, status: 404, answered: "application/problem+json " + problem},
		{name: "a parameter that can't be", call: "GET /v1/tasks/" + id, header: "X-Tenant-ID acme", status: 200, answered: "application/json " + task, want: "X-Tenant-ID"},
		{name: "no token", call: "GET /v1/tasks/" + id, header: "Authorization ", status: 200, answered: "application/json " + task, want: "Authorization"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			method, target, _ := strings.Cut(tc.call, " ")
			req := httptest.NewRequest(method, target, http.NoBody)
			req.Header.Set("Authorization", "Bearer x")
			if tc.sent != "" {
				req.Header.Set("Content-Type", "application/json")
			}
			if name, value, ok := strings.Cut(tc.header, " "); ok {
				req.Header.Set(name, value)
			}
			media, body, _ := strings.Cut(tc.answered, " ")
			got := d.Disagreements(apitest.Exchange{Request: req, Sent: []byte(tc.sent), Status: tc.status,
				Header: http.Header{"Content-Type": {media}, "Etag": {`"1"`}}, Body: []byte(body)})
			if all := strings.Join(got, "\n"); all == "" != (tc.want == "") || !strings.Contains(all, tc.want) {
				t.Errorf("got %q, want %q", all, tc.want)
			}
		})
	}
}

func TestUnanswered(t *testing.T) {
	t.Parallel()
	d := published(t)
	all := d.Unanswered()
	for _, status := range []int{404, 200} {
		d.Disagreements(apitest.Exchange{Request: httptest.NewRequest("GET", "/v1/tasks/"+id, http.NoBody), Status: status, Header: http.Header{}})
		if left := d.Unanswered(); slices.Contains(left, "GET /v1/tasks/{id}") == (status == 200) || len(left) < len(all)-1 {
			t.Errorf("after a %d: %v", status, left)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{}", `{"openapi":"3.1.0","info":{"title":"T"},"paths":{}}`} {
		if _, err := apitest.Read([]byte(text)); err == nil {
			t.Errorf("%q is taken for a document", text)
		}
	}
}
