package edge

import (
	"slices"
	"strings"
	"testing"
)

// The values of a filter are its parts between commas, each once and in their order. What
// it is bound to in a cursor is the text of the parameter.
func FuzzValues(f *testing.F) {
	for _, text := range []string{"todo", "todo,done", "todo,todo", ",", "a,,b", " a", "a\x00", "é,e\u0301", strings.Repeat("a,", 200)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var v Values[string]
		v.Receiver().SetString(text)
		v.OnParamSet(true, nil)
		parts := splitValues(text)
		for _, value := range v.List() {
			if !slices.Contains(parts, value) {
				t.Errorf("%q has no %q", text, value)
			}
		}
		if once := slices.Compact(slices.Sorted(slices.Values(v.List()))); len(once) != len(v.List()) {
			t.Errorf("%q has %q", text, v.List())
		}
	})
}
