package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"
)

func main() {
	stop, cutOff := onSignals()
	p := &program{environ: env.ToMap(os.Environ()), stdout: os.Stdout, stderr: os.Stderr, cutOff: cutOff}
	os.Exit(p.run(stop, os.Args[1:]))
}

// program is one run of docketbench.
type program struct {
	environ        map[string]string
	stdout, stderr io.Writer
	cutOff         context.Context // ends with the second signal: cleaning up is cut off
	dir            string          // parent of temporary directories; empty: the system's
}

// The exit statuses.
const (
	statusDone     = 0
	statusFailures = 1
	statusCouldNot = 2
)

// run carries out one command and returns the exit status. ctx ends with the first signal.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return statusDone
	}
	status := statusCouldNot
	if errors.Is(err, errFailures) {
		status = statusFailures
	} else if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	fmt.Fprintln(p.stderr, "docketbench: "+strings.Join(strings.Fields(err.Error()), " "))
	return status
}

func (p *program) root() *cobra.Command {
	root := command("docketbench", "Measure Docket, and in the same run what its Postgres does at best",
		`Without DATABASE_URL a private Postgres in a temporary directory is used, as durable as
in production, and removed afterwards. With DATABASE_URL (and DOCKET_OWNER_DATABASE_URL
and DOCKET_API_DATABASE_URL) that database is migrated and written to. Use one that
holds nothing else: a log can't be emptied.

Exit status: 0 done, 1 measured, but some operations failed, 2 failed.`,
		`  docketbench append --writers 64,256
  docketbench http --op create-task --raw --half
  docketbench http --op get-task --before OLD/docket --rounds 5
  docketbench rebuild --projection tasks`, nil)
	root.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	root.SilenceErrors, root.SilenceUsage = true, true
	root.PersistentFlags().StringVar(&p.dir, "dir", "", "directory for temporary files and the private Postgres (default: the system's)")
	root.AddCommand(p.appendCommand(), p.httpCommand(), p.rebuildCommand())
	return root
}

// command makes a command without arguments.
func command(use, short, long, example string, run func(context.Context) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Long: short + ".\n\n" + long, Example: example, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return run(c.Context()) }}
}

// note writes a line on the progress to standard error.
func (p *program) note(format string, args ...any) { fmt.Fprintf(p.stderr, format+"\n", args...) }

// inRange checks the number of a flag.
func inRange(flag string, n, least, most int) error {
	if n < least || n > most {
		return fmt.Errorf("--%s must be %d to %d", flag, least, most)
	}
	return nil
}
