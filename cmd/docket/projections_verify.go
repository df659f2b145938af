package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"docket/domain"
	"docket/internal/cli"
	"docket/projections"

	"github.com/spf13/cobra"
)

func (p *program) verifyCommand() *cobra.Command {
	var r rebuilding
	var repair bool
	c := &cobra.Command{
		Use:   "verify",
		Short: "Compare read models with a fresh fold of the events",
		Long: `Compare read models with a fresh fold of the events, the activity log among them: all
of them for all tenants, or those that are named. Every row that differs is named, with
what it holds and what it should. The API and the subscriptions go on meanwhile, and
nothing that is read is changed, unless --repair is given: then the fresh rows take the
place of the old ones, for each read model of a tenant that differs.

It gives way to those who use the API, as a rebuild does, unless --full-speed is given.

Rows are compared as far as the subscription has come; one that is behind or parked is
no difference. What an operator skipped is left out of both sides.

With --json there is a line for each row that differs, one for each read model that
couldn't be compared, and at the end one with the totals.

Exit status: 0 all is the same, 1 something differs (repaired or not), 2 something
couldn't be compared or repaired.

Read models: ` + strings.Join(projections.Models(), ", ") + ".",
		Example: `  docket projections verify
  docket projections verify --projection tasks --tenant acme --repair
  docket projections verify --json | jq -c 'select(.kind)'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v := &verifying{out: bufio.NewWriter(p.stdout), failures: p.stderr, json: r.json}
			return p.compare(c, r, v.with(repair), v)
		},
	}
	r.flags(c, p)
	c.Flags().BoolVar(&repair, "repair", false, "have the fresh rows take the place of those that differ")
	cli.JSONFlag(c, &r.json, "one JSON object for each row that differs, and one with the totals")
	return c
}

// comparison tells what a verification finds, and in the end its exit status by an
// error.
type comparison interface {
	begin(names *tenantNames)
	end() error
}

// compare verifies, and tells by to.
func (p *program) compare(c *cobra.Command, r rebuilding, v projections.Verification, to comparison) error {
	if err := r.check(); err != nil {
		return err
	}
	return p.besideWith(c, r.conns(), func(ctx context.Context, pools *pools) error {
		chosen, err := r.chosen(ctx, pools)
		if err != nil {
			return err
		}
		to.begin(&tenantNames{ctx: ctx, queries: projections.NewQueries(pools.API, nil)})
		err = r.rebuilder(p, c, pools).Verify(ctx, chosen, r.models, v)
		var (
			failure *projections.VerifyError
			left    *projections.OldRowsError
			gone    *projections.UnreachableError
		)
		if errors.As(err, &gone) {
			_ = to.end() // what was found is written; the rest isn't known
			return gone
		}
		if err != nil && (ctx.Err() != nil || !errors.As(err, &failure) && !errors.As(err, &left)) {
			return err
		}
		return to.end()
	})
}

// verifying writes what a verification finds as it is found.
type verifying struct {
	out      *bufio.Writer
	failures io.Writer
	json     bool
	names    *tenantNames
	began    time.Time
	// tenants are counted; those of one are told one after the other by each worker, so
	// which have been told has to be kept.
	tenants map[domain.TenantID]bool
	totals  verified
	// broken is why nothing more can be written.
	broken error
}

// differingRow is what a machine reads of a row that differs.
type differingRow struct {
	TenantID   domain.TenantID    `json:"tenant_id"`
	Tenant     string             `json:"tenant"`
	Projection string             `json:"projection"`
	Key        string             `json:"key"`
	Kind       projections.Kind   `json:"kind"`
	Columns    []differingColumns `json:"columns"`
}

// differingColumns has null for the side that lacks the row.
type differingColumns struct {
	Column string          `json:"column"`
	Live   json.RawMessage `json:"live"`
	Fresh  json.RawMessage `json:"fresh"`
}

// unverified is what a machine reads of a read model that couldn't be compared.
type unverified struct {
	TenantID   domain.TenantID `json:"tenant_id"`
	Tenant     string          `json:"tenant"`
	Projection string          `json:"projection"`
	// OldRows: it could, and was repaired, and only the rows from before are still there.
	OldRows bool   `json:"old_rows_left,omitempty"`
	Error   string `json:"error"`
}

// verified is the last line that a machine reads.
type verified struct {
	Tenants int `json:"tenants"`
	// Verified, Differing, Repaired and Failed count read models of tenants, and OldRows
	// those repaired ones whose old rows are still there.
	Verified  int   `json:"verified"`
	Differing int   `json:"differing"`
	Repaired  int   `json:"repaired"`
	OldRows   int   `json:"old_rows"`
	Failed    int   `json:"failed"`
	Rows      int64 `json:"rows"`
	// DifferingRows is how many of them differ.
	DifferingRows int64 `json:"differing_rows"`
	// Took is in milliseconds.
	Took int64 `json:"took_ms"`
}

// with is what the verification tells it.
func (v *verifying) with(repair bool) projections.Verification {
	return projections.Verification{Repair: repair, Difference: v.difference, Verdict: v.verdict}
}

func (v *verifying) begin(names *tenantNames) {
	v.names, v.began, v.tenants = names, time.Now(), map[domain.TenantID]bool{}
}

func (v *verifying) difference(d projections.Difference) {
	name := v.names.name(d.Tenant)
	if v.json {
		row := differingRow{TenantID: d.Tenant, Tenant: name, Projection: d.Model, Key: d.Key, Kind: d.Kind}
		for _, c := range d.Columns {
			row.Columns = append(row.Columns, differingColumns{c.Name, c.Live, c.Fresh})
		}
		v.keep(cli.WriteJSON(v.out, row))
		return
	}
	_, err := fmt.Fprintf(v.out, "%s  %s  %s  %s\n", cli.Printable(name), d.Model, cli.Printable(d.Key), describe(d))
	v.keep(err)
}

// describe tells people in what a row differs.
func describe(d projections.Difference) string {
	switch d.Kind {
	case projections.Missing:
		return "missing: the events have it"
	case projections.Extra:
		return "extra: no event makes it"
	}
	var columns []string
	for _, c := range d.Columns {
		columns = append(columns, fmt.Sprintf("%s %s, should be %s", c.Name, brieflyJSON(c.Live), brieflyJSON(c.Fresh)))
	}
	return "changed: " + strings.Join(columns, "; ")
}

// brieflyMost is how wide a value is shown.
const brieflyMost = 60

// brieflyJSON is a value for people: short, and nothing that a terminal obeys.
func brieflyJSON(value json.RawMessage) string {
	return cli.Truncate(cli.OneLine(cli.Printable(string(value))), brieflyMost)
}

func (v *verifying) verdict(d projections.Verdict) {
	v.tenants[d.Tenant] = true
	v.totals.Rows += d.Rows
	v.totals.DifferingRows += d.Differing
	if d.Differing > 0 {
		v.totals.Differing++
	}
	if d.Repaired {
		v.totals.Repaired++
	}
	var left *projections.OldRowsError
	if errors.As(d.Err, &left) {
		v.totals.OldRows++
	}
	if d.Err != nil && left == nil {
		v.totals.Failed++
	} else {
		v.totals.Verified++
	}
	name := v.names.name(d.Tenant)
	if v.json {
		if d.Err != nil {
			v.keep(cli.WriteJSON(v.out, unverified{TenantID: d.Tenant, Tenant: name, Projection: d.Model, OldRows: left != nil, Error: whyNot(d.Err)}))
		}
		v.keep(v.out.Flush())
		return
	}
	if d.Differing > 0 {
		repaired := ""
		if d.Repaired {
			repaired = ", repaired"
		}
		_, err := fmt.Fprintf(v.out, "%s  %s  %d of %d rows differ%s\n", cli.Printable(name), d.Model, d.Differing, d.Rows, repaired)
		v.keep(err)
	}
	v.keep(v.out.Flush())
	switch {
	case left != nil:
		fmt.Fprintf(v.failures, "%s  %s  %s: %s\n", cli.Printable(name), d.Model, oldRowsLeft, whyNot(d.Err))
	case d.Err != nil && whyNot(d.Err) == interrupted:
		fmt.Fprintf(v.failures, "%s  %s  %s\n", cli.Printable(name), d.Model, interrupted)
	case d.Err != nil:
		fmt.Fprintf(v.failures, "%s  %s  failed: %s\n", cli.Printable(name), d.Model, whyNot(d.Err))
	}
}

// whyNot is why one read model couldn't be compared, without what the line says anyway.
func whyNot(err error) string {
	var failure *projections.VerifyError
	if errors.As(err, &failure) {
		err = failure.Cause
	}
	return reason(err)
}

// unwritten reports whether an error of writing is the worst that can be said. That who
// reads the output has gone away isn't: the exit status is told another way.
func unwritten(err error) bool { return err != nil && !errors.Is(err, syscall.EPIPE) }

// keep remembers the first error of writing.
func (v *verifying) keep(err error) {
	if v.broken == nil {
		v.broken = err
	}
}

// end tells the totals, and what the exit status says.
func (v *verifying) end() error {
	took := time.Since(v.began)
	t := &v.totals
	t.Tenants, t.Took = len(v.tenants), took.Milliseconds()
	if v.json {
		v.keep(cli.WriteJSON(v.out, t))
	} else {
		_, err := fmt.Fprintf(v.out, "verified %d read models of %d tenants in %s: %d rows, %d differ", t.Verified, t.Tenants,
			took.Round(time.Millisecond), t.Rows, t.DifferingRows)
		v.keep(err)
		if t.Repaired > 0 {
			_, err = fmt.Fprintf(v.out, "; repaired %d read models", t.Repaired)
			v.keep(err)
		}
		_, err = fmt.Fprintln(v.out)
		v.keep(err)
	}
	v.keep(v.out.Flush())
	switch {
	case unwritten(v.broken):
		return v.broken
	case t.Failed > 0:
		return fmt.Errorf("%d read models couldn't be verified", t.Failed)
	case t.Differing > 0:
		return cli.ErrNo
	}
	return v.broken
}
