package postgres_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"docket/internal/postgres"
)

func TestNoBinaries(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	cmd := second("find nothing", dir)
	// A proxy that refuses: whatever network there is, nothing is downloaded.
	cmd.Env = append(cmd.Env, "PATH=/nowhere", "HTTPS_PROXY=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1")
	out, err := cmd.Output()
	if cmd.ProcessState.ExitCode() != 3 {
		t.Fatalf("%v: %s", err, out)
	}
	if s := string(out); strings.Count(s, "\n") != 1 || !strings.Contains(s, "install") || !strings.Contains(s, "DATABASE_URL") {
		t.Errorf("not one line that says what to do: %q", s)
	}
}

func TestFindResolvesLinks(t *testing.T) {
	real, err := postgres.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	links := t.TempDir()
	if err := os.Symlink(filepath.Join(real.Dir, "postgres"), filepath.Join(links, "postgres")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", links)
	if got, err := postgres.Find(t.Context()); err != nil || got != real {
		t.Errorf("%v, %v; want %v", got, err, real)
	}
	// A wrapper script's pid would not be the server's.
	wrappers := t.TempDir()
	for _, name := range []string{"postgres", "initdb"} {
		script := "#!/bin/sh\nexec " + filepath.Join(real.Dir, name) + ` "$@"` + "\n"
		if err := os.WriteFile(filepath.Join(wrappers, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", wrappers)
	if got, err := postgres.Find(t.Context()); err != nil || got.Dir == wrappers {
		t.Errorf("%v, %v", got, err)
	}
}

func TestClusterOfAnotherMajor(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	cluster := filepath.Join(dir, "postgres")
	if err := os.MkdirAll(cluster, 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cluster, "PG_VERSION"), []byte("14\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := postgres.Start(t.Context(), postgres.Config{DataDir: dir, Unsafe: true})
	if err == nil || !strings.Contains(err.Error(), "Postgres 14") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(cluster, "base")); err == nil {
		t.Error("the cluster was replaced")
	}
}

func TestBinariesGiven(t *testing.T) {
	t.Parallel()
	_, err := postgres.Start(t.Context(), postgres.Config{DataDir: dataDir(t), Unsafe: true, Binaries: t.TempDir()})
	if err == nil {
		t.Error("started without binaries")
	}
	real, err := postgres.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, postgres.Config{DataDir: dataDir(t), Unsafe: true, Binaries: real.Dir})
	want, err := exec.Command(filepath.Join(real.Dir, "postgres"), "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, s.URL(postgres.Superuser, "postgres"))
	if got := one(t, c, `SELECT current_setting('server_version')`); !strings.Contains(string(want), got) {
		t.Errorf("runs %s, given %s", got, want)
	}
}
