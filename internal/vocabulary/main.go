package main

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
)

// glossary is the page that has the table, from the root of the repository.
const glossary = "docs/glossary.md"

func main() {
	folders := flag.Bool("folders", false, "count the hits of each folder")
	flag.Parse()
	hits, err := find(flag.Args())
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "vocabulary:", err)
		os.Exit(2)
	case len(hits) == 0:
		return
	case *folders:
		count := map[string]int{}
		for _, h := range hits {
			count[path.Dir(h.file)]++
		}
		for _, folder := range slices.Sorted(maps.Keys(count)) {
			fmt.Printf("%5d %s\n", count[folder], folder)
		}
	default:
		for _, h := range hits {
			fmt.Println(h)
		}
	}
	fmt.Fprintf(os.Stderr, "vocabulary: %d retired words; see %s\n", len(hits), glossary)
	os.Exit(1)
}

// hit is a retired word in a file.
type hit struct {
	file    string
	line    int
	found   string
	instead string
}

func (h hit) String() string {
	return fmt.Sprintf("%s:%d: %s is retired; write: %s", h.file, h.line, h.found, h.instead)
}

// find reads the tracked files below the folders, or all of them.
func find(folders []string) ([]hit, error) {
	page, err := os.ReadFile(glossary)
	if err != nil {
		return nil, fmt.Errorf("run it from the root of the repository: %w", err)
	}
	terms, err := parse(string(page))
	if err != nil {
		return nil, err
	}
	out, err := exec.Command("git", append([]string{"ls-files", "-z", "--"}, folders...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	var hits []hit
	for name := range strings.SplitSeq(string(bytes.TrimRight(out, "\x00")), "\x00") {
		if !checked(name) {
			continue
		}
		text, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue // deleted in the work tree
		}
		if err != nil {
			return nil, err
		}
		hits = append(hits, scan(name, string(text), terms)...)
	}
	return hits, nil
}

// checked reports whether the file's words are the repository's own.
func checked(name string) bool {
	if name == glossary || strings.HasPrefix(name, "internal/vocabulary/") || strings.Contains("/"+name, "/testdata/") {
		return false
	}
	switch path.Ext(name) {
	case ".go", ".sql", ".md":
		return true
	}
	return false
}
