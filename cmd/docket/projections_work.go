package main

import (
	"fmt"
	"strings"
	"time"

	"docket/domain"
	"docket/projections/rebuild"

	"github.com/mattn/go-runewidth"
	"github.com/schollz/progressbar/v3"
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
func (w *work) note(p rebuild.Progress) {
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

// Of a line with the bar: what the tenant's name, and everything but the bar, may take.
const (
	barName = 16
	barRest = 58
)

// newBar draws a bar with the events, the rate and the time left.
func newBar(s screen, events int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(max(1, events),
		progressbar.OptionSetWriter(s.Writer),
		progressbar.OptionSetDescription(inHand("")),
		progressbar.OptionSetWidth(max(4, s.width-barName-barRest)),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("events"),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "=", SaucerHead: ">", SaucerPadding: " ", BarStart: "[", BarEnd: "]"}),
	)
}

// inHand is a tenant's name in front of the bar, always as wide.
func inHand(name string) string {
	name = runewidth.Truncate(printable(name), barName, "…")
	return name + strings.Repeat(" ", max(0, barName-runewidth.StringWidth(name)))
}
