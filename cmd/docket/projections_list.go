package main

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/cli"
	"docket/projections"

	"github.com/spf13/cobra"
)

func (p *program) projectionsListCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List all subscriptions and their lag",
		Long: `List all subscriptions, which are the read models, the notifications and the renames:
the number of tenant logs, the platform's among them; how many of them have events that
the subscription has not handled, how many events, and the age of the oldest; the
generations that queries read; this docket's fold version, and in how many tenants
another version fills the rows. Then tables of what is ahead of its log, which has
lost events; of what is parked, with the failing event and its error, of the events that operators had skipped, of the builds that run, and of
those that failed in the background: they are tried again, and queries read the old
rows meanwhile.

A narrow terminal drops columns; with --json each subscription is one line with
everything.`,
		Example: `  docket projections list
  docket projections list --json | jq -c .parked[]`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.listProjections(c, asJSON) },
	}
	cli.JSONFlag(c, &asJSON, "one JSON object a subscription")
	return c
}

// subscriptionNames are all subscriptions: the read models in the order of a rebuild,
// then the others.
func subscriptionNames() []string {
	names := projections.Models()
	for _, name := range slices.Sorted(maps.Keys(subscriptions(nil))) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// projectionLine is a subscription for machines.
type projectionLine struct {
	Projection string `json:"projection"`
	// ReadModel says that it can be rebuilt.
	ReadModel     bool  `json:"read_model"`
	Tenants       int   `json:"tenants"`
	BehindTenants int   `json:"behind_tenants"`
	LagEvents     int64 `json:"lag_events"`
	// LagSeconds is the age of the oldest event that it has not handled.
	LagSeconds float64 `json:"lag_seconds"`
	// FoldVersion is this docket's; null if it is no read model.
	FoldVersion *int             `json:"fold_version"`
	Generations []generationLine `json:"generations"`
	// Ahead are the tenants whose log has lost events that the subscription has handled.
	Ahead    []aheadLine    `json:"ahead"`
	Parked   []parkedLine   `json:"parked"`
	Skipped  []skippedLine  `json:"skipped"`
	Building []buildingLine `json:"building"`
	// FailedBuilds are tried again.
	FailedBuilds []failedBuildLine `json:"failed_builds"`
}

type generationLine struct {
	Generation int `json:"generation"`
	// FoldVersion is that of its rows; null before the first row and if it is no read
	// model.
	FoldVersion *int `json:"fold_version"`
	Tenants     int  `json:"tenants"`
}

type buildingLine struct {
	TenantID    domain.TenantID `json:"tenant_id"`
	Tenant      string          `json:"tenant"`
	Generation  int             `json:"generation"`
	FoldVersion int             `json:"fold_version"`
	Seq         int64           `json:"seq"`
	Head        int64           `json:"head"`
	By          string          `json:"by"`
	Since       time.Time       `json:"since"`
}

type failedBuildLine struct {
	TenantID    domain.TenantID `json:"tenant_id"`
	Tenant      string          `json:"tenant"`
	Generation  int             `json:"generation"`
	FoldVersion int             `json:"fold_version"`
	Seq         int64           `json:"seq"`
	Head        int64           `json:"head"`
	Attempts    int             `json:"attempts"`
	Since       time.Time       `json:"since"`
	Error       string          `json:"error"`
}

type aheadLine struct {
	TenantID domain.TenantID `json:"tenant_id"`
	Tenant   string          `json:"tenant"`
	Seq      int64           `json:"seq"`
	Head     int64           `json:"head"`
	Text     string          `json:"text"`
}

type parkedLine struct {
	TenantID  domain.TenantID `json:"tenant_id"`
	Tenant    string          `json:"tenant"`
	Seq       int64           `json:"seq"`
	Attempts  int             `json:"attempts"`
	Since     *time.Time      `json:"since"`
	NextRetry time.Time       `json:"next_retry"`
	Error     string          `json:"error"`
}

type skippedLine struct {
	TenantID domain.TenantID `json:"tenant_id"`
	Tenant   string          `json:"tenant"`
	Seq      int64           `json:"seq"`
	// Recorded is the seq of the event that records it.
	Recorded int64     `json:"recorded_seq"`
	At       time.Time `json:"at"`
	Operator string    `json:"operator"`
	Reason   string    `json:"reason"`
}

func newProjectionLine(s feed.Status, names *tenantNames) projectionLine {
	l := projectionLine{
		Projection: s.Subscription, Tenants: s.Tenants, BehindTenants: s.BehindTenants,
		LagEvents: s.Behind, LagSeconds: s.Lag.Seconds(),
		Generations: []generationLine{}, Ahead: []aheadLine{}, Parked: []parkedLine{}, Skipped: []skippedLine{}, Building: []buildingLine{},
		FailedBuilds: []failedBuildLine{},
	}
	if v, ok := projections.FoldVersions()[s.Subscription]; ok {
		l.ReadModel, l.FoldVersion = true, &v
	}
	for _, g := range s.Generations {
		line := generationLine{Generation: g.Number, Tenants: g.Tenants}
		if l.ReadModel && g.FoldVersion > 0 {
			line.FoldVersion = &g.FoldVersion
		}
		l.Generations = append(l.Generations, line)
	}
	for _, a := range s.Ahead {
		l.Ahead = append(l.Ahead, aheadLine{TenantID: a.Tenant, Tenant: names.name(a.Tenant), Seq: a.Seq, Head: a.Head, Text: a.Text})
	}
	for _, k := range s.Parked {
		line := parkedLine{
			TenantID: k.Tenant, Tenant: names.name(k.Tenant), Seq: k.Seq, Attempts: k.Attempts,
			NextRetry: k.RetryAt.UTC(), Error: k.Error,
		}
		if since := k.Since.UTC(); !since.IsZero() {
			line.Since = &since
		}
		l.Parked = append(l.Parked, line)
	}
	for _, k := range s.Skips {
		l.Skipped = append(l.Skipped, skippedLine{
			TenantID: k.Tenant, Tenant: names.name(k.Tenant), Seq: k.Seq, Recorded: k.Recorded,
			At: k.At.UTC(), Operator: k.Operator, Reason: k.Reason,
		})
	}
	for _, b := range s.Running {
		l.Building = append(l.Building, buildingLine{
			TenantID: b.Tenant, Tenant: names.name(b.Tenant), Generation: b.Generation, FoldVersion: b.FoldVersion,
			Seq: b.Seq, Head: b.Head, By: b.By, Since: b.Since.UTC(),
		})
	}
	for _, b := range s.FailedBuilds {
		l.FailedBuilds = append(l.FailedBuilds, failedBuildLine{
			TenantID: b.Tenant, Tenant: names.name(b.Tenant), Generation: b.Generation, FoldVersion: b.FoldVersion,
			Seq: b.Seq, Head: b.Head, Attempts: b.Attempts, Since: b.Since.UTC(), Error: b.Error,
		})
	}
	return l
}

func (p *program) listProjections(c *cobra.Command, asJSON bool) error {
	return p.withDatabase(c, func(ctx context.Context, pools *pools) error {
		names := newTenantNames(ctx, pools)
		var lines []projectionLine
		for _, name := range subscriptionNames() {
			s, err := feed.StatusOf(ctx, pools.Engine, name)
			if err != nil {
				return err
			}
			lines = append(lines, newProjectionLine(s, names))
		}
		if !asJSON {
			return printProjections(p.screen(), lines)
		}
		out := bufio.NewWriter(p.stdout)
		for _, l := range lines {
			if err := cli.WriteJSON(out, l); err != nil {
				return err
			}
		}
		return out.Flush()
	})
}

// printProjections writes for people: a table of all subscriptions, then tables of what
// needs attention.
func printProjections(s cli.Screen, lines []projectionLine) error {
	all := []cli.Column{
		{Title: "PROJECTION"}, {Title: "TENANTS", Right: true, Drop: 3}, {Title: "BEHIND", Right: true},
		{Title: "EVENTS", Right: true}, {Title: "LAG", Right: true}, {Title: "GENERATION", Right: true, Drop: 1},
		{Title: "FOLD", Right: true, Drop: 2}, {Title: "PARKED", Right: true},
	}
	ahead := []cli.Column{{Title: "AHEAD OF ITS LOG"}, {Title: "TENANT"}, {Title: "WHAT", Wrap: true}}
	parked := []cli.Column{
		{Title: "PARKED"}, {Title: "TENANT"}, {Title: "EVENT", Right: true}, {Title: "ATTEMPTS", Right: true, Drop: 2},
		{Title: "SINCE", Drop: 1}, {Title: "NEXT TRY", Drop: 3}, {Title: "ERROR", Wrap: true},
	}
	skipped := []cli.Column{
		{Title: "SKIPPED"}, {Title: "TENANT"}, {Title: "EVENT", Right: true}, {Title: "AT", Drop: 1},
		{Title: "OPERATOR"}, {Title: "REASON", Wrap: true},
	}
	building := []cli.Column{
		{Title: "BUILDING"}, {Title: "TENANT"}, {Title: "EVENTS", Right: true}, {Title: "OF", Right: true}, {Title: "FOLD", Right: true, Drop: 2},
		{Title: "SINCE", Drop: 1}, {Title: "BY", Wrap: true},
	}
	failed := []cli.Column{
		{Title: "BUILD FAILED"}, {Title: "TENANT"}, {Title: "EVENTS", Right: true}, {Title: "OF", Right: true}, {Title: "FOLD", Right: true, Drop: 3},
		{Title: "ATTEMPTS", Right: true, Drop: 2}, {Title: "SINCE", Drop: 1}, {Title: "ERROR", Wrap: true},
	}
	var rows, aheadRows, parkedRows, skippedRows, buildingRows, failedRows [][]cli.Cell
	for _, l := range lines {
		row := cli.Row(l.Projection, strconv.Itoa(l.Tenants), strconv.Itoa(l.BehindTenants), decimal(l.LagEvents),
			cli.Duration(time.Duration(l.LagSeconds*float64(time.Second))), l.generations(), l.fold(), strconv.Itoa(len(l.Parked)))
		if len(l.Parked) > 0 {
			row[len(row)-1].Style = cli.Red
		}
		rows = append(rows, row)
		for _, a := range l.Ahead {
			aheadRows = append(aheadRows, firstRed(cli.Row(l.Projection, a.Tenant, cli.OneLine(a.Text))))
		}
		for _, k := range l.Parked {
			since := ""
			if k.Since != nil {
				since = k.Since.Format(time.DateTime)
			}
			parkedRows = append(parkedRows, firstRed(cli.Row(l.Projection, k.Tenant, decimal(k.Seq), strconv.Itoa(k.Attempts),
				since, k.NextRetry.Format(time.DateTime), cli.OneLine(k.Error))))
		}
		for _, k := range l.Skipped {
			skippedRows = append(skippedRows, cli.Row(l.Projection, k.Tenant, decimal(k.Seq), k.At.Format(time.DateTime),
				k.Operator, cli.OneLine(k.Reason)))
		}
		for _, b := range l.Building {
			buildingRows = append(buildingRows, cli.Row(l.Projection, b.Tenant, decimal(b.Seq), decimal(b.Head),
				strconv.Itoa(b.FoldVersion), b.Since.Format(time.DateTime), cli.OneLine(b.By)))
		}
		for _, b := range l.FailedBuilds {
			failedRows = append(failedRows, firstRed(cli.Row(l.Projection, b.Tenant, decimal(b.Seq), decimal(b.Head),
				strconv.Itoa(b.FoldVersion), strconv.Itoa(b.Attempts), b.Since.Format(time.DateTime), cli.OneLine(b.Error))))
		}
	}
	if err := (&cli.Table{Screen: s, Columns: all}).Write(rows); err != nil {
		return err
	}
	for _, t := range []struct {
		columns []cli.Column
		rows    [][]cli.Cell
	}{{ahead, aheadRows}, {parked, parkedRows}, {skipped, skippedRows}, {building, buildingRows}, {failed, failedRows}} {
		if len(t.rows) == 0 {
			continue
		}
		if _, err := fmt.Fprintln(s); err != nil {
			return err
		}
		if err := (&cli.Table{Screen: s, Columns: t.columns}).Write(t.rows); err != nil {
			return err
		}
	}
	return nil
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// firstRed paints the first cell of a row red.
func firstRed(row []cli.Cell) []cli.Cell {
	row[0].Style = cli.Red
	return row
}

// fold is this docket's fold version, and in how many tenants another version fills the
// rows.
func (l projectionLine) fold() string {
	if l.FoldVersion == nil {
		return ""
	}
	text := strconv.Itoa(*l.FoldVersion)
	others := map[int]int{}
	for _, g := range l.Generations {
		if g.FoldVersion != nil && *g.FoldVersion != *l.FoldVersion {
			others[*g.FoldVersion] += g.Tenants
		}
	}
	for _, v := range slices.Sorted(maps.Keys(others)) {
		text += fmt.Sprintf(" (%d in %d)", v, others[v])
	}
	return text
}

// generations is the one that all tenants read, or the first and the last.
func (l projectionLine) generations() string {
	if len(l.Generations) == 0 {
		return ""
	}
	first, last := l.Generations[0].Generation, l.Generations[len(l.Generations)-1].Generation
	if first == last {
		return strconv.Itoa(first)
	}
	return strconv.Itoa(first) + "–" + strconv.Itoa(last)
}
