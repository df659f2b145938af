package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each mutant still finds its text in the code, exactly once. Whether the tests
// kill it is for .ci/mutants to say.
func TestMutantsFindTheirText(t *testing.T) {
	t.Parallel()
	for _, m := range mutants {
		for _, e := range m.edits {
			content, err := os.ReadFile(filepath.Join("../../..", e.file))
			if err != nil {
				t.Errorf("%s: %v", m.name, err)
				continue
			}
			if n := strings.Count(string(content), e.old); n != 1 {
				t.Errorf("%s: the text to replace is in %s %d times, want once:\n%s", m.name, e.file, n, e.old)
			}
		}
	}
}
