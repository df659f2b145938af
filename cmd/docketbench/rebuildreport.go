package main

import (
	"fmt"
	"io"
)

// write is for people, and for docs/performance.md: a table in Markdown.
func (r *rebuildReport) write(w io.Writer) error {
	what := r.Projection
	if what == "" {
		what = "all"
	}
	if r.GiveWay {
		what += ", giving way"
	}
	_, err := fmt.Fprintf(w, "| read models | events | tenants | workers | events/s | merely read, events/s | rebuilt to that | rows/s | peak MB | cores: rebuild, Postgres, others |\n"+
		"|---|---|---|---|---|---|---|---|---|---|\n| %s | %d | %d | %d | %.0f | %.0f | %.2f | %.0f | %.0f | %.2f, %.2f, %.2f |\n",
		what, r.Events, r.Tenants, r.Workers, r.EventsPerS, r.ReadEventsPerS, r.RatioRead, r.RowsPerS, r.PeakMB,
		r.Cores.Client, r.Cores.Postgres, r.Cores.Others)
	return err
}
