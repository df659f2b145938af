package main

import (
	"docket/projections/rebuild"
	"encoding/json"
	"fmt"

	"docket/domain"
	"docket/internal/cli"
)

// maxSamples is the number of rows shown of each kind and column.
const maxSamples = 3

// dryRun counts what a rebuild would change, and keeps a few samples.
type dryRun struct {
	report
	current map[modelOf]*dryRunLine // of the read models that are being compared
	totals  dryRunTotals
}

func (p *program) newDryRun(asJSON bool) *dryRun {
	return &dryRun{report: p.newReport(asJSON), current: map[modelOf]*dryRunLine{}, totals: dryRunTotals{DryRun: true}}
}

// dryRunLine is what would change in one read model of one tenant, for machines.
type dryRunLine struct {
	TenantID   domain.TenantID `json:"tenant_id"`
	Tenant     string          `json:"tenant"`
	Projection string          `json:"projection"`
	// Seq is the last event in the compared rows, Head the last of the log when the
	// comparison began: a rebuild goes at least as far. 0 where they aren't known.
	Seq  int64 `json:"seq"`
	Head int64 `json:"head"`
	// Rows counts the compared rows.
	Rows    int64            `json:"rows"`
	Missing dryRunRows       `json:"missing"`
	Extra   dryRunRows       `json:"extra"`
	Changed dryRunRows       `json:"changed"`
	Columns []*changedColumn `json:"columns"`
	Error   string           `json:"error,omitempty"`
}

// dryRunRows are the rows that differ in one way.
type dryRunRows struct {
	Rows int64 `json:"rows"`
	// Keys are those of the first rows.
	Keys []string `json:"keys"`
}

// changedColumn is a column that would change in some rows.
type changedColumn struct {
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

// dryRunTotals is the last line for machines.
type dryRunTotals struct {
	DryRun bool `json:"dry_run"`
	// Compared, Differing and Failed count read models of tenants.
	Compared  int `json:"compared"`
	Differing int `json:"differing"`
	Failed    int `json:"failed"`
	// Behind counts the compared read models that lag behind the log.
	Behind  int   `json:"behind"`
	Rows    int64 `json:"rows"`
	Missing int64 `json:"missing"`
	Extra   int64 `json:"extra"`
	Changed int64 `json:"changed"`
	// Took is in milliseconds.
	Took int64 `json:"took_ms"`
}

func (r *dryRun) begin(names *tenantNames) rebuild.Verification {
	r.start(names)
	return rebuild.Verification{Difference: r.difference, Verdict: r.verdict}
}

// line is the line of a read model that is being compared.
func (r *dryRun) line(t domain.TenantID, model string) *dryRunLine {
	key := modelOf{t, model}
	if r.current[key] == nil {
		none := func() dryRunRows { return dryRunRows{Keys: []string{}} }
		r.current[key] = &dryRunLine{TenantID: t, Projection: model, Missing: none(), Extra: none(), Changed: none(), Columns: []*changedColumn{}}
	}
	return r.current[key]
}

func (r *dryRun) difference(d rebuild.Difference) {
	l := r.line(d.Tenant, d.Model)
	switch d.Kind {
	case rebuild.Missing:
		l.Missing.add(d.Key)
	case rebuild.Extra:
		l.Extra.add(d.Key)
	default:
		l.Changed.add(d.Key)
		for _, c := range d.Columns {
			l.column(c.Name).add(columnSample{d.Key, c.Live, c.Fresh})
		}
	}
}

func (k *dryRunRows) add(key string) {
	k.Rows++
	if len(k.Keys) < maxSamples {
		k.Keys = append(k.Keys, key)
	}
}

func (c *changedColumn) add(s columnSample) {
	c.Rows++
	if len(c.Samples) < maxSamples {
		c.Samples = append(c.Samples, s)
	}
}

func (l *dryRunLine) column(name string) *changedColumn {
	for _, c := range l.Columns {
		if c.Column == name {
			return c
		}
	}
	c := &changedColumn{Column: name}
	l.Columns = append(l.Columns, c)
	return c
}

func (r *dryRun) verdict(d rebuild.Verdict) {
	l := r.line(d.Tenant, d.Model)
	delete(r.current, modelOf{d.Tenant, d.Model})
	l.Tenant, l.Rows, l.Seq, l.Head = r.names.name(d.Tenant), d.Rows, d.Seq, d.Head
	if d.Err != nil {
		l.Error = causeOf(d.Err)
	}
	r.totals.add(l, d)
	switch {
	case r.json:
		r.writeJSON(l)
	case l.Error == interrupted:
		r.failf(l.Tenant, l.Projection, "%s", interrupted)
	case l.Error != "":
		r.failf(l.Tenant, l.Projection, "failed: %s", l.Error)
	default:
		r.print(l)
	}
	r.flush()
}

func (t *dryRunTotals) add(l *dryRunLine, d rebuild.Verdict) {
	t.Rows += d.Rows
	t.Missing, t.Extra, t.Changed = t.Missing+l.Missing.Rows, t.Extra+l.Extra.Rows, t.Changed+l.Changed.Rows
	if d.Differing > 0 {
		t.Differing++
	}
	if d.Err != nil {
		t.Failed++
		return
	}
	t.Compared++
	if l.Seq < l.Head {
		t.Behind++
	}
}

// print writes a line, and the samples below it, for people.
func (r *dryRun) print(l *dryRunLine) {
	name, behind := cli.Printable(l.Tenant)+"  "+l.Projection+"  ", ""
	if l.Seq < l.Head {
		behind = fmt.Sprintf(", as far as event %d of %d", l.Seq, l.Head)
	}
	differing := l.Missing.Rows + l.Extra.Rows + l.Changed.Rows
	if differing == 0 {
		r.printf("%snothing would change%s: %d rows\n", name, behind, l.Rows)
		return
	}
	r.printf("%swould change %d of %d rows%s: add %d, remove %d, alter %d\n", name,
		differing, l.Rows, behind, l.Missing.Rows, l.Extra.Rows, l.Changed.Rows)
	r.printKeys("add", l.Missing)
	r.printKeys("remove", l.Extra)
	for _, c := range l.Columns {
		r.printf("  %s, in %d rows\n", c.Column, c.Rows)
		for _, s := range c.Samples {
			r.printf("    %s  %s → %s\n", cli.Printable(s.Key), shortJSON(s.Live), shortJSON(s.Fresh))
		}
	}
}

func (r *dryRun) printKeys(verb string, rows dryRunRows) {
	for _, key := range rows.Keys {
		r.printf("  %s %s\n", verb, cli.Printable(key))
	}
	if more := rows.Rows - int64(len(rows.Keys)); more > 0 {
		r.printf("  %s %d more\n", verb, more)
	}
}

// end writes the totals and returns the error of the command: that something would
// change is none.
func (r *dryRun) end() error {
	took, ms := r.took()
	t := &r.totals
	t.Took = ms
	if r.json {
		r.writeJSON(t)
	} else {
		r.printf("dry run in %s, nothing was changed: of %d rows in %d read models, a rebuild would add %d, remove %d and alter %d",
			took, t.Rows, t.Compared, t.Missing, t.Extra, t.Changed)
		if t.Behind > 0 {
			r.printf("; %d read models are behind the log", t.Behind)
		}
		r.printf("\n")
	}
	r.flush()
	return r.result(t.Failed, "compared", nil)
}
