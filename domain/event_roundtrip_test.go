package domain_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"docket/domain"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// Decode returns the event that Encode stored, for any texts, and the stored form is
// valid JSON without needless escapes.
func TestEventsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sample := rapid.SampledFrom(samples).Draw(t, "type")
		v := reflect.New(reflect.TypeOf(sample)).Elem()
		fill(t, v, "")
		event := v.Interface().(domain.Event)

		_, data, err := domain.Encode(event)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(data) || bytes.Contains(data, []byte("\n")) {
			t.Fatalf("not one line of JSON: %s", data)
		}
		for _, escape := range []string{"u003c", "u003e", "u0026", "u2028", "u2029"} {
			if i := bytes.Index(data, []byte(`\`+escape)); i > 0 && data[i-1] != '\\' {
				t.Fatalf("%s is escaped in %s", escape, data)
			}
		}
		if diff := cmp.Diff(event, stored(t, event)); diff != "" {
			t.Fatalf("%s (-encoded +decoded):\n%s", data, diff)
		}
	})
}

// characters are those that encoders treat differently, and any other.
var characters = rapid.OneOf(
	rapid.SampledFrom([]rune(`<>&"\/u028'{}$p`+"\n\t\u2028\u2029\ufffd\u0000\u007f🚢")),
	rapid.Rune(),
)

// fill draws a value for every field.
func fill(t *rapid.T, v reflect.Value, name string) {
	t.Helper()
	switch v.Interface().(type) {
	case json.RawMessage:
		v.SetBytes(rawValue(t, name))
		return
	case uuid.UUID:
		t.Fatalf("%s is a UUID of no kind", name)
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(rapid.StringOf(characters).Draw(t, name))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, name))
	case reflect.Int:
		v.SetInt(rapid.Int64().Draw(t, name))
	case reflect.Array: // an id
		reflect.Copy(v, reflect.ValueOf(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name)))
	case reflect.Pointer:
		if rapid.Bool().Draw(t, name+" is there") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), name)
		}
	case reflect.Slice:
		switch n := rapid.IntRange(-1, 3).Draw(t, name+" length"); n {
		case -1: // null
		default:
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(t, v.Index(i), name)
			}
		}
	case reflect.Struct:
		for f, field := range v.Fields() {
			fill(t, field, f.Name)
		}
	case reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, name))
	default:
		t.Fatalf("no value for a field of kind %s", v.Kind())
	}
}

// rawValue draws a Change's value: JSON as Encode writes it.
func rawValue(t *rapid.T, name string) []byte {
	t.Helper()
	// The encoder here would escape these two where events don't.
	text := strings.NewReplacer("\u2028", "", "\u2029", "").Replace(rapid.StringOf(characters).Draw(t, name))
	value := rapid.SampledFrom([]any{nil, text, []string{text, "x"}, []string{}, true, 12.5}).Draw(t, name+" kind")
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		t.Fatal(err)
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

func TestAbsentValuesAreNull(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		event domain.Event
		want  []string
	}{
		{domain.ProjectCreated{}, []string{`"description":null`, `"due_date":null`}},
		{domain.ProjectStatusChanged{}, []string{`"comment":null`}},
		{domain.TaskCreated{Labels: []string{}}, []string{`"description":null`, `"assignee_id":null`, `"labels":[]`, `"due_date":null`}},
		{domain.TaskUpdated{}, []string{`"assignee_id":null`}},
		{domain.TaskDeleted{}, []string{`"assignee_id":null`}},
		{domain.CommentCreated{Mentions: []domain.UserID{}}, []string{`"assignee_id":null`, `"mentions":[]`}},
		{domain.CommentUpdated{}, []string{`"assignee_id":null`}},
	} {
		_, data, err := domain.Encode(c.event)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(string(data), want) {
				t.Errorf("%s lacks %s", data, want)
			}
		}
	}
}

// A change that this version can't read leaves the state unchanged.
func TestChangesOfNewerVersions(t *testing.T) {
	t.Parallel()
	known := domain.Change{Field: "name", From: []byte(`"a"`), To: []byte(`"b"`)}
	for name, bad := range map[string]domain.Change{
		"a field it doesn't know":    {Field: "budget", To: []byte(`7`)},
		"a value of another kind":    {Field: "name", To: []byte(`7`)},
		"no value":                   {Field: "name"},
		"an id that isn't one":       {Field: "owner_id", To: []byte(`"7"`)},
		"a name in another case":     {Field: "Name", To: []byte(`"b"`)},
		"a value that isn't JSON":    {Field: "name", To: []byte(`b`)},
		"a value and something more": {Field: "name", To: []byte(`"b" "c"`)},
	} {
		p := projectAt(t, domain.Draft)
		got, err := p.Evolve(domain.Recorded{Version: 2, At: moment(2), Event: domain.ProjectUpdated{Changes: []domain.Change{known, bad}}})
		if err == nil || snapshot(t, got) != snapshot(t, p) {
			t.Errorf("%s: %v, %+v", name, err, got)
		}
	}
}
