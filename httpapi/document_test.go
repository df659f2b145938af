package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// eachSchema calls do for every schema of the published document, with a path to it.
func eachSchema(t *testing.T, do func(at string, schema map[string]any)) {
	t.Helper()
	text, err := publishedText()
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	var walk func(at string, node any)
	walk = func(at string, node any) {
		switch node := node.(type) {
		case map[string]any:
			if node["type"] != nil || node["$ref"] != nil || node["anyOf"] != nil {
				do(at, node)
			}
			for _, name := range slices.Sorted(maps.Keys(node)) {
				if name != "example" && name != "examples" && name != "value" {
					walk(at+"/"+name, node[name])
				}
			}
		case []any:
			for i, item := range node {
				walk(fmt.Sprintf("%s/%d", at, i), item)
			}
		}
	}
	walk("", doc)
}

// Generators make one type of an enum that has a name, and one for each place of one that
// has none. A new set of words goes into enums.go.
func TestEnumsHaveNames(t *testing.T) {
	t.Parallel()
	eachSchema(t, func(at string, schema map[string]any) {
		words, _ := schema["enum"].([]any)
		if named := strings.Count(at, "/") == 3 && strings.HasPrefix(at, "/components/schemas/"); len(words) > 1 && !named {
			t.Errorf("%s: %v has no name: add it to enums.go", at, words)
		}
	})
}

// A generator takes a member with a default for one that is always there.
func TestSchemasHaveNoDefault(t *testing.T) {
	t.Parallel()
	eachSchema(t, func(at string, schema map[string]any) {
		if schema["default"] != nil && strings.HasPrefix(at, "/components/schemas/") {
			t.Errorf("%s has the default %v", at, schema["default"])
		}
		if schema["patternDescription"] != nil {
			t.Errorf("%s: patternDescription is no keyword of JSON Schema", at)
		}
	})
}

// Names become types of generated clients, those of all components in one namespace.
func TestComponentsHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	text, err := publishedText()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct{ Schemas, Parameters, Responses map[string]any }
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	taken := map[string]bool{}
	for _, components := range []map[string]any{doc.Components.Schemas, doc.Components.Parameters, doc.Components.Responses} {
		for name := range components {
			if key := strings.ToLower(name); taken[key] {
				t.Errorf("two components are called %s", name)
			} else {
				taken[key] = true
			}
		}
	}
	// A value of an enum becomes a constant, named after both.
	for name, schema := range doc.Components.Schemas {
		words, _ := schema.(map[string]any)["enum"].([]any)
		for _, word := range words {
			value := strings.NewReplacer("-", "", "_", "", ".", "").Replace(word.(string))
			if taken[strings.ToLower(name+value)] {
				t.Errorf("a component is called as the value %s of %s", word, name)
			}
		}
	}
	for _, vague := range []string{"Move", "Step", "Settings", "Lag", "Event", "Status", "Stats", "History", "Config", "Tokens"} {
		if doc.Components.Schemas[vague] != nil {
			t.Errorf("%s says nothing where it is imported", vague)
		}
	}
}
