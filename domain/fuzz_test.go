package domain_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"docket/domain"

	"github.com/google/uuid"
)

func FuzzDecode(f *testing.F) {
	for _, e := range samples {
		d, data, err := domain.Encode(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(d.Type, d.Version, []byte(data))
		f.Add(d.Type, d.Version+1, []byte(data))
		f.Add(d.Type, d.Version, []byte(data[:len(data)/2]))
		f.Add(d.Type, d.Version, bytes.ReplaceAll(data, []byte(`"none"`), []byte(`"k1"`)))
	}
	f.Add("task.updated", 1, []byte(`{"changes":[{"field":"title","from":null,"to":"\u2028 \\u2028 \\\u2029 \u003c"}]}`))
	f.Add("task.updated", 1, []byte(`{"changes":[{"field":"title"},{"field":"due_date","to": [1e999, {"a" : "b"}]}],"CHANGES":null}`))
	f.Add("project.updated", 1, []byte(`{"changes":null,"name":"\ud800"}`))
	f.Add("member.joined", 1, []byte(`{"user_version":7,"role":"owner","extra":1e999}`))
	f.Add("task.created", -1, []byte(`null`))
	f.Fuzz(func(t *testing.T, eventType string, version int, data []byte) {
		kept := bytes.Clone(data)
		e, err := domain.Decode(eventType, version, data)
		if !bytes.Equal(data, kept) {
			t.Fatal("the stored data was changed")
		}
		if err != nil {
			return
		}
		d, first, err := domain.Encode(e)
		if err != nil || d.Type != eventType {
			t.Fatalf("encode %+v: %v", e, err)
		}
		if !json.Valid(first) {
			t.Fatalf("not JSON: %s", first)
		}
		again, err := domain.Decode(d.Type, d.Version, first)
		if err != nil {
			t.Fatalf("decode %s: %v", first, err)
		}
		if _, second, err := domain.Encode(again); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%s was encoded again as %s, %v", first, second, err)
		}
		// A fold of any stored event returns a state or an error.
		r := domain.Recorded{Version: 1, At: moment(1), Event: e}
		for _, fold := range []func(domain.Recorded) (any, any, error){
			evolve[domain.Tenant], evolve[domain.Membership], evolve[domain.User], evolve[domain.Project], evolve[domain.Task],
			evolve[domain.Comment], evolve[domain.Subscription],
		} {
			if before, after, err := fold(r); err != nil && snapshot(t, before) != snapshot(t, after) {
				t.Fatalf("a refused event left %+v", after)
			}
		}
	})
}

func FuzzParseID(f *testing.F) {
	for _, s := range []string{
		"019b0000-0000-7000-8000-00000000000a", "019B0000-0000-7000-8000-00000000000A", "00000000-0000-0000-0000-000000000000",
		"", "019b000000007000800000000000000a", "{019b0000-0000-7000-8000-00000000000a}", "urn:uuid:019b0000-0000-7000-8000-00000000000a",
		"019b0000-0000-7000-8000-00000000000", "019b0000_0000_7000_8000_00000000000a", "019b0000-0000-7000-8000-00000000000\x00",
		"019b0000-0000-7000-8000-0000000000é", "+19b0000-0000-7000-8000-00000000000a", "0x9b0000-0000-7000-8000-00000000000a",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var unmarshalled domain.TaskID
		parsed, err := domain.ParseID[struct{}](s)
		if textErr := unmarshalled.UnmarshalText([]byte(s)); (textErr == nil) != (err == nil) || unmarshalled.UUID() != parsed.UUID() {
			t.Fatalf("%q: %v and %v", s, err, textErr)
		}
		if err != nil {
			if !parsed.IsZero() {
				t.Fatalf("%q: refused, but the id is %s", s, parsed)
			}
			return
		}
		if parsed.String() != strings.ToLower(s) {
			t.Fatalf("%q is %s", s, parsed)
		}
		if want := uuid.MustParse(s); parsed.UUID() != want {
			t.Fatalf("%q is %s, want %s", s, parsed, want)
		}
	})
}

func FuzzFoldEmail(f *testing.F) {
	for _, s := range []string{"ONE@Example.org", "\u017f\u0301", "\u13a0", "\uab70", "ẞ", "\u0345\u0301", "İ", "\xff", "\u1e9b\u0323", "각"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkFold(t, s)
		checkCaseless(t, s)
	})
}

// FuzzEmail checks that an accepted address is safe in a header line and stable as a
// claim.
func FuzzEmail(f *testing.F) {
	for _, s := range []string{"one@example.org", "a@b\r\nBcc: c@d", `"a"@b`, "a@[127.0.0.1]", "=?utf-8?q?a?=@b", "a@b (c)", "ü@ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		events, err := domain.DecideUser(domain.User{}, domain.RegisterUser{ID: person(1), Email: s, Name: "Person 1"})
		if err != nil {
			return
		}
		if strings.ContainsAny(s, " \r\n\t,;<>\x00") || strings.Count(s, "@") != 1 || len(s) > 254 {
			t.Fatalf("%q was accepted as an address", s)
		}
		if back := stored(t, events[0]).(domain.UserRegistered); back.Email.Value != s {
			t.Fatalf("%q was stored as %q", s, back.Email.Value)
		}
		checkFold(t, s)
	})
}
