package edge

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"docket/domain"
)

type position struct {
	At string `json:"at"`
	ID string `json:"id"`
}

func testCursors(t testing.TB, fill byte) *Cursors {
	t.Helper()
	c, err := NewCursors(bytes.Repeat([]byte{fill}, minMasterKey), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func drawListing(t *rapid.T) Listing {
	return Listing{
		Tenant:  domain.TenantID(uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "tenant"))),
		Route:   rapid.SampledFrom([]string{"list-projects", "list-tasks"}).Draw(t, "route"),
		Filters: rapid.MapOf(rapid.SampledFrom([]string{"status", "q", "as_of"}), rapid.String()).Draw(t, "filters"),
		Sort:    rapid.SampledFrom([]string{"", "name", "-name"}).Draw(t, "sort"),
	}
}

func TestCursorOpensWhereItWasSealed(t *testing.T) {
	t.Parallel()
	c := testCursors(t, 1)
	rapid.Check(t, func(t *rapid.T) {
		l := drawListing(t)
		want := position{rapid.String().Draw(t, "at"), rapid.String().Draw(t, "id")}
		cursor, err := c.Seal(l, want)
		if err != nil {
			t.Fatal(err)
		}
		var got position
		if err := c.Open(l, cursor, &got); err != nil || got != want {
			t.Fatalf("%v: got %v, want %v", err, got, want)
		}
		if strings.ContainsFunc(cursor, func(r rune) bool {
			return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", r)
		}) {
			t.Fatalf("%s must be escaped in a URL", cursor)
		}
	})
}

func TestCursorOpensNowhereElse(t *testing.T) {
	t.Parallel()
	c := testCursors(t, 1)
	l := Listing{Tenant: domain.TenantID(uuid.New()), Route: "list-tasks", Filters: map[string]string{"status": "todo"}, Sort: "name"}
	cursor, err := c.Seal(l, position{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	refused := func(name string, c *Cursors, l Listing, cursor string) {
		t.Helper()
		var got position
		if err := c.Open(l, cursor, &got); domain.CodeOf(err) != domain.CodeCursorInvalid {
			t.Errorf("%s: %v %+v", name, err, got)
		}
	}
	for name, change := range map[string]func(*Listing){
		"tenant":       func(l *Listing) { l.Tenant = domain.TenantID(uuid.New()) },
		"route":        func(l *Listing) { l.Route = "list-projects" },
		"filter":       func(l *Listing) { l.Filters = map[string]string{"status": "done"} },
		"no filter":    func(l *Listing) { l.Filters = nil },
		"more filters": func(l *Listing) { l.Filters = map[string]string{"status": "todo", "q": ""} },
		"order":        func(l *Listing) { l.Sort = "-name" },
	} {
		other := l
		change(&other)
		refused(name, c, other, cursor)
	}
	refused("other key", testCursors(t, 2), l, cursor)
	for _, bad := range []string{"", "x", "====", cursor + "=", cursor + "A", cursor + "\n", cursor[:10] + "\r\n" + cursor[10:],
		" " + cursor, cursor[1:], cursor[:len(cursor)-1], strings.Repeat("A", maxCursor+1), base64.StdEncoding.EncodeToString([]byte("{}"))} {
		refused(bad, c, l, bad)
	}
	// Each bit counts, also those of the last character that stand for nothing.
	for _, at := range []string{"a", "aa", "aaa"} {
		cursor, err := c.Seal(l, position{At: at})
		if err != nil {
			t.Fatal(err)
		}
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		for _, last := range alphabet {
			if other := cursor[:len(cursor)-1] + string(last); other != cursor {
				refused("last character", c, l, other)
			}
		}
	}
	token, _ := base64.RawURLEncoding.DecodeString(cursor)
	for i := range token {
		for bit := range 8 {
			tampered := slices.Clone(token)
			tampered[i] ^= 1 << bit
			refused("tampered", c, l, base64.RawURLEncoding.EncodeToString(tampered))
		}
	}
	var otherShape struct {
		N int `json:"n"`
	}
	if err := c.Open(l, cursor, &otherShape); domain.CodeOf(err) != domain.CodeCursorInvalid {
		t.Error(err)
	}
}

func TestCursorKey(t *testing.T) {
	t.Parallel()
	if _, err := NewCursors(make([]byte, minMasterKey-1), nil); err == nil {
		t.Error("a short key is taken")
	}
	if bytes.Equal(testCursors(t, 1).key, bytes.Repeat([]byte{1}, 32)) {
		t.Error("the master key itself is used")
	}
}

func FuzzCursor(f *testing.F) {
	c := testCursors(f, 1)
	l := Listing{Route: "list-tasks"}
	genuine, err := c.Seal(l, position{"a", "b"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(genuine)
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, cursor string) {
		var got position
		if err := c.Open(l, cursor, &got); err == nil && cursor != genuine {
			t.Errorf("%q is taken for a cursor", cursor)
		} else if err != nil && domain.CodeOf(err) != domain.CodeCursorInvalid {
			t.Error(err)
		}
	})
}
