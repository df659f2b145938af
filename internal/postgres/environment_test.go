package postgres_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"docket/internal/postgres"
)

// mallocOf are the variables of glibc's malloc that a process was started with, sorted.
func mallocOf(t *testing.T, pid int) (variables []string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		t.Fatal(err)
	}
	for variable := range strings.SplitSeq(string(raw), "\x00") {
		if strings.HasPrefix(variable, "MALLOC_") {
			variables = append(variables, variable)
		}
	}
	slices.Sort(variables)
	return variables
}

// The private Postgres keeps the memory that a statement frees, unless the caller's
// environment says otherwise.
func TestPostgresKeepsFreedMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux shows the environment of a process in /proc")
	}
	// What the machine's own environment has must not decide; Setenv restores it.
	for _, variable := range postgres.MallocEnv {
		name, _, _ := strings.Cut(variable, "=")
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	dir := dataDir(t)
	s := start(t, postgres.Config{DataDir: dir, Unsafe: true})
	want := slices.Sorted(slices.Values(postgres.MallocEnv))
	if got := mallocOf(t, s.PID()); len(want) != 3 || !slices.Equal(got, want) {
		t.Errorf("Postgres was started with %q, want the three of %q", got, want)
	}
	stop(t, s)

	t.Setenv("MALLOC_TOP_PAD_", "65536")
	s = start(t, postgres.Config{DataDir: dir, Unsafe: true})
	for i, variable := range want {
		if strings.HasPrefix(variable, "MALLOC_TOP_PAD_=") {
			want[i] = "MALLOC_TOP_PAD_=65536"
		}
	}
	if got := mallocOf(t, s.PID()); !slices.Equal(got, want) {
		t.Errorf("Postgres was started with %q, want the caller's value in %q", got, want)
	}
}

// The page for operators names what the private Postgres is started with.
func TestOperationsPageNamesTheMallocVariables(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, variable := range postgres.MallocEnv {
		if !strings.Contains(string(page), variable) {
			t.Errorf("docs/operations.md doesn't name %s", variable)
		}
	}
}
