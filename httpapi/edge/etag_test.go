package edge

import (
	"net/http/httptest"
	"strings"
	"testing"

	"docket/domain"
	"docket/internal/apitest"
)

func TestIfMatch(t *testing.T) {
	t.Parallel()
	for value, met := range map[string]bool{ // by version 3
		`"3"`: true, `"2", "3"`: true, `"3","3"`: true, `, "3" ,`: true, ` "3" `: true, `*`: true, ` * `: true,
		`"2"`: false, `W/"3"`: true, `"3-gzip"`: true, `W/"3-br"`: true, `"3;gzip"`: true, `"3-x"`: false, `"-gzip"`: false, `"03"`: false, `"+3"`: false, `"3.0"`: false, `"abc"`: false, `""`: false,
		`"2",W/"3"`: true, `"a,b"`: false, `"99999999999999999999"`: false, `"é"`: false, `W/"3", "3"`: true,
	} {
		m, err := parseIfMatch(value)
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		if err := m.Check(3); (err == nil) != met {
			t.Errorf("%s: %v", value, err)
		}
	}
	for _, value := range []string{``, ` `, `,`, `3`, `"3`, `3"`, `"3" "4"`, `w/"3"`, `W/3`, `*, "3"`, `"3", *`, `"3";"4"`, `"a b"`, "\"\x7f\""} {
		if _, err := parseIfMatch(value); domain.CodeOf(err) != domain.CodeMalformed {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestIfMatchOverHTTP(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	send := func(lines ...string) *httptest.ResponseRecorder {
		req := httptest.NewRequest("PATCH", thingPath, strings.NewReader(`{}`))
		req.Header.Set("Content-Type", "application/json")
		req.Header["If-Match"] = lines
		rec := s.do(req)
		return rec
	}
	if rec := send(); rec.Code != 200 || s.ifMatch.Conditional() {
		t.Error(rec.Code, s.ifMatch)
	}
	if rec := send(`"2"`); rec.Code != 200 || !s.ifMatch.Conditional() || s.ifMatch.Check(3) == nil {
		t.Error(rec.Code, s.ifMatch)
	}
	if rec := send(`"2"`, `"3"`); rec.Code != 200 || s.ifMatch.Check(3) != nil {
		t.Error(rec.Code, s.ifMatch)
	}
	apitest.WantProblem(t, send(`3`), 400, domain.CodeMalformed)
	apitest.WantProblem(t, send(`"3"`, `x`), 400, domain.CodeMalformed)
	if got := s.send("GET", thingPath, "").Header().Get("ETag"); got != `"3"` {
		t.Error(got)
	}
}

func FuzzIfMatch(f *testing.F) {
	for _, seed := range []string{`"3"`, `*`, `W/"3", "4"`, `,,"x"`, `"`, ``} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		m, err := parseIfMatch(value)
		if err == nil && m.Conditional() && m.Check(3) == nil && !strings.Contains(value, `"3`) {
			t.Errorf("%q is met by version 3", value)
		}
	})
}
