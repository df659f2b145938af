package main

import (
	"context"
	"io"
	"os"
	"strings"

	"docket/internal/cli"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"
)

func main() {
	stop, cutOff := cli.Signals()
	p := &program{
		environ: env.ToMap(os.Environ()), asRoot: os.Geteuid() == 0,
		stdout: os.Stdout, stderr: os.Stderr, cutOff: cutOff,
	}
	os.Exit(p.run(stop, os.Args[1:]))
}

// program is one run of docket: its environment, and where it writes.
type program struct {
	environ map[string]string
	asRoot  bool
	stdout  io.Writer
	stderr  io.Writer
	// cutOff ends at the second signal: stopping waits for nothing any more.
	cutOff context.Context
	// onUnsafePostgres lets serve be ready on a Postgres that may lose acknowledged
	// commits. Only tests set it: their Postgres never waits for a disk.
	onUnsafePostgres bool
}

// run carries out one command and returns the exit status. The end of ctx asks the
// program to stop.
func (p *program) run(ctx context.Context, args []string) int {
	return cli.Run(ctx, p.root(), args)
}

// screen is standard output for people.
func (p *program) screen() cli.Screen { return cli.NewScreen(p.stdout, p.environ) }

func (p *program) root() *cobra.Command {
	root := cli.Group(&cobra.Command{
		Use:   "docket",
		Short: "A multi-tenant project-management backend whose every change is an event",
		Long: `Docket is a multi-tenant project-management backend whose every change is an event.

Settings are environment variables; a flag for the same setting takes precedence.
docket config check shows them all. Without DATABASE_URL all data is in the data
directory, in a private Postgres; a command beside a running server uses that server's
Postgres.

With --json a command prints one JSON object a line. Only terminals get colours;
NO_COLOR turns them off.

Exit status: 0 done, 1 the answer is no, 2 could not.`,
		Example: `  docket serve
  docket tenants list
  docket projections rebuild --tenant default`,
	}, p.serveCommand(), p.migrateCommand(), p.tenantsCommand(), p.usersCommand(), p.keysCommand(), p.projectionsCommand(), p.epochCommand(), p.auditCommand(),
		p.configCommand(), p.openAPICommand(), p.healthCommand(), p.versionCommand())
	root.PersistentFlags().String("data-dir", "", "the `directory` of keys and the private Postgres (DOCKET_DATA_DIR)")
	root.PersistentFlags().String("log-format", "", "the log's `format`: text, on a terminal the default, or json (DOCKET_LOG_FORMAT)")
	root.PersistentFlags().String("log-level", "", "the least `level` of lines in the log: debug, info, warn or error (DOCKET_LOG_LEVEL)")
	cli.CompleteDirectory(root, "data-dir")
	cli.CompleteWith(root, "log-format", "text", "json")
	cli.CompleteWith(root, "log-level", "debug", "info", "warn", "error")
	cli.Setup(root, p.screen(), p.stderr, aboutCompletion)
	return root
}

// settings reads the settings of a command, its flags included.
func (p *program) settings(c *cobra.Command) (settings, error) {
	return readSettings(p.environ, settingFlags(c), p.asRoot)
}

// settingFlags are the values of the flags of a command, by the variables that they
// override.
func settingFlags(c *cobra.Command) map[string]string {
	flags := map[string]string{}
	for variable, flag := range flagFor {
		if f := c.Flags().Lookup(strings.TrimPrefix(flag, "--")); f != nil && f.Changed {
			flags[variable] = f.Value.String()
		}
	}
	return flags
}
