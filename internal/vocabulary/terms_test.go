package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

const page = "# A page\n\n## The language\n| `kept` | x |\n\n## Retired\n\n" +
	"| retired | write |\n|---|---|\n" +
	"| `giveUp`, `lone`, \"is told\", second | cancel, single |\n" +
	"| \"made anew\" | rebuilt |\n\n## Prose\n| `kept` | x |\n"

func TestParse(t *testing.T) {
	t.Parallel()
	terms, err := parse(page)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, term := range terms {
		got = append(got, fmt.Sprintf("%s %t %s", term.words, term.phrase, term.instead))
	}
	want := []string{"[give up] false cancel, single", "[lone] false cancel, single", "[is told] true cancel, single", "[made anew] true rebuilt"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("terms %q, want %q", got, want)
	}
	for _, broken := range []string{"", "\n## Retired\n", "\n## Retired\n| a | b |\n"} {
		if terms, err := parse(broken); err == nil {
			t.Errorf("parse(%q) = %v and no error", broken, terms)
		}
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for identifier, want := range map[string]string{
		"getTaskID": "get task id", "GET_TASK_ID": "get task id", "URLOf": "url of", "lone2Send": "lone send", "x": "x", "42": "",
		"HTTPServer": "http server", "étatSûr": "état sûr",
	} {
		if got := strings.Join(split(identifier), " "); got != want {
			t.Errorf("split(%q) = %q, want %q", identifier, got, want)
		}
	}
}

func TestScan(t *testing.T) {
	t.Parallel()
	terms, err := parse(page)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file, text string
		want       []string // line:term
	}{
		"nothing":                      {text: "second alone, told is, kept"},
		"a word":                       {text: "a\nLone b", want: []string{"2:lone"}},
		"a word of an identifier":      {text: "func sendLoneBatch()", want: []string{"1:lone"}},
		"a run of an identifier":       {text: "x.give_up_all()\n\nGiveUp", want: []string{"1:giveUp", "3:giveUp"}},
		"an identifier isn't prose":    {text: "give up; isTold"},
		"a phrase":                     {text: "what Is told here", want: []string{"1:is told"}},
		"a phrase over two lines":      {text: "\t// it is\n\t// told and made\n-- anew", want: []string{"1:is told", "2:made anew"}},
		"a sentence between":           {text: "it is. Told so; is (told)"},
		"a blank comment line between": {text: "// it is\n//\n// told"},
		"a part of another word":       {text: "alone lonely Clone"},
		"a quoted name":                {text: `user "lone" \"lone\", "lone wolf"`, want: []string{"1:lone"}},
		"a file name":                  {file: "a/send_lone_test.go", want: []string{"1:the file name's lone"}},
		"a folder name":                {file: "lone/x.go"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, h := range scan(c.file, c.text, terms) {
				if h.file != c.file || h.instead == "" {
					t.Errorf("%v", h)
				}
				got = append(got, fmt.Sprintf("%d:%s", h.line, h.found))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

// The page of this repository can be read, and its entries are what readers expect.
func TestThePage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../" + glossary)
	if err != nil {
		t.Fatal(err)
	}
	terms, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, term := range terms {
		if names[term.name] {
			t.Errorf("%s is in the table twice", term.name)
		}
		names[term.name] = true
	}
	for _, name := range []string{"fly", "stillAdmitted", "nobody", "gone on with", "in the midst"} {
		if !names[name] {
			t.Errorf("the page doesn't retire %q", name)
		}
	}
	hits := scan("x.go", "// nobody is told; it was gone\n// on with", terms)
	if len(hits) != 3 {
		t.Errorf("hits %v, want nobody, is told, gone on with", hits)
	}
}

func TestChecked(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"README.md": true, "eventstore/queue.go": true, "migrations/0001_roles.sql": true,
		"docs/glossary.md": false, "internal/vocabulary/terms_test.go": false, "domain/testdata/x.md": false, "go.mod": false,
	} {
		if checked(name) != want {
			t.Errorf("checked(%q) = %v", name, !want)
		}
	}
}
