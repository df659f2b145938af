package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
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
	// onUnsafePostgres lets serve be ready on a Postgres that may lose what it has
	// acknowledged. Only tests set it, whose Postgres never waits for a disk.
	onUnsafePostgres bool
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

// refusal is an error that is an answer: what was asked for is well put and can't
// be had. It is said on standard error, with status 1.
type refusal struct{ reason string }

func (r *refusal) Error() string { return r.reason }

// run carries out one command and returns the exit status. ctx ends when
// somebody asks the program to stop.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	status := statusCouldNot
	var refused *refusal
	switch {
	case err == nil:
		return statusDone
	case errors.Is(err, errNo):
		return statusNo
	case errors.Is(err, syscall.EPIPE):
		return statusDone // who reads our output has read enough
	case errors.As(err, &refused):
		status = statusNo
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		err = errors.New("interrupted")
	}
	fmt.Fprintln(p.stderr, "docket: "+oneLine(err.Error()))
	return status
}

func (p *program) root() *cobra.Command {
	root := group(&cobra.Command{
		Use:   "docket",
		Short: "A multi-tenant project-management backend whose every change is an event",
		Long: `Docket is a multi-tenant project-management backend whose every change is an event.

Settings are environment variables; where a flag says the same it has precedence.
docket config check shows them all. Without DATABASE_URL everything is in the data
directory, a private Postgres included; a command beside a running server uses that
server's.

With --json a command prints one JSON object a line. Colours are for terminals only;
NO_COLOR turns them off.

Exit status: 0 done, 1 the answer is no, 2 could not.`,
		Example: `  docket serve
  docket tenants list
  docket projections rebuild --tenant default`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}, p.serveCommand(), p.migrateCommand(), p.tenantsCommand(), p.projectionsCommand(), p.auditCommand(),
		p.configCommand(), p.openAPICommand(), p.healthCommand(), p.versionCommand())
	// First of all: the completion scripts go to where output goes when they are added.
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	root.PersistentFlags().String("data-dir", "", "the `directory` of keys and the private Postgres (DOCKET_DATA_DIR)")
	root.PersistentFlags().String("log-format", "", "the log's `format`: text, on a terminal the default, or json (DOCKET_LOG_FORMAT)")
	root.SetHelpCommand(helpCommand())
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { p.help(c) })
	addCompletion(root)
	return root
}

// group is a command that only holds others.
func group(c *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(c, args[0])
		}
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	c.RunE = func(c *cobra.Command, _ []string) error {
		return fmt.Errorf("%s: a command is needed (see %s --help)", c.CommandPath(), c.CommandPath())
	}
	c.AddCommand(commands...)
	return c
}

// unknownCommand is the error for a command that a group hasn't.
func unknownCommand(of *cobra.Command, name string) error {
	problem := fmt.Sprintf("unknown command %q for %q", name, of.CommandPath())
	if near := of.SuggestionsFor(name); len(near) > 0 {
		return fmt.Errorf("%s (did you mean %s?)", problem, strings.Join(near, " or "))
	}
	return fmt.Errorf("%s (see %s --help)", problem, of.CommandPath())
}

// jsonFlag is the flag of a command that a machine might read.
func jsonFlag(c *cobra.Command, to *bool, what string) {
	c.Flags().BoolVar(to, "json", false, what)
}

// settings reads the settings of a command, its flags included.
func (p *program) settings(c *cobra.Command) (settings, error) {
	return readSettings(p.environ, settingFlags(c), p.asRoot)
}

// settingFlags are the values of the flags that a command was given, by the
// variables that they override.
func settingFlags(c *cobra.Command) map[string]string {
	flags := map[string]string{}
	for variable, flag := range flagFor {
		if f := c.Flags().Lookup(strings.TrimPrefix(flag, "--")); f != nil && f.Changed {
			flags[variable] = f.Value.String()
		}
	}
	return flags
}

// oneLine joins the lines of a text, for errors that drivers print over several;
// a line that was there already, as after a second try, is left out.
func oneLine(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		line = strings.Join(strings.Fields(line), " ")
		if line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}
