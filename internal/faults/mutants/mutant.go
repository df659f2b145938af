package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// edit replaces a text that stands in a file exactly once.
type edit struct {
	file     string // from the root of the repository
	old, new string
}

// mutant is one way to break the code.
type mutant struct {
	name  string
	edits []edit
	// test is the -run pattern of what must notice, args what it is given beside.
	test string
	args []string
}

// timeout bounds the test: a mutant may well hang, and the suite uses the last
// seconds to say where.
func (m mutant) timeout() string {
	if strings.Contains(m.test, "TestFaults") {
		return "4m"
	}
	if strings.Contains(m.test, "TestLostCommits") || strings.Contains(m.test, "TestSilentNetwork") {
		return "3m" // whole servers, and real time without an answer
	}
	return "75s"
}

// apply breaks the copy in root. undo mends it.
func (m mutant) apply(root string) (undo func() error, err error) {
	before := map[string][]byte{}
	undo = func() error {
		for file, content := range before {
			if err := os.WriteFile(file, content, 0o644); err != nil {
				return err
			}
		}
		return nil
	}
	for _, e := range m.edits {
		file := filepath.Join(root, e.file)
		content, err := os.ReadFile(file)
		if err != nil {
			return undo, err
		}
		if n := strings.Count(string(content), e.old); n != 1 {
			return undo, fmt.Errorf("%s: the text to replace is there %d times, want once:\n%s", e.file, n, e.old)
		}
		if _, ok := before[file]; !ok {
			before[file] = content
		}
		if err := os.WriteFile(file, []byte(strings.Replace(string(content), e.old, e.new, 1)), 0o644); err != nil {
			return undo, err
		}
	}
	return undo, nil
}
