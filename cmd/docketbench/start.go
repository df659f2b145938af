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

	"github.com/spf13/cobra"
)

// startPlan is what is asked of docketbench start.
type startPlan struct {
	Docket string
	Rest   time.Duration
	JSON   bool
}

func (p *program) startCommand() *cobra.Command {
	var s startPlan
	c := &cobra.Command{
		Use:   "start",
		Short: "Measure how long docket serve takes to be ready, and what it needs at rest",
		Long: `Start docket serve in an empty data directory, where it makes a private Postgres and
migrates it, until /readyz answers; let it rest, and see what memory and processor
time it takes; end it, and start it again.

The Postgres is always the server's private one: DATABASE_URL isn't used.`,
		Example: `  docketbench start
  docketbench start --rest 30s --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if s.Rest <= 0 {
				return errors.New("--rest must be more than nothing")
			}
			dir, err := c.Flags().GetString("dir")
			if err != nil {
				return err
			}
			return p.start(c.Context(), s, dir)
		},
	}
	c.Flags().StringVar(&s.Docket, "docket", "", "the program to measure (default: built from this checkout)")
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
	// At rest, at the end of RestS.
	RestS   float64      `json:"rest_s"`
	Memory  memory       `json:"memory_at_rest"`
	Cores   cores        `json:"cores_at_rest"`
	Machine machineFacts `json:"machine"`
}

func (p *program) start(ctx context.Context, s startPlan, parent string) (err error) {
	r := startReport{Benchmark: "start", RestS: s.Rest.Seconds(), Machine: readMachineFacts()}
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
	watch := watchCPU(first.pid(), 0)
	err = pause(ctx, s.Rest)
	r.Cores = watch.cores()
	r.Memory.Now, r.Memory.Most = residentMemory(first.pid())
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

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// write is for people.
func (r startReport) write(w io.Writer) error {
	_, err := fmt.Fprintf(w, `| what | figure |
|---|---|
| start from nothing until ready | %.2f s |
| second start | %.2f s |
| stop | %.2f s |
| the server's memory at rest | %.0f MB |
| its processor time at rest | %.1f %% of a core |
| everything else on the machine meanwhile | %.1f %% of a core |
`, r.FromNothing/1000, r.Again/1000, r.Stop/1000, megabytes(r.Memory.Now), 100*r.Cores.Server, 100*r.Cores.Others)
	return err
}
