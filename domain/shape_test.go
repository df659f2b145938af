package domain

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// plainTypes are the types of the fields that a Change may have.
var plainTypes = []reflect.Type{
	reflect.TypeFor[string](), reflect.TypeFor[*string](), reflect.TypeFor[Priority](), reflect.TypeFor[bool](),
	reflect.TypeFor[UserID](), reflect.TypeFor[*UserID](), reflect.TypeFor[*Date](), reflect.TypeFor[[]string](),
	reflect.TypeFor[[]UserID](), reflect.TypeFor[int](), reflect.TypeFor[int64](), reflect.TypeFor[json.RawMessage](),
	reflect.TypeFor[Personal](), reflect.TypeFor[*Personal](), reflect.TypeFor[[]Change](), reflect.TypeFor[Meta](),
}

// shaped are all types with a shape.
func shaped() []reflect.Type {
	types := plainTypes
	for _, d := range Definitions() {
		types = append(types, d.goType)
	}
	return types
}

// wantsReadAlike fails unless a shape reads data as encoding/json does: the same
// value or the same error.
func wantsReadAlike(t interface {
	Helper()
	Fatalf(string, ...any)
}, typ reflect.Type, data []byte) {
	t.Helper()
	want := reflect.New(typ)
	wantErr := json.Unmarshal(data, want.Interface())

	given := bytes.Clone(data)
	got := reflect.New(typ)
	err := shapeOf(typ).unmarshal(given, got.Elem())
	if !bytes.Equal(given, data) {
		t.Fatalf("%s: the data was changed to %q", typ, given)
	}
	if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
		t.Fatalf("%s from %q: %v, encoding/json says %v", typ, data, err, wantErr)
	}
	for i := range given { // as the driver will, with its buffer
		given[i] = 'x'
	}
	if err == nil && !reflect.DeepEqual(got.Interface(), want.Interface()) {
		t.Fatalf("%s from %q: %+v, encoding/json says %+v", typ, data, got.Elem(), want.Elem())
	}
}

// storedForms are the values in the golden files, with the types that read each.
func storedForms(t testing.TB) map[string]reflect.Type {
	t.Helper()
	forms := map[string]reflect.Type{}
	for _, d := range Definitions() {
		files, err := filepath.Glob(filepath.Join("testdata", "events", d.Type+".v*.json"))
		if err != nil || len(files) == 0 {
			t.Fatal(d.Type, err)
		}
		for _, name := range files {
			file, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			forms[strings.TrimSuffix(string(file), "\n")] = d.goType
		}
	}
	for _, meta := range []string{
		`{}`, `{"request_id":"r-1"}`,
		`{"request_id":"r-1","actor_name":{"$p":{"subject":"019b0000-0000-7000-8000-000000000065","key":"none","value":"\u003cAnn\u003e"}}}`,
	} {
		forms[meta] = reflect.TypeFor[Meta]()
	}
	return forms
}

// newestFields are fields of the newest version alone.
var newestFields = map[reflect.Type]string{
	reflect.TypeFor[MemberJoined]():         "user_version",
	reflect.TypeFor[ProjectUpdated]():       "after_approval",
	reflect.TypeFor[ProjectStatusChanged](): "after_edit",
}

// The shape itself reads what Encode writes, without encoding/json.
func TestShapesReadEncodedEvents(t *testing.T) {
	t.Parallel()
	for data, typ := range storedForms(t) {
		if newest := newestFields[typ]; newest != "" && !strings.Contains(data, newest) {
			continue // version 1
		}
		if rest, ok := shapeOf(typ)([]byte(data), reflect.New(typ).Elem()); !ok || len(rest) > 0 {
			t.Errorf("%s isn't read from %s, at %q", typ, data, rest)
		}
	}
}

// pieces are other forms that an encoder may write, and damage.
var pieces = []string{
	`"`, `\`, `\"`, `\u0041`, `\ud800`, `\ud83d\udea2`, `\/`, "\x00", "\n", "\xff", "é", "\u2028", " ", "\t", ",", ":", "{", "}", "[", "]", "[]", "{}",
	"null", "true", "false", "0", "-0", "1", "-1", "01", "1.0", "1e3", "1e999", "9223372036854775808", `""`, `"a"`, `"none"`, `"$p"`, `"k7"`,
	`"title":"b"`, `"Title":"b",`, `"extra":{"a":[1,"]"]},`, `["a","b"]`, `["a",["b"]]`, `"019B0000-0000-7000-8000-00000000000A"`,
	`{"$p":{"subject":"019b0000-0000-7000-8000-00000000000a","key":"none","value":"x"}}`, `{"field":"title","from":1,"to":[true, "]"]}`,
}

// Shapes read stored events as encoding/json does, with any part removed, inserted or
// duplicated.
func TestShapesReadAsEncodingJSON(t *testing.T) {
	t.Parallel()
	forms := storedForms(t)
	var all []string
	for data, typ := range forms {
		wantsReadAlike(t, typ, []byte(data))
		all = append(all, data)
	}
	for _, typ := range shaped() {
		for _, p := range pieces {
			wantsReadAlike(t, typ, []byte(p))
			wantsReadAlike(t, typ, []byte(" "+p))
			wantsReadAlike(t, typ, []byte("["+p+","+p+"]"))
			wantsReadAlike(t, typ, []byte(`"`+p+`"`))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SampledFrom(all).Draw(t, "stored")
		typ := forms[data]
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			from := rapid.IntRange(0, len(data)).Draw(t, "from")
			to := rapid.IntRange(from, min(from+12, len(data))).Draw(t, "to")
			data = data[:from] + rapid.SampledFrom(append(pieces, "", data[from:to]+data[from:to])).Draw(t, "instead") + data[to:]
		}
		wantsReadAlike(t, typ, []byte(data))
		// Each member's value also replaces each other's.
		var members map[string]json.RawMessage
		if json.Unmarshal([]byte(data), &members) != nil {
			return
		}
		for _, value := range members {
			wantsReadAlike(t, rapid.SampledFrom(plainTypes).Draw(t, "type"), value)
		}
	})
}

func FuzzShape(f *testing.F) {
	types := shaped()
	for data, typ := range storedForms(f) {
		for i := range types {
			if types[i] == typ {
				f.Add(i, []byte(data))
			}
		}
	}
	for i := range types {
		for _, p := range pieces {
			f.Add(i, []byte(p))
		}
	}
	f.Fuzz(func(t *testing.T, i int, data []byte) {
		if i >= 0 && i < len(types) {
			wantsReadAlike(t, types[i], data)
		}
	})
}
