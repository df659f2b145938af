package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"
)

func main() {
	asked, atOnce := onSignals()
	p := &program{
		environ: env.ToMap(os.Environ()), asRoot: os.Geteuid() == 0,
		stdout: os.Stdout, stderr: os.Stderr, atOnce: atOnce,
	}
	os.Exit(p.run(asked, os.Args[1:]))
}

// program is one run of docket: what it is given, and where it writes.
type program struct {
	environ map[string]string
	asRoot  bool
	stdout  io.Writer
	stderr  io.Writer
	// atOnce ends when whoever asked to stop won't wait any longer.
	atOnce context.Context
}

// The exit statuses.
const (
	statusDone     = 0
	statusNo       = 1
	statusCouldNot = 2
)

// errNo is what a command returns that did what it was asked to find out, and
// the answer is no. What the answer was has been printed.
var errNo = errors.New("no")

// run carries out one command and returns the exit status. ctx ends when
// somebody asks the program to stop.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return statusDone
	case errors.Is(err, errNo):
		return statusNo
	case errors.Is(err, syscall.EPIPE):
		return statusDone // who reads our output has read enough
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		err = errors.New("interrupted")
	}
	fmt.Fprintln(p.stderr, "docket: "+oneLine(err.Error()))
	return statusCouldNot
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "docket",
		Short: "A multi-tenant project-management backend whose every change is an event",
		Long: `Docket is a multi-tenant project-management backend whose every change is an event.

Settings are environment variables; where a flag says the same it has precedence.
Without DATABASE_URL everything is in the data directory, a private Postgres included.

Exit status: 0 done, 1 the answer is no, 2 could not.`,
		Example: `  docket serve
  docket projections rebuild --tenant default
  docket audit replay --tenant default`,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().String("data-dir", "", "where keys and the private Postgres are kept (DOCKET_DATA_DIR)")
	root.PersistentFlags().String("log-format", "", "text or json; text on a terminal, else json (DOCKET_LOG_FORMAT)")
	root.AddCommand(p.serveCommand(), p.migrateCommand(), p.projectionsCommand(), p.auditCommand(),
		p.openAPICommand(), p.healthCommand(), p.versionCommand())
	return root
}

// group is a command that only holds others.
func group(c *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	c.Args = cobra.NoArgs
	c.RunE = func(c *cobra.Command, _ []string) error {
		return fmt.Errorf("%s: a command is needed (see %s --help)", c.CommandPath(), c.CommandPath())
	}
	c.AddCommand(commands...)
	return c
}

// settings reads the settings of a command, its flags included.
func (p *program) settings(c *cobra.Command) (settings, error) {
	flags := map[string]string{}
	for variable, flag := range flagFor {
		if f := c.Flags().Lookup(strings.TrimPrefix(flag, "--")); f != nil && f.Changed {
			flags[variable] = f.Value.String()
		}
	}
	return readSettings(p.environ, flags, p.asRoot)
}

// oneLine joins the lines of a text, for errors that drivers print over several.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
