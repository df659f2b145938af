package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"docket/internal/postgres"

	"github.com/spf13/cobra"
)

// startPlan is what is asked of docketbench start.
type startPlan struct {
	Docket string
	// Tenants are made before the rest begins, beside the default one.
	Tenants int
	Rest    time.Duration
	JSON    bool
}

func (p *program) startCommand() *cobra.Command {
	var s startPlan
	c := &cobra.Command{
		Use:   "start",
		Short: "Measure how long docket serve takes to be ready, and what it needs at rest",
		Long: `Start docket serve in an empty data directory, where it makes a private Postgres and
migrates it, until /readyz answers; let it rest, and see what memory and processor
time it takes; end it, and start it again.

--tenants fills it with so many tenants of one task each, past the server, and waits
until the subscriptions have handled them, before the rest begins.

The Postgres is always the server's private one: DATABASE_URL isn't used.`,
		Example: `  docketbench start
  docketbench start --tenants 10000 --rest 60s --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if s.Rest <= 0 || s.Tenants < 0 {
				return errors.New("--rest must be more than nothing, and --tenants can't be negative")
			}
			dir, err := c.Flags().GetString("dir")
			if err != nil {
				return err
			}
			return p.start(c.Context(), s, dir)
		},
	}
	c.Flags().StringVar(&s.Docket, "docket", "", "the program to measure (default: built from this checkout)")
	c.Flags().IntVar(&s.Tenants, "tenants", 0, "how many tenants it has at rest, beside the default one")
	c.Flags().DurationVar(&s.Rest, "rest", 10*time.Second, "how long to watch it at rest")
	c.Flags().BoolVar(&s.JSON, "json", false, "print one JSON object")
	return c
}

// startReport is what docketbench start prints.
type startReport struct {
	Benchmark string `json:"benchmark"`
	// Milliseconds from the start of the process until it was ready.
	FromNothing float64 `json:"from_nothing_ms"`
	Again       float64 `json:"again_ms"`
	// Milliseconds from the signal to the end of the process.
	Stop float64 `json:"stop_ms"`
	// At rest, at the end of RestS, with so many tenants.
	Tenants int          `json:"tenants"`
	RestS   float64      `json:"rest_s"`
	Memory  memory       `json:"memory_at_rest"`
	Cores   cores        `json:"cores_at_rest"`
	Machine machineFacts `json:"machine"`
}

func (p *program) start(ctx context.Context, s startPlan, parent string) (err error) {
	r := startReport{Benchmark: "start", Tenants: s.Tenants, RestS: s.Rest.Seconds(), Machine: readMachineFacts()}
	p.note("%s", r.Machine)
	// One that Postgres's user can enter: it gets the data directory.
	dir, err := tempDir(parent)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program, err := buildDocket(ctx, s.Docket, dir)
	if err != nil {
		return err
	}
	if err := p.measureStart(ctx, s, program, dir, &r); err != nil {
		return err
	}
	if s.JSON {
		return json.NewEncoder(p.stdout).Encode(r)
	}
	return r.write(p.stdout)
}

func (p *program) measureStart(ctx context.Context, s startPlan, program, dir string, r *startReport) error {
	settings := map[string]string{
		"DOCKET_DATA_DIR": filepath.Join(dir, "data"), "DATABASE_URL": "",
		"DOCKET_OWNER_DATABASE_URL": "", "DOCKET_API_DATABASE_URL": "",
	}
	first, err := startDocket(ctx, program, dir, p.environ, settings)
	if err != nil {
		return err
	}
	r.FromNothing = milliseconds(first.took)
	err = p.rest(ctx, s, first, settings["DOCKET_DATA_DIR"], r)
	begin := time.Now()
	if err := errors.Join(err, first.stop(p.atOnce)); err != nil {
		return err
	}
	r.Stop = milliseconds(time.Since(begin))
	second, err := startDocket(ctx, program, dir, p.environ, settings)
	if err != nil {
		return err
	}
	r.Again = milliseconds(second.took)
	return second.stop(p.atOnce)
}

// rest fills the server with tenants and watches what it does when there is nothing
// to do.
func (p *program) rest(ctx context.Context, s startPlan, server *docket, data string, r *startReport) error {
	private, ok := postgres.Running(data)
	if !ok {
		return errors.New("the server's private Postgres can't be found")
	}
	if s.Tenants > 0 {
		d := &database{
			Owner:  private.URL(postgres.OwnerLogin, postgres.Database),
			Engine: private.URL(postgres.EngineLogin, postgres.Database),
		}
		begin := time.Now()
		if err := populate(ctx, d, s.Tenants); err != nil {
			return err
		}
		p.note("made %d tenants, which the subscriptions had handled after %.0f s", s.Tenants, time.Since(begin).Seconds())
	}
	watch := watchCPU(server.pid(), private.PID)
	err := pause(ctx, s.Rest)
	r.Cores = watch.cores()
	r.Memory.Now, r.Memory.Most = residentMemory(server.pid())
	return err
}

// populate makes tenants of one task each, and waits for the subscriptions.
func populate(ctx context.Context, d *database, n int) error {
	ids := newTenants(n)
	if err := d.preload(ctx, ids, 1); err != nil {
		return fmt.Errorf("make the tenants: %w", err)
	}
	c, err := newCheckpoints(ctx, d, ids)
	if err != nil {
		return err
	}
	defer c.close()
	return c.settle(ctx, settleEvery)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// write is for people.
func (r startReport) write(w io.Writer) error {
	_, err := fmt.Fprintf(w, `| what | figure |
|---|---|
| start from nothing until ready | %.2f s |
| second start | %.2f s |
| stop | %.2f s |
| the server's memory at rest, with %d tenants | %.0f MB |
| its processor time at rest | %.1f %% of a core |
| that of its PostgreSQL | %.1f %% of a core |
| everything else on the machine meanwhile | %.1f %% of a core |
`, r.FromNothing/1000, r.Again/1000, r.Stop/1000, r.Tenants+1, megabytes(r.Memory.Now),
		100*r.Cores.Server, 100*r.Cores.Postgres, 100*r.Cores.Others)
	return err
}
