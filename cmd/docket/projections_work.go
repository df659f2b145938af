package main

import (
	"fmt"
	"time"

	"docket/domain"
	"docket/projections"
)

// work is how much of a rebuild is done. An event counts once, however many read
// models fold it: of a tenant of which two of four models are done, half is done.
type work struct {
	models int64
	events int64 // of all tenants
	folded int64 // by each model
	seqs   map[modelOf]int64
	// ended are the last seqs of the tenants of which something is done.
	ended map[domain.TenantID]int64
}

type modelOf struct {
	tenant domain.TenantID
	model  string
}

// note takes in how far one read model is.
func (w *work) note(p projections.Progress) {
	of := modelOf{p.Tenant, p.Model}
	if p.Err == nil {
		w.folded += p.Seq - w.seqs[of]
		w.seqs[of] = p.Seq
	}
	if p.Done || p.Err != nil {
		delete(w.seqs, of) // read models are more than tenants, which may be many
	}
	if p.Done {
		w.ended[p.Tenant] = max(w.ended[p.Tenant], p.Seq)
	}
}

// read is how many events the logs have of which something is made.
func (w *work) read() (events int64) {
	for _, seq := range w.ended {
		events += seq
	}
	return events
}

func (w *work) done() int64 { return w.folded / max(1, w.models) }

// line says how far all is, after so long.
func (w *work) line(took time.Duration) string {
	done, rate := w.done(), float64(w.done())/max(took.Seconds(), 0.001)
	left := "unknown"
	if rate > 0 {
		left = time.Duration(float64(max(0, w.events-done)) / rate * float64(time.Second)).Round(time.Second).String()
	}
	return fmt.Sprintf("in all %d of %d events, %.0f a second, %s left", done, w.events, rate, left)
}
