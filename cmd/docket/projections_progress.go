package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"docket/domain"
	"docket/internal/cli"
	"docket/projections"
)

// progressEvery is how often a long rebuild says that it is alive.
const progressEvery = 2 * time.Second

// progress tells how a rebuild goes: with a bar on a terminal, elsewhere with a line
// for each read model that is done or failed and one from time to time for what is in
// hand, or with JSON.
type progress struct {
	to       io.Writer
	failures io.Writer
	names    *tenantNames
	json     bool
	bar      *cli.ProgressBar // nil where there is no terminal
	began    time.Time
	last     time.Time
	done     int
	failed   int
	left     int // of those that are done, whose old rows are still there
	work     work
	// broken is why nothing more can be written.
	broken error
}

// newProgress finds out how much there is to do.
func (p *program) newProgress(ctx context.Context, r *projections.Rebuilder, tenants []domain.TenantID, what rebuilding, names *tenantNames) (*progress, error) {
	events, err := r.Events(ctx, tenants)
	if err != nil {
		return nil, err
	}
	models := len(slices.Compact(slices.Sorted(slices.Values(what.models)))) // one may be named twice
	if models == 0 {
		models = len(projections.Models())
	}
	now := time.Now()
	t := &progress{
		to: p.stdout, failures: p.stderr, names: names, json: what.json, began: now, last: now,
		work: work{models: int64(models), events: events, seqs: map[modelOf]int64{}, ended: map[domain.TenantID]int64{}},
	}
	if !what.json {
		t.bar = cli.NewProgressBar(p.screen(), events, "events")
	}
	return t, nil
}

// rebuilt is what a machine reads of one read model of one tenant.
type rebuilt struct {
	TenantID   domain.TenantID `json:"tenant_id"`
	Tenant     string          `json:"tenant"`
	Projection string          `json:"projection"`
	Done       bool            `json:"done"`
	Events     int64           `json:"events"`
	// OldRows: it is done, and the rows from before are still there, for the reason in Error.
	OldRows bool   `json:"old_rows_left,omitempty"`
	Error   string `json:"error,omitempty"`
}

// rebuiltAll is the last line that a machine reads.
type rebuiltAll struct {
	Rebuilt int `json:"rebuilt"`
	// OldRows counts those whose old rows are still there.
	OldRows int `json:"old_rows"`
	Failed  int `json:"failed"`
	// Events are those of the logs, each once, however many read models were made of it.
	Events int64 `json:"events"`
	// Took is in milliseconds.
	Took int64 `json:"took_ms"`
}

func (p *progress) tell(now projections.Progress) {
	p.work.note(now)
	why := ""
	var left *projections.OldRowsError
	switch {
	case errors.As(now.Err, &left):
		p.left++
		why = reason(now.Err)
	case now.Err != nil:
		p.failed++
		if why = reason(now.Err); why == interrupted {
			why = goesOn
		}
	case now.Done:
		p.done++
	}
	ended := now.Err != nil || now.Done
	if !ended && (p.json || p.bar == nil && time.Since(p.last) < progressEvery) {
		return
	}
	name := p.names.name(now.Tenant)
	switch {
	case p.json:
		p.broken = errors.Join(p.broken, cli.WriteJSON(p.to, rebuilt{
			TenantID: now.Tenant, Tenant: name, Projection: now.Model, Done: now.Done, Events: now.Seq,
			OldRows: left != nil, Error: why,
		}))
	case left != nil:
		p.bar.Clear()
		fmt.Fprintf(p.failures, "%s  %s  %s: %s\n", cli.Printable(name), now.Model, oldRowsLeft, why)
	case why == goesOn:
		p.bar.Clear()
		fmt.Fprintf(p.failures, "%s  %s  %s\n", cli.Printable(name), now.Model, why)
	case now.Err != nil:
		p.bar.Clear()
		fmt.Fprintf(p.failures, "%s  %s  failed, the old rows are read on: %s\n", cli.Printable(name), now.Model, why)
	case p.bar != nil:
		p.bar.Set(name, p.work.done())
	case now.Done:
		fmt.Fprintf(p.to, "%s  %s  done: %d events\n", name, now.Model, now.Seq)
	default:
		fmt.Fprintf(p.to, "%s  %s  %d of %d events; %s\n", name, now.Model, now.Seq, now.Head, p.work.line(time.Since(p.began)))
	}
	p.last = time.Now()
}

// oldRowsLeft is what people are told of a read model that is rebuilt, and whose old rows
// couldn't be deleted.
const oldRowsLeft = "rebuilt, and its old rows are still there; a server deletes them"

// What is told of a read model that was in hand when somebody asked to stop, instead of
// what that broke off.
const (
	interrupted = "interrupted"
	goesOn      = "interrupted; goes on when given again"
)

// reason is why one read model failed, without what the line says anyway.
func reason(err error) string {
	var (
		failure *projections.RebuildError
		left    *projections.OldRowsError
	)
	switch {
	case errors.As(err, &failure):
		err = failure.Cause
	case errors.As(err, &left):
		err = left.Cause
	}
	if errors.Is(err, context.Canceled) {
		return interrupted
	}
	if errors.Is(err, domain.ErrUnknownEvent) {
		return "left to a newer docket, which wrote what this one can't read: " + cli.OneLine(err.Error())
	}
	return cli.OneLine(err.Error())
}

func (p *progress) end() error {
	took, err := time.Since(p.began), p.broken
	p.bar.Clear()
	switch {
	case err != nil:
	case p.json:
		err = cli.WriteJSON(p.to, rebuiltAll{Rebuilt: p.done, OldRows: p.left, Failed: p.failed, Events: p.work.read(), Took: took.Milliseconds()})
	default:
		_, err = fmt.Fprintf(p.to, "rebuilt %d read models from %d events in %s\n", p.done, p.work.read(), took.Round(time.Millisecond))
	}
	switch {
	case unwritten(err):
		return err
	case p.failed > 0:
		return fmt.Errorf("%d read models couldn't be rebuilt", p.failed)
	case p.left > 0:
		return cli.Refuse("%d read models are rebuilt, and their old rows are still there", p.left)
	}
	return err
}
