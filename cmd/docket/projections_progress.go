package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"docket/domain"
	"docket/projections"
)

// progressEvery is how often a long rebuild says that it is alive.
const progressEvery = 2 * time.Second

// progress writes a line for each read model that is done or failed, and for people
// from time to time one for the model in hand.
type progress struct {
	to       io.Writer
	failures io.Writer
	names    *tenantNames
	json     bool
	began    time.Time
	last     time.Time
	done     int
	failed   int
	total    int64
	// broken is why nothing more can be written.
	broken error
}

// rebuilt is what a machine reads of one read model of one tenant.
type rebuilt struct {
	TenantID   domain.TenantID `json:"tenant_id"`
	Tenant     string          `json:"tenant"`
	Projection string          `json:"projection"`
	Done       bool            `json:"done"`
	Events     int64           `json:"events"`
	Error      string          `json:"error,omitempty"`
}

// rebuiltAll is the last line that a machine reads.
type rebuiltAll struct {
	Rebuilt int   `json:"rebuilt"`
	Failed  int   `json:"failed"`
	Events  int64 `json:"events"`
	// Took is in milliseconds.
	Took int64 `json:"took_ms"`
}

func (p *progress) tell(now projections.Progress) {
	why := ""
	switch {
	case now.Err != nil:
		p.failed++
		why = reason(now.Err)
	case now.Done:
		p.done++
		p.total += now.Seq
	case p.json || time.Since(p.last) < progressEvery:
		return
	}
	name := p.names.name(now.Tenant)
	switch {
	case p.json:
		p.broken = errors.Join(p.broken, writeLineJSON(p.to, rebuilt{
			TenantID: now.Tenant, Tenant: name, Projection: now.Model, Done: now.Done, Events: now.Seq, Error: why,
		}))
	case now.Err != nil:
		fmt.Fprintf(p.failures, "%s  %s  failed, the old rows are read on: %s\n", name, now.Model, why)
	case now.Done:
		fmt.Fprintf(p.to, "%s  %s  done: %d events\n", name, now.Model, now.Seq)
	default:
		fmt.Fprintf(p.to, "%s  %s  %d of %d events\n", name, now.Model, now.Seq, now.Head)
	}
	p.last = time.Now()
}

// reason is why one read model failed, without what the line says anyway.
func reason(err error) string {
	var failure *projections.RebuildError
	if errors.As(err, &failure) {
		err = failure.Cause
	}
	if errors.Is(err, domain.ErrUnknownEvent) {
		return "left to a newer docket, which wrote what this one can't read: " + oneLine(err.Error())
	}
	return oneLine(err.Error())
}

func (p *progress) end() error {
	took, err := time.Since(p.began), p.broken
	switch {
	case err != nil:
	case p.json:
		err = writeLineJSON(p.to, rebuiltAll{Rebuilt: p.done, Failed: p.failed, Events: p.total, Took: took.Milliseconds()})
	default:
		_, err = fmt.Fprintf(p.to, "rebuilt %d read models from %d events in %s\n", p.done, p.total, took.Round(time.Millisecond))
	}
	if err == nil && p.failed > 0 {
		err = fmt.Errorf("%d read models couldn't be rebuilt", p.failed)
	}
	return err
}
