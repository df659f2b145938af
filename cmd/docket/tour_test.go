package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestTour pastes the README's tour, line by line, into a shell beside a real server. No
// line fails, and the server refuses only what the text says.
func TestTour(t *testing.T) {
	t.Parallel()
	for _, needed := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(needed); err != nil {
			t.Skipf("the tour needs %s", needed)
		}
	}
	in := newMigratedInstall(t, osUser{})
	p := in.serve()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	sh := newShell(t, in)
	var refused []string
	problem := regexp.MustCompile(`"type":"/problems/([a-z-]+)"`)
	said, status := "", ""
	for _, line := range tour(t) {
		if want, ok := strings.CutPrefix(line, "# "); ok {
			if !shown(want).MatchString(said) {
				t.Errorf("got  %s\nwant %s", said, want)
			}
			continue
		}
		line = strings.NewReplacer("http://127.0.0.1:8000", p.url, "go run ./cmd/docket", path).Replace(line)
		if said, status = sh.run(line); status != "0" || said == "" && strings.HasPrefix(line, path) {
			t.Errorf("%s\nstatus %s: %s", line, status, said)
		}
		for _, match := range problem.FindAllStringSubmatch(said, -1) {
			refused = append(refused, match[1])
		}
		in.awaitCheckpoints() // people are slower
	}
	if want := []string{"insufficient-role", "version-conflict", "last-owner", "not-found", "service-account-denied"}; !slices.Equal(refused, want) {
		t.Errorf("refused: %v, want %v", refused, want)
	}
	for _, name := range []string{"p", "t", "second", "n", "c", "next", "bob_id", "ann_id", "cleo_id"} {
		if said, _ := sh.run(`printf %s "$` + name + `"`); len(said) < 36 {
			t.Errorf("$%s is %q", name, said)
		}
	}
	sh.end()
	p.stopped(p.stop(syscall.SIGINT, true))
}

// shown is the pattern of an output that the tour shows: … is anything.
func shown(want string) *regexp.Regexp {
	parts := strings.Split(want, "…")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("(?s)^" + strings.Join(parts, ".*") + "$")
}

// tour is every line of the README's tour: commands, and after some "# " with the output.
func tour(t *testing.T) []string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(readme), "\n## A tour with curl\n")
	text, _, _ = strings.Cut(text, "\n## ")
	var lines []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(text, -1) {
		lines = append(lines, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	if len(lines) < 40 {
		t.Fatalf("the tour has %d lines", len(lines))
	}
	return lines
}

// shell is a bash that gets lines.
type shell struct {
	t   *testing.T
	in  *os.File
	out *bufio.Scanner
	cmd *exec.Cmd
}

func newShell(t *testing.T, in *install) *shell {
	t.Helper()
	sh := &shell{t: t, cmd: exec.Command("bash", "--noprofile", "--norc")}
	sh.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DOCKET_DATA_DIR=" + in.data}
	sh.cmd.Stderr = t.Output()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	sh.cmd.Stdin, sh.in = read, write
	out, err := sh.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	sh.out = bufio.NewScanner(out)
	sh.out.Buffer(nil, 1<<24) // the OpenAPI document is one long answer
	if err := sh.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read.Close()
	t.Cleanup(func() { _ = sh.cmd.Process.Kill() }) // gone, unless the test failed
	return sh
}

// ended is the prefix of the line with a command's exit status.
const ended = "tour-line-ended "

// run pastes a line, and returns the output and the exit status.
func (sh *shell) run(line string) (said, status string) {
	sh.t.Helper()
	if _, err := fmt.Fprintf(sh.in, "%s\nprintf '\\n%s%%d\\n' $?\n", line, ended); err != nil {
		sh.t.Fatal(err)
	}
	for sh.out.Scan() {
		if status, ok := strings.CutPrefix(sh.out.Text(), ended); ok {
			return said, status
		}
		said += sh.out.Text()
	}
	sh.t.Fatalf("the shell ended in %s", line)
	return "", ""
}

func (sh *shell) end() {
	sh.in.Close()
	if err := sh.cmd.Wait(); err != nil {
		sh.t.Error(err)
	}
}
