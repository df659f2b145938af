package httpapi

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"docket/httpapi/edge"
)

var update = flag.Bool("update", false, "write examples.json")

const updateExamples = "\nrun: go test ./httpapi -run TestExamples -update && go run ./cmd/docket openapi > openapi.json"

// The answers of these have no example: the document itself.
var unshown = []string{"get-openapi"}

// recorder keeps one success of each operation, and one problem of each code, of what a
// server is asked.
type recorder struct {
	http.Handler
	published *published
	seen      edge.Examples
}

// ServeHTTP implements http.Handler.
func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	sent, _ := io.ReadAll(req.Body) // from memory
	req.Body = io.NopCloser(bytes.NewReader(sent))
	rec := httptest.NewRecorder()
	r.Handler.ServeHTTP(rec, req)
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes()) // into memory
	e := r.published.find(req.Method, req.URL.Path)
	if rec.Header().Get("Content-Type") == problemMediaType {
		var p struct{ Code string }
		if err := json.Unmarshal(rec.Body.Bytes(), &p); err == nil && r.seen.Problems[p.Code] == nil {
			r.seen.Problems[p.Code] = rec.Body.Bytes()
		}
		return
	}
	if e == nil || rec.Code >= 300 {
		return
	}
	if _, seen := r.seen.Operations[e.ID]; seen || slices.Contains(unshown, e.ID) {
		return
	}
	var example edge.OperationExample
	if e.body() != nil {
		example.Request = sent
	}
	if rec.Header().Get("Content-Type") == edge.JSONMediaType {
		example.Answer = rec.Body.Bytes()
	}
	r.seen.Operations[e.ID] = example
}

// The document's examples are of a run: the story of examples_story_test.go. They have the
// fields that the run has now, and agree with their schemas.
func TestExamples(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := &recorder{w.server, w.published, edge.Examples{Operations: map[string]edge.OperationExample{}, Problems: map[string]json.RawMessage{}}}
	fixed := tellExamples(w, r)
	told := fixed.examples(t, r.seen)
	for _, e := range w.published.endpoints {
		if _, called := told.Operations[e.ID]; !called && !slices.Contains(unshown, e.ID) {
			t.Errorf("%s isn't called: add a call to the story in examples_story_test.go, and%s", e.ID, updateExamples)
		}
	}
	if *update {
		if err := os.WriteFile("examples.json", linesOf(t, told), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	shown := examples()
	var wrong []string
	for _, id := range slices.Sorted(maps.Keys(told.Operations)) {
		wrong = append(wrong, differences(id+": request", valueOf(t, shown.Operations[id].Request), valueOf(t, told.Operations[id].Request))...)
		wrong = append(wrong, differences(id+": answer", valueOf(t, shown.Operations[id].Answer), valueOf(t, told.Operations[id].Answer))...)
	}
	for id := range shown.Operations {
		if w.published.by(id) == nil {
			wrong = append(wrong, id+": there is no such operation")
		}
	}
	for _, code := range slices.Sorted(maps.Keys(told.Problems)) {
		wrong = append(wrong, differences("problem "+code, valueOf(t, shown.Problems[code]), valueOf(t, told.Problems[code]))...)
	}
	if len(wrong) > 0 {
		t.Errorf("examples.json isn't what the run gives now:\n%s%s", strings.Join(wrong, "\n"), updateExamples)
	}
	for _, line := range w.document.Examples(unshown...) {
		if strings.Contains(line, ": parameter ") {
			t.Errorf("%s\nparameterExamples in examples.go are the examples of parameters", line)
		} else if len(wrong) == 0 {
			t.Error(line)
		}
	}
}

// differences says where the fields and types of two values differ.
func differences(at string, shown, told any) []string {
	var wrong []string
	switch told := told.(type) {
	case map[string]any:
		shown, ok := shown.(map[string]any)
		if !ok {
			break
		}
		names := slices.Concat(slices.Collect(maps.Keys(shown)), slices.Collect(maps.Keys(told)))
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			was, before := shown[name]
			is, now := told[name]
			switch {
			case !before:
				wrong = append(wrong, at+"/"+name+" is new")
			case !now:
				wrong = append(wrong, at+"/"+name+" is gone")
			default:
				wrong = append(wrong, differences(at+"/"+name, was, is)...)
			}
		}
		return wrong
	case []any:
		shown, ok := shown.([]any)
		if !ok || len(shown) != len(told) {
			break
		}
		for i := range told {
			wrong = append(wrong, differences(fmt.Sprintf("%s/%d", at, i), shown[i], told[i])...)
		}
		return wrong
	}
	if was, is := kindOf(shown), kindOf(told); was != is {
		return []string{fmt.Sprintf("%s is %s, the example %s", at, is, was)}
	}
	return nil
}

func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case map[string]any:
		return "an object"
	case []any:
		return fmt.Sprintf("an array of %d", len(v))
	}
	return fmt.Sprintf("%T", v)
}

func valueOf(t *testing.T, text json.RawMessage) (value any) {
	t.Helper()
	if text == nil {
		return nil
	}
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// linesOf writes examples with an operation or problem on each line, so that two branches
// seldom change the same one.
func linesOf(t *testing.T, all edge.Examples) []byte {
	t.Helper()
	var out bytes.Buffer
	section := func(name string, keys []string, of func(string) any) {
		fmt.Fprintf(&out, "%q: {\n", name)
		for i, key := range keys {
			text := &bytes.Buffer{}
			enc := json.NewEncoder(text)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(of(key)); err != nil {
				t.Fatal(err)
			}
			comma := ","
			if i == len(keys)-1 {
				comma = ""
			}
			fmt.Fprintf(&out, "%q: %s%s\n", key, bytes.TrimSpace(text.Bytes()), comma)
		}
		out.WriteString("}")
	}
	out.WriteString("{\n")
	section("operations", slices.Sorted(maps.Keys(all.Operations)), func(id string) any { return all.Operations[id] })
	out.WriteString(",\n")
	section("problems", slices.Sorted(maps.Keys(all.Problems)), func(code string) any { return all.Problems[code] })
	out.WriteString("\n}\n")
	return out.Bytes()
}
