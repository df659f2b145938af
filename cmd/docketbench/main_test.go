package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"docket/internal/pgtest"
)

func TestMain(m *testing.M) {
	code := pgtest.Run(m)
	if builtIn != "" {
		_ = os.RemoveAll(builtIn)
	}
	os.Exit(code)
}

// builtIn is the directory of the docket that all tests measure; empty: not yet built.
var builtIn string

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "docketbench-test-")
	if err != nil {
		return "", err
	}
	builtIn = dir
	path := filepath.Join(dir, "docket")
	return path, buildDocket(context.Background(), path)
})

// theDocket is the path of a docket of this checkout.
func theDocket(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// ran is the result of a run of the program.
type ran struct {
	t              *testing.T
	status         int
	stdout, stderr string
}

// run runs the program with PATH and environ as its environment.
func run(t *testing.T, environ map[string]string, args ...string) ran {
	t.Helper()
	return runUntil(t.Context(), t, environ, nil, args...)
}

// runUntil is run, and calls said with all that goes to standard error.
func runUntil(ctx context.Context, t *testing.T, environ map[string]string, said func(string), args ...string) ran {
	t.Helper()
	var stdout bytes.Buffer
	stderr := &recorder{said: said}
	all := map[string]string{"PATH": os.Getenv("PATH"), "HOME": os.Getenv("HOME")}
	for k, v := range environ {
		all[k] = v
	}
	p := &program{environ: all, stdout: &stdout, stderr: stderr, cutOff: context.Background()}
	status := p.run(ctx, args)
	return ran{t, status, stdout.String(), stderr.all.String()}
}

// recorder is a standard error that a test follows.
type recorder struct {
	all  bytes.Buffer
	said func(string)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.said != nil {
		r.said(string(b))
	}
	return r.all.Write(b)
}

// tables reads the tables that the program printed, which must have succeeded: the rows of
// each by their first column, and of those the figures by the head of their column.
func (r ran) tables() map[string]map[string]map[string]float64 {
	r.t.Helper()
	if r.status != statusDone {
		r.t.Fatalf("status %d: %s%s", r.status, r.stdout, r.stderr)
	}
	return r.printed()
}

func (r ran) printed() map[string]map[string]map[string]float64 {
	out := map[string]map[string]map[string]float64{}
	var rows map[string]map[string]float64
	var heads []string
	for line := range strings.Lines(r.stdout) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		switch {
		case !strings.HasPrefix(line, "|"):
			heads = nil
		case heads == nil:
			heads, rows = cells, map[string]map[string]float64{}
			out[cells[0]] = rows
		case !strings.HasPrefix(line, "|--"):
			rows[cells[0]] = map[string]float64{}
			for i, cell := range cells[1:] {
				if n, err := strconv.ParseFloat(cell, 64); err == nil {
					rows[cells[0]][heads[i+1]] = n
				}
			}
		}
	}
	return out
}

// positive fails for each of the figures that isn't above 0.
func positive(t *testing.T, row map[string]float64, figures ...string) {
	t.Helper()
	for _, f := range figures {
		if row[f] <= 0 {
			t.Errorf("%s is %v in %v", f, row[f], row)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"nothing":                 "unknown command",
		"append --fast":           "unknown flag",
		"append more":             "unknown command",
		"append --writers none":   "invalid argument",
		"append --writers 0":      "--writers must be",
		"append --writers 100000": "--writers must be",
		"append --tenants 0":      "--tenants must be",
		"append --duration 0s":    "--duration",
		"append --rounds 0":       "--rounds must be",
		"append --warmup -1s":     "--warmup",
		"http --op dance":         `--op "dance" is none of`,
		"http --connections 0":    "--connections must be",
		"http --tenants 0":        "--tenants must be",
		"http --rate -1":          "can't be negative",
		"http --half --rate 5":    "--half excludes",
		"rebuild --tenants 0":     "--tenants must be",
		"rebuild --events 5":      "--events at least as many",
		"rebuild --workers 0":     "--workers must be",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			r := run(t, nil, strings.Fields(args)...)
			if r.status != statusCouldNot || !strings.Contains(r.stderr, want) || strings.Count(r.stderr, "\n") != 1 || r.stdout != "" {
				t.Errorf("status %d, %q, %q", r.status, r.stdout, r.stderr)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"append", "--help"}, {"http", "--help"}, {"rebuild", "--help"}} {
		if r := run(t, nil, args...); r.status != statusDone || !strings.Contains(r.stdout, "Examples:") {
			t.Errorf("%v: status %d: %s%s", args, r.status, r.stdout, r.stderr)
		}
	}
}
