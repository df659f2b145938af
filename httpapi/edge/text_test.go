package edge

import (
	"slices"
	"strings"
	"testing"

	"docket/internal/apitest"

	"github.com/danielgtaylor/huma/v2"
)

// Texts are kept in NFC and with \n; their lengths count after that.
func TestNormalTexts(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	for given, want := range map[string]string{
		`a\r\nb`: "a\nb", `a\rb`: "a\nb", `a\n\rb`: "a\n\nb", `a\r\n\r\nb`: "a\n\nb", "ab": "ab",
		"Cafe\u0301": "Café", `Cafe\u0301`: "Café",
		`a\"\\b\/`: `a"\b/`, `\ud83d\ude00!`: "😀!",
	} {
		rec := s.send("POST", "/v1/things", `{"name":"`+given+`","free":{"cafe\u0301":["`+given+`",1.50,null]}}`)
		if rec.Code != 201 || s.posted.Name != want {
			t.Errorf("%q: %d %s, posted %+v", given, rec.Code, rec.Body, s.posted)
			continue
		}
		if list, _ := s.posted.Free["cafe\u0301"].([]any); len(list) != 3 || list[0] != want || list[1] != 1.5 || list[2] != nil {
			t.Errorf("%q inside: %v", given, s.posted.Free)
		}
	}
	// Lengths count afterwards; the document's validator, which sees every request of this
	// test, counts before.
	ten := 10
	for _, text := range []string{`"1\r\n3\r\n5\r\n7\r\n9\r\n"`, `"` + strings.Repeat("e\u0301", 10) + `"`} {
		if found := checkShape(nil, &huma.Schema{Type: huma.TypeString, MaxLength: &ten}, normalTexts([]byte(text))); len(found) > 0 {
			t.Errorf("%s: %+v", text, found)
		}
	}
	// What is refused is named, and where it stands.
	p := apitest.WantProblem(t, s.send("POST", "/v1/things", `{"name":"a\r\n\u0085b"}`), 422, "validation-failed")
	if len(p.Errors) != 1 || p.Errors[0].Pointer != "/name" || !strings.Contains(p.Errors[0].Detail, "character 3 is the control character U+0085") {
		t.Errorf("%+v", p.Errors)
	}
}

// A filter finds what is kept, however it is spelled.
func TestNormalValues(t *testing.T) {
	t.Parallel()
	for given, want := range map[string][]string{
		"Cafe\u0301,Café":   {"Café", "Café"},
		`a\,e` + "\u0301,b": {"a,é", "b"},
		"a\r\nb":            {"a\r\nb"}, // refused, as any control character
		"\xff,a":            {"\xff", "a"},
		",":                 {"", ""},
	} {
		if got := splitValues(given); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

func TestDaysThatAreNone(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	for day, want := range map[string]string{"2027-02-30": "no such day", "2027-13-01": "no such day", "27-02-03": "YYYY-MM-DD", "tomorrow": "YYYY-MM-DD"} {
		p := apitest.WantProblem(t, s.send("POST", "/v1/things", `{"name":"abc","due_date":"`+day+`"}`), 422, "validation-failed")
		if len(p.Errors) != 1 || p.Errors[0].Pointer != "/due_date" || !strings.Contains(p.Errors[0].Detail, want) {
			t.Errorf("%s: %+v", day, p.Errors)
		}
	}
}

// One request has one canonical form, however it is spelled; another has another.
func TestCanonicalBody(t *testing.T) {
	t.Parallel()
	const id = `"owner_id":"019b0000-0000-7000-8000-00000000000a"`
	same := []string{
		`{"name":"abc",` + id + `,"n":[1,2]}`, ` { "n" : [1, 2], ` + id + `,"name":"a\u0062c"}` + "\n",
		strings.Replace(`{"name":"abc","n":[1,2],`+id+`}`, "00a", "00A", 1),
	}
	for _, body := range same {
		if got := canonicalBody([]byte(body)); string(got) != string(canonicalBody([]byte(same[0]))) {
			t.Errorf("%s becomes %s", body, got)
		}
	}
	seen := map[string]string{}
	for _, body := range []string{
		``, `{`, `{}`, `{ "name":"abc","name":"abc"}`, `{"name":"abc"}`, `{"name":"ABC"}`, `{"name":null}`, `{"n":[1,2]}`, `{"n":[2,1]}`,
		`{"title":"019B0000-0000-7000-8000-00000000000A"}`, `{"title":"019b0000-0000-7000-8000-00000000000a"}`,
	} {
		form := string(canonicalBody([]byte(body)))
		if other, twice := seen[form]; twice {
			t.Errorf("%s and %s become %s", body, other, form)
		}
		seen[form] = body
	}
}
