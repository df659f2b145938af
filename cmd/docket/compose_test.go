package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestComposeNamesSettings holds the names in docker-compose.yml against the
// settings that there are, and against .env.example.
func TestComposeNamesSettings(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	compose, example, image := read("docker-compose.yml"), read(".env.example"), read("Dockerfile")
	_, ours, _ := strings.Cut(compose, "\n  migrate:\n") // and api; before it stands postgres, after it volumes
	ours, _, _ = strings.Cut(ours, "\nvolumes:\n")
	named := regexp.MustCompile(`(?m)^      (\w+):`).FindAllStringSubmatch(ours, -1)
	named = append(named, regexp.MustCompile(`(DOCKET_\w+)=`).FindAllStringSubmatch(image, -1)...)
	if len(named) < 8 {
		t.Fatalf("found only %v", named)
	}
	for _, match := range named {
		if name := match[1]; strings.ToUpper(name) == name && !slices.Contains(variables, name) {
			t.Errorf("%s is no setting", name)
		}
	}
	var asked []string
	for _, match := range regexp.MustCompile(`[^$]\$\{(\w+)`).FindAllStringSubmatch(compose, -1) {
		asked = append(asked, match[1])
	}
	var offered []string
	for _, match := range regexp.MustCompile(`(?m)^(\w+)=`).FindAllStringSubmatch(example, -1) {
		offered = append(offered, match[1])
	}
	slices.Sort(asked)
	slices.Sort(offered)
	if asked = slices.Compact(asked); !slices.Equal(asked, offered) {
		t.Errorf("docker-compose.yml asks for %v\n.env.example has %v", asked, offered)
	}
}
