package main

import (
	"context"
	"docket/projections/rebuild"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"docket/domain"
	"docket/internal/cli"
	"docket/projections"

	"github.com/spf13/cobra"
)

func (p *program) verifyCommand() *cobra.Command {
	var s selection
	var repair bool
	c := &cobra.Command{
		Use:   "verify",
		Short: "Compare read models with a fresh fold of the events",
		Long: `Compare read models with a fresh fold of the events, the activity log among them: all
of them for all tenants, or those that are named. The command names each row that
differs, with what it holds and what it should hold. The API and the subscriptions run
meanwhile, and nothing that they read is changed, unless --repair is given: then the
fresh rows replace the old ones of each read model of a tenant that differs.

Like a rebuild it is throttled to keep the API quick, unless --full-speed is given.

Rows are compared as far as the subscription has come; being behind or parked is no
difference. Both sides leave out the events that an operator has skipped.

With --json there is a line for each row that differs, one for each read model that
couldn't be compared, and a last one with the totals.

Exit status: 0 all is the same, 1 something differs (repaired or not), 2 something
couldn't be compared or repaired.

Read models: ` + strings.Join(projections.Models(), ", ") + ".",
		Example: `  docket projections verify
  docket projections verify --projection tasks --tenant acme --repair
  docket projections verify --json | jq -c 'select(.kind)'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.compare(c, s, p.newVerifyReport(s.json, repair))
		},
	}
	s.flags(c, p)
	c.Flags().BoolVar(&repair, "repair", false, "replace the rows of read models that differ by fresh ones")
	cli.JSONFlag(c, &s.json, "one JSON object for each row that differs, and one with the totals")
	return c
}

// comparison reports what a verification finds. end returns the error of the command.
type comparison interface {
	begin(names *tenantNames) rebuild.Verification
	end() error
}

func (p *program) compare(c *cobra.Command, s selection, to comparison) error {
	if err := s.check(); err != nil {
		return err
	}
	return p.withDatabaseConns(c, s.conns(), func(ctx context.Context, pools *pools) error {
		tenants, err := s.tenantIDs(ctx, pools)
		if err != nil {
			return err
		}
		verification := to.begin(newTenantNames(ctx, pools))
		err = s.rebuilder(p, c, pools).Verify(ctx, tenants, s.models, verification)
		var (
			failure     *rebuild.Error
			unreachable *rebuild.UnreachableError
		)
		if errors.As(err, &unreachable) {
			_ = to.end() // it writes what was found; the rest isn't known
			return unreachable
		}
		if err != nil && (ctx.Err() != nil || !errors.As(err, &failure)) {
			return err
		}
		return to.end()
	})
}

// verifyReport writes what a verification finds as it is found.
type verifyReport struct {
	report
	repair bool
	// tenants are those of which a read model is compared: the workers mix them.
	tenants map[domain.TenantID]bool
	totals  verifyTotals
}

func (p *program) newVerifyReport(asJSON, repair bool) *verifyReport {
	return &verifyReport{report: p.newReport(asJSON), repair: repair, tenants: map[domain.TenantID]bool{}}
}

func (v *verifyReport) begin(names *tenantNames) rebuild.Verification {
	v.start(names)
	return rebuild.Verification{Repair: v.repair, Difference: v.difference, Verdict: v.verdict}
}

// differingRow is a row that differs, for machines.
type differingRow struct {
	TenantID   domain.TenantID   `json:"tenant_id"`
	Tenant     string            `json:"tenant"`
	Projection string            `json:"projection"`
	Key        string            `json:"key"`
	Kind       rebuild.Kind      `json:"kind"`
	Columns    []differingColumn `json:"columns"`
}

// differingColumn has null for the side that lacks the row.
type differingColumn struct {
	Column string          `json:"column"`
	Live   json.RawMessage `json:"live"`
	Fresh  json.RawMessage `json:"fresh"`
}

// failedLine is a read model that couldn't be compared, for machines.
type failedLine struct {
	TenantID   domain.TenantID `json:"tenant_id"`
	Tenant     string          `json:"tenant"`
	Projection string          `json:"projection"`
	// OldRows: it is compared and repaired, but its old rows are still there.
	OldRows bool   `json:"old_rows_left,omitempty"`
	Error   string `json:"error"`
}

// verifyTotals is the last line for machines.
type verifyTotals struct {
	Tenants int `json:"tenants"`
	// Verified, Differing, Repaired and Failed count read models of tenants, OldRows the
	// repaired ones whose old rows are still there.
	Verified  int   `json:"verified"`
	Differing int   `json:"differing"`
	Repaired  int   `json:"repaired"`
	OldRows   int   `json:"old_rows"`
	Failed    int   `json:"failed"`
	Rows      int64 `json:"rows"`
	// DifferingRows counts those of Rows that differ.
	DifferingRows int64 `json:"differing_rows"`
	// Took is in milliseconds.
	Took int64 `json:"took_ms"`
}

func (v *verifyReport) difference(d rebuild.Difference) {
	tenant := v.names.name(d.Tenant)
	if !v.json {
		v.printf("%s  %s  %s  %s\n", cli.Printable(tenant), d.Model, cli.Printable(d.Key), describe(d))
		return
	}
	row := differingRow{TenantID: d.Tenant, Tenant: tenant, Projection: d.Model, Key: d.Key, Kind: d.Kind}
	for _, c := range d.Columns {
		row.Columns = append(row.Columns, differingColumn{c.Name, c.Live, c.Fresh})
	}
	v.writeJSON(row)
}

// describe says in what a row differs.
func describe(d rebuild.Difference) string {
	switch d.Kind {
	case rebuild.Missing:
		return "missing: the events have it"
	case rebuild.Extra:
		return "extra: no event makes it"
	}
	var columns []string
	for _, c := range d.Columns {
		columns = append(columns, fmt.Sprintf("%s %s, should be %s", c.Name, shortJSON(c.Live), shortJSON(c.Fresh)))
	}
	return "changed: " + strings.Join(columns, "; ")
}

// maxShortJSON is the width of a value for people, in columns.
const maxShortJSON = 60

// shortJSON is a value for people: on one line, cut, without control characters.
func shortJSON(value json.RawMessage) string {
	return cli.Truncate(cli.OneLine(cli.Printable(string(value))), maxShortJSON)
}

func (v *verifyReport) verdict(d rebuild.Verdict) {
	oldRows := isOldRows(d.Err)
	v.tenants[d.Tenant] = true
	v.totals.add(d, oldRows)
	tenant := v.names.name(d.Tenant)
	if v.json {
		if d.Err != nil {
			v.writeJSON(failedLine{TenantID: d.Tenant, Tenant: tenant, Projection: d.Model, OldRows: oldRows, Error: causeOf(d.Err)})
		}
		v.flush()
		return
	}
	if d.Differing > 0 {
		repaired := ""
		if d.Repaired {
			repaired = ", repaired"
		}
		v.printf("%s  %s  %d of %d rows differ%s\n", cli.Printable(tenant), d.Model, d.Differing, d.Rows, repaired)
	}
	v.flush() // before the line on standard error
	if d.Err == nil {
		return
	}
	switch cause := causeOf(d.Err); {
	case oldRows:
		v.failf(tenant, d.Model, "%s: %s", oldRowsLeft, cause)
	case cause == interrupted:
		v.failf(tenant, d.Model, "%s", interrupted)
	default:
		v.failf(tenant, d.Model, "failed: %s", cause)
	}
}

// add counts a verdict, whose error, if oldRows, is only that old rows are still there.
func (t *verifyTotals) add(d rebuild.Verdict, oldRows bool) {
	t.Rows += d.Rows
	t.DifferingRows += d.Differing
	if d.Differing > 0 {
		t.Differing++
	}
	if d.Repaired {
		t.Repaired++
	}
	if oldRows {
		t.OldRows++
	}
	if d.Err != nil && !oldRows {
		t.Failed++
		return
	}
	t.Verified++
}

// end writes the totals and returns the error of the command.
func (v *verifyReport) end() error {
	took, ms := v.took()
	t := &v.totals
	t.Tenants, t.Took = len(v.tenants), ms
	if v.json {
		v.writeJSON(t)
	} else {
		v.printf("verified %d read models of %d tenants in %s: %d rows, %d differ", t.Verified, t.Tenants, took, t.Rows, t.DifferingRows)
		if t.Repaired > 0 {
			v.printf("; repaired %d read models", t.Repaired)
		}
		v.printf("\n")
	}
	v.flush()
	var answer error
	if t.Differing > 0 {
		answer = cli.ErrNo
	}
	return v.result(t.Failed, "verified", answer)
}
