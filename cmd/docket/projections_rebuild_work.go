package main

import (
	"docket/projections/rebuild"
	"fmt"
	"time"

	"docket/domain"
)

// rebuildWork is how much of a rebuild is done. An event counts once, however many
// read models fold it: with two of four models of a tenant done, half of it is.
type rebuildWork struct {
	models int64
	total  int64 // events of all tenants
	folded int64 // events, by each model
	seqs   map[modelOf]int64
	// ended are the last seqs of the tenants of which a model is done.
	ended map[domain.TenantID]int64
}

// modelOf is one read model of one tenant.
type modelOf struct {
	tenant domain.TenantID
	model  string
}

func newRebuildWork(models int, events int64) rebuildWork {
	return rebuildWork{models: int64(models), total: events, seqs: map[modelOf]int64{}, ended: map[domain.TenantID]int64{}}
}

// add takes in how far one read model is.
func (w *rebuildWork) add(p rebuild.Progress) {
	model := modelOf{p.Tenant, p.Model}
	if p.Err == nil {
		w.folded += p.Seq - w.seqs[model]
		w.seqs[model] = p.Seq
	}
	if p.Done || p.Err != nil {
		delete(w.seqs, model) // there may be many tenants
	}
	if p.Done {
		w.ended[p.Tenant] = max(w.ended[p.Tenant], p.Seq)
	}
}

// events is the number of events in the logs of which a model is done.
func (w *rebuildWork) events() (events int64) {
	for _, seq := range w.ended {
		events += seq
	}
	return events
}

func (w *rebuildWork) done() int64 { return w.folded / max(1, w.models) }

// estimate says how much is done after a time, and how long the rest may take.
func (w *rebuildWork) estimate(took time.Duration) string {
	done := w.done()
	rate := float64(done) / max(took.Seconds(), 0.001)
	left := "unknown"
	if rate > 0 {
		left = time.Duration(float64(max(0, w.total-done)) / rate * float64(time.Second)).Round(time.Second).String()
	}
	return fmt.Sprintf("in all %d of %d events, %.0f a second, %s left", done, w.total, rate, left)
}
