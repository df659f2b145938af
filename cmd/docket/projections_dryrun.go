package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"docket/domain"
	"docket/internal/cli"
	"docket/projections"
)

// samplesMost is how many rows are shown of each kind and column.
const samplesMost = 3

// rehearsal counts what a rebuild would change, and keeps a few samples.
type rehearsal struct {
	out      *bufio.Writer
	failures io.Writer
	json     bool
	names    *tenantNames
	began    time.Time
	// pending are the read models in hand.
	pending map[pendingKey]*wouldChange
	totals  wouldChangeAll
	broken  error
}

type pendingKey struct {
	tenant domain.TenantID
	model  string
}

// wouldChange is what a machine reads of one read model of one tenant.
type wouldChange struct {
	TenantID   domain.TenantID `json:"tenant_id"`
	Tenant     string          `json:"tenant"`
	Projection string          `json:"projection"`
	// Seq is the last event that is in the rows compared, and Head the log's last
	// when it began: a rebuild goes as far as that, or on. 0 where it couldn't be found out.
	Seq  int64 `json:"seq"`
	Head int64 `json:"head"`
	// Rows is how many were compared.
	Rows    int64       `json:"rows"`
	Missing rowsOfKind  `json:"missing"`
	Extra   rowsOfKind  `json:"extra"`
	Changed rowsOfKind  `json:"changed"`
	Columns []*ofColumn `json:"columns"`
	Error   string      `json:"error,omitempty"`
}

// rowsOfKind are the rows that differ in one way.
type rowsOfKind struct {
	Rows int64 `json:"rows"`
	// Keys are those of the first of them.
	Keys []string `json:"keys"`
}

// ofColumn is a column that changes in some rows.
type ofColumn struct {
	Column  string         `json:"column"`
	Rows    int64          `json:"rows"`
	Samples []columnSample `json:"samples"`
}

// columnSample is a column of one row, as it is and as it would be.
type columnSample struct {
	Key   string          `json:"key"`
	Live  json.RawMessage `json:"live"`
	Fresh json.RawMessage `json:"fresh"`
}

// wouldChangeAll is the last line that a machine reads.
type wouldChangeAll struct {
	DryRun bool `json:"dry_run"`
	// Compared, Differing and Failed count read models of tenants.
	Compared  int `json:"compared"`
	Differing int `json:"differing"`
	Failed    int `json:"failed"`
	// Behind counts those of the compared that aren't as far as the log.
	Behind  int   `json:"behind"`
	Rows    int64 `json:"rows"`
	Missing int64 `json:"missing"`
	Extra   int64 `json:"extra"`
	Changed int64 `json:"changed"`
	// Took is in milliseconds.
	Took int64 `json:"took_ms"`
}

// with is what the verification tells it.
func (r *rehearsal) with() projections.Verification {
	return projections.Verification{Difference: r.difference, Verdict: r.verdict}
}

func (r *rehearsal) begin(names *tenantNames) {
	r.names, r.began, r.pending, r.totals.DryRun = names, time.Now(), map[pendingKey]*wouldChange{}, true
}

// of is what is known of a read model so far.
func (r *rehearsal) of(t domain.TenantID, model string) *wouldChange {
	key := pendingKey{t, model}
	if r.pending[key] == nil {
		none := func() rowsOfKind { return rowsOfKind{Keys: []string{}} }
		r.pending[key] = &wouldChange{TenantID: t, Projection: model, Missing: none(), Extra: none(), Changed: none(), Columns: []*ofColumn{}}
	}
	return r.pending[key]
}

func (r *rehearsal) difference(d projections.Difference) {
	w := r.of(d.Tenant, d.Model)
	kind := &w.Changed
	switch d.Kind {
	case projections.Missing:
		kind = &w.Missing
	case projections.Extra:
		kind = &w.Extra
	}
	kind.Rows++
	if len(kind.Keys) < samplesMost {
		kind.Keys = append(kind.Keys, d.Key)
	}
	if d.Kind != projections.Changed {
		return
	}
	for _, c := range d.Columns {
		to := w.column(c.Name)
		to.Rows++
		if len(to.Samples) < samplesMost {
			to.Samples = append(to.Samples, columnSample{d.Key, c.Live, c.Fresh})
		}
	}
}

// column is what is known of a column.
func (w *wouldChange) column(name string) *ofColumn {
	for _, c := range w.Columns {
		if c.Column == name {
			return c
		}
	}
	c := &ofColumn{Column: name}
	w.Columns = append(w.Columns, c)
	return c
}

func (r *rehearsal) verdict(d projections.Verdict) {
	w := r.of(d.Tenant, d.Model)
	delete(r.pending, pendingKey{d.Tenant, d.Model})
	w.Tenant, w.Rows, w.Seq, w.Head = r.names.name(d.Tenant), d.Rows, d.Seq, d.Head
	t := &r.totals
	t.Rows += d.Rows
	t.Missing, t.Extra, t.Changed = t.Missing+w.Missing.Rows, t.Extra+w.Extra.Rows, t.Changed+w.Changed.Rows
	if d.Differing > 0 {
		t.Differing++
	}
	if d.Err != nil {
		t.Failed++
		w.Error = whyNot(d.Err)
	} else {
		t.Compared++
		if w.Seq < w.Head {
			t.Behind++
		}
	}
	switch {
	case r.json:
		r.keep(cli.WriteJSON(r.out, w))
	case w.Error == interrupted:
		fmt.Fprintf(r.failures, "%s  %s  %s\n", cli.Printable(w.Tenant), w.Projection, w.Error)
	case w.Error != "":
		fmt.Fprintf(r.failures, "%s  %s  failed: %s\n", cli.Printable(w.Tenant), w.Projection, w.Error)
	default:
		r.keep(w.write(r.out))
	}
	r.keep(r.out.Flush())
}

// write is for people.
func (w *wouldChange) write(out *bufio.Writer) error {
	head, far := cli.Printable(w.Tenant)+"  "+w.Projection+"  ", ""
	if w.Seq < w.Head {
		far = fmt.Sprintf(", as far as event %d of %d", w.Seq, w.Head)
	}
	differing := w.Missing.Rows + w.Extra.Rows + w.Changed.Rows
	if differing == 0 {
		_, err := fmt.Fprintf(out, "%snothing would change%s: %d rows\n", head, far, w.Rows)
		return err
	}
	_, err := fmt.Fprintf(out, "%swould change %d of %d rows%s: add %d, remove %d, alter %d\n", head,
		differing, w.Rows, far, w.Missing.Rows, w.Extra.Rows, w.Changed.Rows)
	for _, k := range []struct {
		verb string
		rows rowsOfKind
	}{{"add", w.Missing}, {"remove", w.Extra}} {
		for _, key := range k.rows.Keys {
			_, err = fmt.Fprintf(out, "  %s %s\n", k.verb, cli.Printable(key))
		}
		if more := k.rows.Rows - int64(len(k.rows.Keys)); more > 0 {
			_, err = fmt.Fprintf(out, "  %s %d more\n", k.verb, more)
		}
	}
	for _, c := range w.Columns {
		_, err = fmt.Fprintf(out, "  %s, in %d rows\n", c.Column, c.Rows)
		for _, s := range c.Samples {
			_, err = fmt.Fprintf(out, "    %s  %s → %s\n", cli.Printable(s.Key), brieflyJSON(s.Live), brieflyJSON(s.Fresh))
		}
	}
	return err // a bufio.Writer goes on failing once it did
}

func (r *rehearsal) keep(err error) {
	if r.broken == nil {
		r.broken = err
	}
}

// end tells the totals. That something would change is no refusal: it was asked for.
func (r *rehearsal) end() error {
	took := time.Since(r.began)
	t := &r.totals
	t.Took = took.Milliseconds()
	if r.json {
		r.keep(cli.WriteJSON(r.out, t))
	} else {
		_, err := fmt.Fprintf(r.out, "dry run in %s, nothing was changed: of %d rows in %d read models, a rebuild would add %d, remove %d and alter %d",
			took.Round(time.Millisecond), t.Rows, t.Compared, t.Missing, t.Extra, t.Changed)
		r.keep(err)
		if t.Behind > 0 {
			_, err = fmt.Fprintf(r.out, "; %d read models aren't as far as the log", t.Behind)
			r.keep(err)
		}
		_, err = fmt.Fprintln(r.out)
		r.keep(err)
	}
	r.keep(r.out.Flush())
	if !unwritten(r.broken) && t.Failed > 0 {
		return fmt.Errorf("%d read models couldn't be compared", t.Failed)
	}
	return r.broken
}
