package edge

import (
	"fmt"
	"strings"
	"testing"

	"docket/domain"
	"docket/internal/apitest"
)

func TestInvalidMembers(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	for _, c := range []struct{ body, want string }{ // want: pointer code, pointer code …
		{`{}`, "/name required"},
		{`[]`, " type"},
		{`null`, " type"},
		{`"x"`, " type"},
		{`{"name":null}`, "/name type"},
		{`{"name":7}`, "/name type"},
		{`{"name":["abc"]}`, "/name type"},
		{`{"Name":"abc"}`, "/Name unknown, /name required"},
		{`{"name":"abc","NAME":"abd"}`, "/NAME unknown"},
		{`{"name":"abc","id":"x","$schema":"y"}`, "/id unknown, /$schema unknown"},
		{`{"name":"abc","a/b~c":1}`, "/a~1b~0c unknown"},
		{`{"name":"a"}`, "/name too_short"},
		{`{"name":"😀"}`, "/name too_short"},
		{`{"name":"` + strings.Repeat("x", 11) + `"}`, "/name too_long"},
		{`{"name":"a\u0000b"}`, "/name characters"},
		{`{"name":"a\u007fb"}`, "/name characters"},
		{`{"name":"a\u0085b"}`, "/name characters"},
		{`{"name":"abc","kind":"c"}`, "/kind enum"},
		{`{"name":"abc","kind":null}`, "/kind type"},
		{`{"name":"abc","kind":"a\u0000"}`, "/kind characters"},
		{`{"name":"abc","due_date":"2026-02-30"}`, "/due_date format"},
		{`{"name":"abc","due_date":"2026-2-3"}`, "/due_date format"},
		{`{"name":"abc","due_date":20260203}`, "/due_date type"},
		{`{"name":"abc","owner_id":"x"}`, "/owner_id format"},
		{`{"name":"abc","owner_id":"018f3a5c000070008000000000000001"}`, "/owner_id format"},
		{`{"name":"abc","owner_id":"{018f3a5c-0000-7000-8000-000000000001}"}`, "/owner_id format"},
		{`{"name":"abc","owner_id":"urn:uuid:018f3a5c-0000-7000-8000-000000000001"}`, "/owner_id format"},
		{`{"name":"abc","email":"x"}`, "/email format"},
		{`{"name":"abc","email":"X <x@y.z>"}`, "/email format"},
		{`{"name":"abc","slug":"A"}`, "/slug format"},
		{`{"name":"abc","labels":["a","b","c","d"]}`, "/labels too_long"},
		{`{"name":"abc","labels":["a","a"]}`, "/labels/1 duplicate"},
		{`{"name":"abc","labels":["a","\u0061"]}`, "/labels/1 duplicate"},
		{`{"name":"abc","labels":["abcdef",1,null]}`, "/labels/0 too_long, /labels/1 type, /labels/2 type"},
		{`{"name":"abc","labels":"a"}`, "/labels type"},
		{`{"name":"abc","labels":null}`, "/labels type"},
		{`{"name":"abc","count":-1}`, "/count range"},
		{`{"name":"abc","count":10}`, "/count range"},
		{`{"name":"abc","count":1.5}`, "/count type"},
		{`{"name":"abc","count":"1"}`, "/count type"},
		{`{"name":"abc","count":1e0}`, "/count type"},
		{`{"name":"abc","big":9223372036854775808}`, "/big range"},
		{`{"name":"abc","ratio":true}`, "/ratio type"},
		{`{"name":"abc","flag":"true"}`, "/flag type"},
		{`{"name":"abc","flag":1}`, "/flag type"},
		{`{"name":"abc","inner":{}}`, "/inner/value required"},
		{`{"name":"abc","inner":null}`, "/inner type"},
		{`{"name":"abc","inner":{"value":1,"a.b":2,"x.y":3}}`, "/inner/a.b unknown, /inner/x.y unknown"},
		{`{"name":"abc","inner":{"value":"x","a.b/c~d":5}}`, "/inner/value type, /inner/a.b~1c~0d type"},
		{`{"name":"abc","inners":[{"value":1},{"value":"x"},{}]}`, "/inners/1/value type, /inners/2/value required"},
		{`{"name":"abc","free":{"a":{"b":["ok","\u0001"]}}}`, "/free/a/b/1 characters"},
		{`{"name":"abc","free":{"\u0001":1}}`, "/free/\u0001 characters"},
		{`{"name":"abc","counts":{"a":2147483648,"b":"x"}}`, "/counts/a range, /counts/b type"},
		{`{"x.y":1,"name":"a","count":-1,"z":2}`, "/x.y unknown, /name too_short, /count range, /z unknown"},
	} {
		s.posted = nil
		rec := s.send("POST", "/v1/things", c.body)
		p := apitest.WantProblem(t, rec, 422, domain.CodeValidationFailed)
		var got []string
		for _, e := range p.Errors {
			got = append(got, e.Pointer+" "+e.Code)
			if e.Detail == "" {
				t.Errorf("%s: %s without detail", c.body, e.Pointer)
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.body, strings.Join(got, ", "), c.want)
		}
		if s.posted != nil {
			t.Errorf("%s reached the handler", c.body)
		}
	}
}

func TestValidMembersArrive(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	rec := s.send("POST", "/v1/things", `{"name":"äöüäöüäöüä","due_date":null,"owner_id":null,"count":9,"labels":["a","b"],
		"inner":{"value":4,"a.b/c~d":"x"},"free":{"a":null},"email":"a@b.example","big":-9223372036854775808}`)
	if rec.Code != 201 {
		t.Fatal(rec.Code, rec.Body)
	}
	got := s.posted
	if got.Name != "äöüäöüäöüä" || got.Kind != "a" || got.Due != nil || got.OwnerID != nil || got.Count != 9 ||
		len(got.Labels) != 2 || got.Inner != (sampleInner{"x", 4}) || got.Big != -9223372036854775808 {
		t.Errorf("%+v", got)
	}
}

func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	var body strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&body, `"x%d":1,`, i)
	}
	p := apitest.WantProblem(t, s.send("POST", "/v1/things", "{"+body.String()+`"name":"abc"}`), 422, domain.CodeValidationFailed)
	if len(p.Errors) != maxFindings {
		t.Errorf("%d findings", len(p.Errors))
	}
	long := strings.Repeat("x", 100_000)
	rec := s.send("POST", "/v1/things", `{"name":"abc","`+long+`":1,"inner":{"value":1,"`+long+`":1}}`)
	p = apitest.WantProblem(t, rec, 422, domain.CodeValidationFailed)
	if len(p.Errors) != 2 || p.Errors[0].Pointer != "" || p.Errors[1].Pointer != "/inner" {
		t.Errorf("%+v", p.Errors)
	}
	if rec := s.send("POST", "/v1/things", `{"`+long+`":1,"`+long+`":2}`); rec.Body.Len() > 1000 {
		t.Errorf("an answer of %d bytes", rec.Body.Len())
	}
	if rec := s.send("GET", "/v1/things?"+long+"=1", ""); rec.Body.Len() > 1000 {
		t.Errorf("an answer of %d bytes", rec.Body.Len())
	}
}

func TestQueryParameters(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	for query, want := range map[string]string{
		"limit=0":                       "/limit range",
		"limit=201":                     "/limit range",
		"limit=-1":                      "/limit range",
		"limit=1e2":                     "/limit type",
		"limit=%2B5":                    "/limit type",
		"limit=0x5":                     "/limit type",
		"limit=99999999999999999999":    "/limit range",
		"limit=9999999999999999999":     "/limit range",
		"limit=1&limit=2":               "/limit duplicate",
		"status=closed":                 "/status enum",
		"status=open,done":              "/status enum",
		"q=12345678901":                 "/q too_long",
		"q=%00":                         "/q characters",
		"q=%ff":                         "/q characters",
		"owner=me":                      "/owner format",
		"unread=1":                      "/unread type",
		"unread=TRUE":                   "/unread type",
		"ratio=NaN":                     "/ratio type",
		"ratio=1e999":                   "/ratio type",
		"label=a,b,c":                   "/label too_long",
		"label=a,a":                     "/label duplicate",
		"limit=0&status=x&unread=maybe": "/limit range, /status enum, /unread type",
		"status=&q=&limit":              "/limit too_short, /status too_short, /q too_short",
	} {
		t.Log(query)
		p := apitest.WantProblem(t, s.send("GET", "/v1/things?"+query, ""), 422, domain.CodeValidationFailed)
		var got []string
		for _, e := range p.Errors {
			got = append(got, e.Pointer+" "+e.Code)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s\n got %s\nwant %s", query, strings.Join(got, ", "), want)
		}
	}
	for query, code := range map[string]domain.Code{
		"foo=1":            domain.CodeUnknownParameter,
		"Limit=1":          domain.CodeUnknownParameter,
		"limit=0&foo":      domain.CodeUnknownParameter,
		"=":                domain.CodeUnknownParameter,
		"limit=1;status=x": domain.CodeMalformed,
		"q=%zz":            domain.CodeMalformed,
		"q=%":              domain.CodeMalformed,
	} {
		t.Log(query)
		apitest.WantProblem(t, s.send("GET", "/v1/things?"+query, ""), 400, code)
	}
	for range 20 { // of several the same one is named
		if p := apitest.WantProblem(t, s.send("GET", "/v1/things?c=1&b=1&a=1", ""), 400, domain.CodeUnknownParameter); !strings.HasPrefix(p.Detail, `"a"`) {
			t.Fatal(p.Detail)
		}
	}
	if rec := s.send("GET", "/v1/things?limit=200&q=a%20b&unread=true&label=x,y&ratio=0.5", ""); rec.Code != 200 {
		t.Fatal(rec.Code, rec.Body)
	}
	if got := s.listed; got.Limit != 200 || got.Status != "" || got.Q != "a b" || !got.Unread || len(got.Label) != 2 || got.Ratio != 0.5 {
		t.Errorf("%+v", got)
	}
	if s.send("GET", "/v1/things", ""); s.listed.Limit != 50 {
		t.Errorf("%+v", s.listed)
	}
}

func TestHeaderParameters(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	apitest.WantProblem(t, s.send("GET", "/v1/things", "", "Idempotency-Key", "123456789"), 400, domain.CodeMalformed)
	apitest.WantProblem(t, s.send("GET", "/v1/things", "", "Idempotency-Key", "a\xff"), 400, domain.CodeMalformed)
	if rec := s.send("GET", "/v1/things", "", "Idempotency-Key", "12345678"); rec.Code != 200 || s.listed.KeyGiven != "12345678" {
		t.Error(rec.Code, s.listed)
	}
}

// An id that isn't one names nothing, but only after the shape has been looked at.
func TestIDsInPaths(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	for _, id := range []string{"x", "0", "%00", "%ff", "018f3a5c000070008000000000000001",
		"%7B018f3a5c-0000-7000-8000-000000000001%7D", "018f3a5c-0000-7000-8000-00000000000g", "..", "'--"} {
		apitest.WantProblem(t, s.send("GET", "/v1/things/"+id, ""), 404, domain.CodeNotFound)
		apitest.WantProblem(t, s.send("PATCH", "/v1/things/"+id, `{"nome":1}`), 422, domain.CodeValidationFailed)
	}
	if rec := s.send("GET", "/v1/things/018F3A5C-0000-7000-8000-000000000001", ""); rec.Code != 200 || s.id.String() != "018f3a5c-0000-7000-8000-000000000001" {
		t.Error(rec.Code, s.id)
	}
}
