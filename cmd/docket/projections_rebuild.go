package main

import (
	"context"
	"docket/projections/rebuild"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"docket/domain"
	"docket/internal/cli"
	"docket/projections"

	"github.com/spf13/cobra"
)

func (p *program) rebuildCommand() *cobra.Command {
	var (
		s      selection
		dryRun bool
	)
	c := &cobra.Command{
		Use:   "rebuild",
		Short: "Rebuild read models from the events",
		Long: `Rebuild read models from the events, the activity log among them: all of them for all
tenants, or those that are named. The API answers from the old rows until the new ones
take their place. A read model that fails keeps its old rows and does not stop the
others; neither does a log that only a newer docket can read. Run again after an
interruption, the command resumes where it stopped. It refuses what another process
rebuilds, and says which process that is.

A terminal shows a bar. Elsewhere there is a line for each read model of each tenant,
and every few seconds one with the events, the rate, the time left and the current
tenant. With --json there is a line for each read model of each tenant that is done or
failed, and a last one with the totals.

The rebuild is throttled to keep the API quick: it writes one read model of a tenant at
a time and pauses in between. --full-speed lifts that, for when the API is idle. More
--workers rebuild more tenants at a time and load the machine more: each takes up to
four connections, so at most 6 fit beside a server on the private Postgres, which has
100 connections.

Exit status: 0 all is rebuilt; 1 all is rebuilt, but some old rows couldn't be deleted
(no query sees them; a running server or the next rebuild deletes them); 2 something
couldn't be rebuilt.

With --dry-run nothing is changed: the command counts the rows that a rebuild would add,
remove and alter, and shows some of them by column. That takes as long as a rebuild. A
read model that is behind or parked is compared as far as its subscription has come,
and its line says so; a rebuild goes to the end of the log.

Read models: ` + strings.Join(projections.Models(), ", ") + ".",
		Example: `  docket projections rebuild
  docket projections rebuild --projection tasks --tenant default --tenant acme
  docket projections rebuild --projection tasks --dry-run
  docket projections rebuild --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if dryRun {
				return p.compare(c, s, p.newDryRun(s.json))
			}
			return p.rebuild(c, s)
		},
	}
	s.flags(c, p)
	c.Flags().BoolVar(&dryRun, "dry-run", false, "say what would change, and change nothing")
	cli.JSONFlag(c, &s.json, "one JSON object for each read model, and one with the totals")
	return c
}

func (p *program) rebuild(c *cobra.Command, s selection) error {
	if err := s.check(); err != nil {
		return err
	}
	return p.withDatabaseConns(c, s.conns(), func(ctx context.Context, pools *pools) error {
		tenants, err := s.tenantIDs(ctx, pools)
		if err != nil {
			return err
		}
		rebuilder := s.rebuilder(p, c, pools)
		report, err := p.newRebuildReport(ctx, rebuilder, tenants, s)
		if err != nil {
			return err
		}
		report.start(newTenantNames(ctx, pools))
		err = rebuilder.Rebuild(ctx, tenants, s.models, report.add)
		var unreachable *rebuild.UnreachableError
		if errors.As(err, &unreachable) {
			report.bar.Close()
			return fmt.Errorf("run the command again to resume it: %w", unreachable)
		}
		if err != nil && (ctx.Err() != nil || report.failed+report.oldRows == 0) {
			report.bar.Close()
			return err
		}
		return report.end()
	})
}

// reportEvery is the pause between two lines on a long rebuild.
const reportEvery = 2 * time.Second

// rebuildReport says how a rebuild goes: by a bar on a terminal, elsewhere by a line for
// each read model that is done or failed and one now and then on the current one, or by
// JSON.
type rebuildReport struct {
	report
	bar     *cli.ProgressBar // nil without a terminal, and with JSON
	last    time.Time        // when the last line was written
	done    int
	failed  int
	oldRows int // of those done, whose old rows are still there
	work    rebuildWork
}

// newRebuildReport finds out how much there is to do.
func (p *program) newRebuildReport(ctx context.Context, r *rebuild.Rebuilder, tenants []domain.TenantID, s selection) (*rebuildReport, error) {
	events, err := r.Events(ctx, tenants)
	if err != nil {
		return nil, err
	}
	models := len(slices.Compact(slices.Sorted(slices.Values(s.models)))) // one may be named twice
	if models == 0 {
		models = len(projections.Models())
	}
	report := &rebuildReport{report: p.newReport(s.json), last: time.Now(), work: newRebuildWork(models, events)}
	if !s.json {
		report.bar = cli.NewProgressBar(p.screen(), events, "events")
	}
	return report, nil
}

// rebuiltLine is one read model of one tenant for machines.
type rebuiltLine struct {
	TenantID   domain.TenantID `json:"tenant_id"`
	Tenant     string          `json:"tenant"`
	Projection string          `json:"projection"`
	Done       bool            `json:"done"`
	Events     int64           `json:"events"`
	// OldRows: it is done, but its old rows are still there, for the reason in Error.
	OldRows bool   `json:"old_rows_left,omitempty"`
	Error   string `json:"error,omitempty"`
}

// rebuildTotals is the last line for machines.
type rebuildTotals struct {
	Rebuilt int `json:"rebuilt"`
	// OldRows counts the rebuilt read models whose old rows are still there.
	OldRows int `json:"old_rows"`
	Failed  int `json:"failed"`
	// Events counts each event of the logs once, however many read models fold it.
	Events int64 `json:"events"`
	// Took is in milliseconds.
	Took int64 `json:"took_ms"`
}

// resumable is the line on a read model whose rebuild was interrupted.
const resumable = "interrupted; run the command again to resume it"

// add reports how far one read model is.
func (r *rebuildReport) add(now rebuild.Progress) {
	r.work.add(now)
	oldRows, cause := isOldRows(now.Err), ""
	switch {
	case oldRows:
		r.oldRows++
		cause = causeOf(now.Err)
	case now.Err != nil:
		r.failed++
		if cause = causeOf(now.Err); cause == interrupted {
			cause = resumable
		}
	case now.Done:
		r.done++
	}
	ended := now.Err != nil || now.Done
	if !ended && (r.json || r.bar == nil && time.Since(r.last) < reportEvery) {
		return
	}
	tenant := r.names.name(now.Tenant)
	if now.Err != nil {
		r.bar.Clear()
	}
	switch {
	case r.json:
		r.writeJSON(rebuiltLine{
			TenantID: now.Tenant, Tenant: tenant, Projection: now.Model, Done: now.Done, Events: now.Seq,
			OldRows: oldRows, Error: cause,
		})
	case oldRows:
		r.failf(tenant, now.Model, "%s: %s", oldRowsLeft, cause)
	case cause == resumable:
		r.failf(tenant, now.Model, "%s", cause)
	case now.Err != nil:
		r.failf(tenant, now.Model, "failed, the old rows stay: %s", cause)
	case r.bar != nil:
		r.bar.Set(tenant, r.work.done())
	case now.Done:
		r.printf("%s  %s  done: %d events\n", tenant, now.Model, now.Seq)
	default:
		r.printf("%s  %s  %d of %d events; %s\n", tenant, now.Model, now.Seq, now.Head, r.work.estimate(time.Since(r.began)))
	}
	r.flush()
	r.last = time.Now()
}

// end writes the totals and returns the error of the command.
func (r *rebuildReport) end() error {
	took, ms := r.took()
	r.bar.Clear()
	if r.json {
		r.writeJSON(rebuildTotals{Rebuilt: r.done, OldRows: r.oldRows, Failed: r.failed, Events: r.work.events(), Took: ms})
	} else {
		r.printf("rebuilt %d read models from %d events in %s\n", r.done, r.work.events(), took)
	}
	r.flush()
	var answer error
	if r.oldRows > 0 {
		answer = cli.Refuse("%d read models are rebuilt, and their old rows are still there", r.oldRows)
	}
	return r.result(r.failed, "rebuilt", answer)
}
