package main

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"docket/internal/cli"
	"docket/internal/pgtest"
	"docket/projections"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// completed are the completions that a shell gets, without descriptions.
func completed(t *testing.T, environ map[string]string, args ...string) []string {
	t.Helper()
	o := try(t, environ, append([]string{cobra.ShellCompNoDescRequestCmd}, args...)...)
	if o.status != cli.StatusDone {
		t.Errorf("%v: status %d, %q", args, o.status, o.stderr)
	}
	offered := strings.Split(strings.TrimSpace(o.stdout), "\n")
	directive := offered[len(offered)-1]
	if directive != ":4" && directive != ":16" { // no files; directories only
		t.Errorf("%v: directive %s", args, directive)
	}
	return offered[:len(offered)-1]
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	environ := given(pgtest.New(t), nil)
	s := serve(t, environ)
	register(t, s.url, "Ann")
	s.stop()
	for _, slug := range []string{"acme", "acme-2", "bolt"} {
		if o := try(t, environ, "tenants", "create", "--name", slug, "--slug", slug, "--owner", "ann@example.org"); o.status != cli.StatusDone {
			t.Fatal(o.stderr)
		}
	}
	for line, want := range map[string][]string{
		"audit replay --tenant ac":                              {"acme", "acme-2"},
		"projections rebuild --tenant acme --tenant ":           {"acme", "acme-2", "bolt", "default"},
		"audit replay --tenant x":                               nil,
		"projections rebuild --projection ta":                   {"tasks"},
		"projections rebuild --projection ":                     projections.Models(),
		"projections rebuild --projection tasks --projection t": {"tenants"},
		"projections verify --projection tasks --projection t":  {"tenants"},
		"projections verify --tenant b":                         {"bolt"},
		"--log-format ":                                         {"text", "json"},
		"--data-dir ":                                           nil,
		"health ":                                               nil,
		"serve --addr ":                                         nil,
		"tenants ":                                              {"create", "list"},
		"help tenants c":                                        {"create"},
		"help tenants x ":                                       nil,
	} {
		if got := completed(t, environ, strings.Split(line, " ")...); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
	if got := completed(t, environ, ""); slices.Contains(got, "openapi") || !slices.Contains(got, "completion") {
		t.Errorf("the commands: %q", got)
	}
}

// Completion starts nothing and prints no error.
func TestCompletionStartsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, environ := range map[string]map[string]string{
		"no server":  {"DOCKET_DATA_DIR": dir},
		"no answer":  {"DATABASE_URL": "postgres://docket@127.0.0.1:1/docket"},
		"no setting": {"DOCKET_DATA_DIRR": dir},
		"no schema":  given(pgtest.Empty(t), nil),
	} {
		if got := completed(t, environ, "audit", "replay", "--tenant", ""); len(got) != 0 {
			t.Errorf("%s: %q", name, got)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("created %v, %v", entries, err)
	}
}

func TestCompletionScripts(t *testing.T) {
	t.Parallel()
	shells, _, err := (&program{}).root().Find([]string{"completion"})
	if err != nil || len(shells.Commands()) != 4 {
		t.Fatalf("%d shells, %v", len(shells.Commands()), err)
	}
	for _, c := range shells.Commands() {
		shell := c.Name()
		o := try(t, nil, "completion", shell)
		if o.status != cli.StatusDone || !strings.Contains(o.stdout, cobra.ShellCompRequestCmd) || o.stderr != "" {
			t.Errorf("%s: status %d, %d bytes, %q", shell, o.status, len(o.stdout), o.stderr)
		}
		if shell != "bash" {
			continue
		}
		parse := exec.Command("bash", "-n")
		parse.Stdin = bytes.NewReader([]byte(o.stdout))
		if out, err := parse.CombinedOutput(); err != nil {
			t.Errorf("bash: %v, %s", err, out)
		}
	}
}

// No flag completes to files but the data directory.
func TestEveryFlagSaysHowItIsCompleted(t *testing.T) {
	t.Parallel()
	root := (&program{}).root()
	for c := range commandsOf(root) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if _, has := c.GetFlagCompletionFunc(f.Name); !has && f.Name != "help" {
				t.Errorf("%s --%s", c.CommandPath(), f.Name)
			}
		})
	}
}
