package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"docket/internal/pgtest"
	"docket/internal/postgres"
)

func TestMain(m *testing.M) {
	if act := os.Getenv("DOCKET_TEST_ACT"); act != "" {
		os.Exit(perform(act, os.Getenv("DOCKET_TEST_DIR")))
	}
	os.Exit(pgtest.Run(m))
}

// perform is what this binary does when a test runs it as a second program.
func perform(act, dir string) int {
	if act == "find nothing" {
		postgres.HideInstalled()
	}
	s, err := postgres.Start(context.Background(), postgres.Config{DataDir: dir, Unsafe: true})
	if err != nil {
		fmt.Println(err)
		if errors.Is(err, postgres.ErrNoBinaries) {
			return 3
		}
		return 1
	}
	fmt.Println(s.PID())
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test lets go, or kills us
	if err := s.Stop(context.Background()); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// second prepares this binary as a second program that performs act on dir.
func second(act, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DOCKET_TEST_ACT="+act, "DOCKET_TEST_DIR="+dir)
	return cmd
}

// killedStarter starts a server on dir from a second program, kills that with
// SIGKILL, and returns the pid of the server it left behind.
func killedStarter(t *testing.T, dir string) int {
	t.Helper()
	cmd := second("start", dir)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var line string
	if _, err := fmt.Fscanln(out, &line); err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the second program said %q", line)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGQUIT) }) // should the test fail
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	return pid
}

// dataDir names a directory that is yet to be made.
func dataDir(t *testing.T) string {
	t.Helper()
	return filepath.Join(pgtest.TempDir(t), "data")
}

func start(t *testing.T, cfg postgres.Config) *postgres.Server {
	t.Helper()
	s, err := postgres.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *postgres.Server) {
	t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
}
