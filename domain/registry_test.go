package domain_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"docket/domain"

	"github.com/google/go-cmp/cmp"
)

// writeGolden writes the golden files that are missing. It changes no existing one:
// every version reads released events.
var writeGolden = flag.Bool("golden", false, "write the golden files of events that have none")

const goldenDir = "testdata/events"

func TestGoldenFiles(t *testing.T) {
	t.Parallel()
	wanted := map[string]bool{}
	for _, d := range domain.Definitions() {
		for version := 1; version <= d.Reads; version++ {
			name := fmt.Sprintf("%s.v%d.json", d.Type, version)
			wanted[name] = true
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				checkGolden(t, d, version, filepath.Join(goldenDir, name))
			})
		}
	}
	files, err := os.ReadDir(goldenDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !wanted[f.Name()] {
			t.Errorf("%s has no registered event type and version", f.Name())
		}
	}
}

func checkGolden(t *testing.T, d domain.Definition, version int, path string) {
	t.Helper()
	if version == d.Version {
		checkWritten(t, d, path)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("no golden file; run with -golden to write it: %v", err)
	}
	back, err := domain.Decode(d.Type, version, bytes.TrimSuffix(file, []byte("\n")))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sampleAs(t, d, version), back); diff != "" {
		t.Errorf("the golden file decoded (-want +got):\n%s", diff)
	}
}

// checkWritten fails unless the encoded sample equals its golden file.
func checkWritten(t *testing.T, d domain.Definition, path string) {
	t.Helper()
	got, data, err := domain.Encode(sampleOf(t, d.Type))
	if err != nil {
		t.Fatal(err)
	}
	if got.Type != d.Type || got.Version != d.Version || got.Stream != d.Stream {
		t.Errorf("encoded as %+v, the registry has %+v", got, d)
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && *writeGolden {
		if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err == nil && string(data)+"\n" != string(golden) {
		t.Errorf("encoded:\n%s\ngolden:\n%s", data, golden)
	}
}

// Every event type of the source must be registered.
func TestEveryEventIsRegistered(t *testing.T) {
	t.Parallel()
	inSource := map[string]bool{}
	for _, f := range source(t) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "EventType" && fn.Recv != nil {
				inSource[fn.Recv.List[0].Type.(*ast.Ident).Name] = true
			}
		}
	}
	var registered []string
	for _, d := range domain.Definitions() {
		name := reflect.TypeOf(sampleOf(t, d.Type)).Name()
		registered = append(registered, name)
		if !inSource[name] {
			t.Errorf("%s isn't in the source", name)
		}
	}
	for name := range inSource {
		if !slices.Contains(registered, name) {
			t.Errorf("%s isn't registered", name)
		}
	}
}

func TestEventNames(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*$`)
	last := ""
	for _, d := range domain.Definitions() {
		if !form.MatchString(d.Type) || !strings.HasPrefix(d.Type, string(d.Stream)+".") {
			t.Errorf("%s isn't <entity>.<past> of a %s stream", d.Type, d.Stream)
		}
		if d.Type <= last {
			t.Errorf("%s isn't in order", d.Type)
		}
		last = d.Type
	}
	for _, name := range []string{
		"project.created", "project.status_changed", "task.created", "task.updated", "task.deleted",
		"member.joined", "member.role_changed", "member.left",
	} {
		sampleOf(t, name) // the names that API.md promises
	}
}

// The fold of each aggregate accepts the events of its own streams. It refuses all
// others without a change of the state.
func TestEveryEventIsFolded(t *testing.T) {
	t.Parallel()
	folds := map[domain.StreamType]func(domain.Recorded) (before, after any, err error){
		domain.TenantStream:  evolve[domain.Tenant],
		domain.MemberStream:  evolve[domain.Membership],
		domain.UserStream:    evolve[domain.User],
		domain.ProjectStream: evolve[domain.Project],
		domain.TaskStream:    evolve[domain.Task],
		domain.CommentStream: evolve[domain.Comment],
	}
	for _, d := range domain.Definitions() {
		r := domain.Recorded{Version: 1, At: moment(1), Event: sampleOf(t, d.Type)}
		for stream, fold := range folds {
			before, after, err := fold(r)
			if stream == d.Stream {
				if err != nil {
					t.Errorf("%s: %v", d.Type, err)
				}
				continue
			}
			if !errors.Is(err, domain.ErrUnknownEvent) || !reflect.DeepEqual(before, after) {
				t.Errorf("the fold of a %s accepted %s: %v, %+v", stream, d.Type, err, after)
			}
		}
	}
}

func evolve[S evolver[S]](r domain.Recorded) (before, after any, err error) {
	var s S
	next, err := s.Evolve(r)
	return s, next, err
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	user := `{"user_id":"` + person(1).String() + `","role":"owner","name":`
	for _, c := range []struct {
		name, eventType string
		version         int
		data            string
		unknown         bool
	}{
		{"a type it doesn't know", "wiki.created", 1, `{}`, true},
		{"no type", "", 1, `{}`, true},
		{"a type in another case", "Task.Created", 1, `{}`, true},
		{"a newer version", "task.created", 2, `{}`, true},
		{"a newer version than the second", "member.joined", 3, `{}`, true},
		{"a personal key it doesn't know", "member.left", 1, user + `{"$p":{"subject":"` + person(1).String() + `","key":"k7","value":"c2VjcmV0"}}}`, true},
		{"a value of another kind under such a key", "member.left", 1, user + `{"$p":{"key":"k7","value":{"ct":"c2VjcmV0"}}}}`, true},
		{"a value of another kind", "member.left", 1, user + `{"$p":{"key":"none","value":{"ct":"c2VjcmV0"}}}}`, false},
		{"no version", "task.created", 0, `{}`, false},
		{"a negative version", "task.created", -1, `{}`, false},
		{"nothing", "task.created", 1, ``, false},
		{"nothing, to be brought up", "member.joined", 1, ``, false},
		{"null, to be brought up", "member.joined", 1, ` null `, false},
		{"a list, to be brought up", "member.joined", 1, `[]`, false},
		{"null", "task.created", 1, ` null `, false},
		{"a list", "task.created", 1, `[]`, false},
		{"half an object", "task.created", 1, `{"title":"a`, false},
		{"two objects", "task.created", 1, `{}{}`, false},
		{"a field of another kind", "task.created", 1, `{"title":7}`, false},
		{"an id that isn't one", "task.created", 1, `{"task_id":"7"}`, false},
		{"a personal field without its envelope", "member.left", 1, user + `"Person 1"}`, false},
		{"a personal field that is null", "member.left", 1, user + `null}`, false},
		{"an envelope without a key", "member.left", 1, user + `{"$p":{"subject":"` + person(1).String() + `","value":"x"}}}`, false},
	} {
		e, err := domain.Decode(c.eventType, c.version, []byte(c.data))
		if err == nil || e != nil || errors.Is(err, domain.ErrUnknownEvent) != c.unknown {
			t.Errorf("%s: %v, %v; unknown to this version: want %v", c.name, e, err, c.unknown)
		}
	}
}

func TestEncodeRefusesInvalidJSON(t *testing.T) {
	t.Parallel()
	bad := domain.ProjectUpdated{Changes: []domain.Change{{Field: "name", From: []byte(`"a"`), To: []byte(`"b`)}}}
	if _, data, err := domain.Encode(bad); err == nil || data != nil {
		t.Errorf("encoded as %s", data)
	}
}

// notRegistered has the name of a registered event.
type notRegistered struct{ domain.TaskDeleted }

func TestEncodeRefusesUnregisteredEvents(t *testing.T) {
	t.Parallel()
	for _, e := range []domain.Event{notRegistered{}, &domain.TaskDeleted{}} {
		if _, data, err := domain.Encode(e); err == nil {
			t.Errorf("%T was encoded as %s", e, data)
		}
	}
}
