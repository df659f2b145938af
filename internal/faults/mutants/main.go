package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

const suite = "./internal/faults"

// The exit statuses.
const (
	allKilled = 0
	survived  = 1
	notTried  = 2
)

func main() {
	only := flag.String("only", "", "only the mutants whose name has this in it")
	keep := flag.Bool("keep", false, "keep the copy of the tree")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status, err := run(ctx, *only, *keep)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		status = notTried
	}
	os.Exit(status)
}

// result is what became of a mutant.
type result struct {
	mutant mutant
	// by is the test that failed and what it said; empty for a survivor.
	by, because string
	took        time.Duration
}

func run(ctx context.Context, only string, keep bool) (status int, err error) {
	root, err := output(ctx, ".", "go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return notTried, err
	}
	tree, err := copyTree(ctx, root)
	if err != nil {
		return notTried, err
	}
	if keep {
		fmt.Fprintln(os.Stderr, "the copy:", tree)
	} else {
		defer func() { err = errors.Join(err, os.RemoveAll(tree)) }()
	}
	var chosen []mutant
	baselines := map[string]bool{}
	for _, m := range mutants {
		if !strings.Contains(m.name, only) {
			continue
		}
		chosen = append(chosen, m)
		if key := fmt.Sprint(m.test, m.args); !baselines[key] {
			baselines[key] = true
			if r, out, err := try(ctx, tree, m); err != nil || r.by != "" {
				return notTried, fmt.Errorf("%s fails on the untouched code: %w\n%s", m.test, err, out)
			}
		}
	}
	fmt.Println("| mutant | killed by | which said | seconds |\n|---|---|---|---|")
	for _, m := range chosen {
		r, err := breakAndTry(ctx, tree, m)
		if err != nil {
			return notTried, fmt.Errorf("%s: %w", m.name, err)
		}
		if r.by == "" {
			status, r.by = survived, "**survived**"
		}
		fmt.Printf("| %s | %s | %s | %.0f |\n", m.name, r.by, r.because, r.took.Seconds())
	}
	return status, nil
}

// copyTree copies what git knows of, or would, into a directory that any user may
// enter.
func copyTree(ctx context.Context, root string) (string, error) {
	list, err := output(ctx, root, "git", "ls-files", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return "", err
	}
	tree, err := os.MkdirTemp("", "docket-mutants-")
	if err != nil {
		return "", err
	}
	for file := range strings.Lines(list) {
		file = strings.TrimSpace(file)
		content, err := os.ReadFile(filepath.Join(root, file))
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, and not yet committed
		}
		to := filepath.Join(tree, file)
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, content, 0o644)); err != nil {
			return "", errors.Join(err, os.RemoveAll(tree))
		}
	}
	return tree, nil
}

// breakAndTry applies a mutant, runs its test and mends the copy.
func breakAndTry(ctx context.Context, tree string, m mutant) (r result, err error) {
	undo, err := m.apply(tree)
	defer func() { err = errors.Join(err, undo()) }()
	if err != nil {
		return r, err
	}
	if _, err := output(ctx, tree, "go", "build", "./..."); err != nil {
		return r, err
	}
	r, _, err = try(ctx, tree, m)
	return r, err
}

// failure finds what a test said: the first line that it reported with its place
// in a file.
var (
	failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	said   = regexp.MustCompile(`(?m)^\s+\w+_test\.go:\d+: (.+)$`)
)

// try runs a mutant's test.
func try(ctx context.Context, tree string, m mutant) (result, string, error) {
	args := append([]string{"test", "-count=1", "-timeout", m.timeout(), "-run", m.test, suite, "-faults.long"}, m.args...)
	began := time.Now()
	out, err := output(ctx, tree, "go", args...)
	r := result{mutant: m, took: time.Since(began)}
	var exit *exec.ExitError
	switch {
	case err == nil:
		if strings.Contains(out, "no tests to run") {
			return r, out, fmt.Errorf("there is no test %s", m.test)
		}
		return r, out, nil
	case ctx.Err() != nil:
		return r, out, ctx.Err()
	case !errors.As(err, &exit):
		return r, out, err
	}
	test := failed.FindStringSubmatch(out)
	switch {
	case test != nil:
		r.by = test[1]
	case strings.Contains(out, "panic: test timed out"):
		r.by = "the time limit"
	default:
		return r, out, fmt.Errorf("the test neither passed nor failed:\n%s", out)
	}
	for _, line := range said.FindAllStringSubmatch(out, -1) {
		if text := brief(line[1]); text != "" {
			r.because = text
			break
		}
	}
	return r, out, nil
}

// ids are what differs from run to run.
var ids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|cmd-\d+-\d+(\.\d+)?`)

// brief is a failure's text without ids, cut to what a table can bear; empty for
// a line that reports no failure.
func brief(text string) string {
	if strings.HasPrefix(text, "-faults.seed") || strings.Contains(text, "isn't known") {
		return ""
	}
	text = strings.ReplaceAll(ids.ReplaceAllString(text, "…"), "|", "/")
	const most = 90
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + " …"
	}
	return text
}

// output runs a program in dir and returns what it wrote.
func output(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	var all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &all, &all
	// The go command doesn't pass a signal on to the test that it runs.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	if err := cmd.Run(); err != nil {
		return all.String(), fmt.Errorf("%s %s: %w: %s", program, args[0], err, brief(all.String()))
	}
	return strings.TrimSpace(all.String()), nil
}
