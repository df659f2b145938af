package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"docket/internal/cli"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"
)

func main() {
	asked, atOnce := cli.Signals()
	p := &program{environ: env.ToMap(os.Environ()), stdout: os.Stdout, stderr: os.Stderr, atOnce: atOnce}
	os.Exit(p.run(asked, os.Args[1:]))
}

// program is one run of docketbench: what it is given, and where it writes.
type program struct {
	environ map[string]string
	stdout  io.Writer
	stderr  io.Writer
	// atOnce ends when whoever asked to stop won't wait any longer.
	atOnce context.Context
}

// The exit statuses.
const (
	statusDone     = 0
	statusFailures = 1
	statusCouldNot = 2
)

// errFailures is what a benchmark returns that was carried out, but in which
// operations failed: its figures are printed, and aren't to be trusted.
var errFailures = errors.New("some operations failed; see errors and failures in the report")

// run carries out one command and returns the exit status. ctx ends when
// somebody asks the program to stop.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	err := root.ExecuteContext(ctx)
	status := statusCouldNot
	switch {
	case err == nil:
		return statusDone
	case errors.Is(err, errFailures):
		status = statusFailures
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		err = errors.New("interrupted")
	}
	fmt.Fprintln(p.stderr, "docketbench: "+strings.Join(strings.Fields(err.Error()), " "))
	return status
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "docketbench",
		Short: "Measure Docket against what its Postgres could do at best",
		Long: `Measure Docket, and in the same run what its Postgres could do at best.

Without DATABASE_URL a private Postgres in a temporary directory is used, with the
durability of production, and removed afterwards. With it (and, as docket has them,
DOCKET_OWNER_DATABASE_URL and DOCKET_API_DATABASE_URL) that database is migrated and
written to: give it one of its own, since a log can't be emptied.

Exit status: 0 done, 1 measured, but some operations failed, 2 could not.`,
		Example: `  docketbench append
  docketbench append --writers 256 --json
  docketbench http --op create-task --connections 64 --lag
  docketbench rebuild --projection tasks
  docketbench start`,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().String("dir", "", "where the private Postgres makes its temporary directory (default: the system's)")
	root.AddCommand(p.appendCommand(), p.httpCommand(), p.rebuildCommand(), p.startCommand())
	return root
}

// note tells whoever watches what is being done.
func (p *program) note(format string, args ...any) {
	fmt.Fprintf(p.stderr, format+"\n", args...)
}
