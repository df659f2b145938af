package main

import (
	"bufio"
	"context"
	"errors"
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
		Short: "List all subscriptions and how far they are",
		Long: `List all subscriptions, which are those of the read models and those that notify and
carry names on: how many tenants' logs there are, the platform's among them; in how
many of them events are left, how many events, and how old the oldest of them is; the
generations that are read; this docket's version of the fold, and in how many tenants
another one fills the rows. Then what is parked, with the event that can't be handled
and why, what operators had them leave out, what is being built, and what couldn't be
built in the background, with why; that is tried again, and the old rows are read.

A narrow terminal leaves columns out; with --json each subscription is one line that
has everything.`,
		Example: `  docket projections list
  docket projections list --json | jq -c .parked[]`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.listProjections(c, asJSON) },
	}
	cli.JSONFlag(c, &asJSON, "one JSON object a subscription")
	return c
}

// subscriptionNames are all subscriptions: the read models in the order of their
// rebuilding, then the others.
func subscriptionNames() []string {
	names := projections.Models()
	for _, name := range slices.Sorted(maps.Keys(subscriptions(nil))) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// projectionLine is a subscription as a machine reads it.
type projectionLine struct {
	Projection string `json:"projection"`
	// ReadModel: it can be rebuilt.
	ReadModel     bool  `json:"read_model"`
	Tenants       int   `json:"tenants"`
	BehindTenants int   `json:"behind_tenants"`
	LagEvents     int64 `json:"lag_events"`
	// LagSeconds is the age of the oldest event that is left.
	LagSeconds float64 `json:"lag_seconds"`
	// FoldVersion is this docket's; null for what is no read model.
	FoldVersion *int             `json:"fold_version"`
	Generations []generationLine `json:"generations"`
	Parked      []parkedLine     `json:"parked"`
	Skipped     []skippedLine    `json:"skipped"`
	Building    []buildingLine   `json:"building"`
	// FailedBuilds are tried again.
	FailedBuilds []failedBuildLine `json:"failed_builds"`
}

type generationLine struct {
	Generation int `json:"generation"`
	// FoldVersion is that of the fold which fills it; null where nothing does yet, and for
	// what is no read model.
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
	// Recorded is the seq of the event that says so.
	Recorded int64     `json:"recorded_seq"`
	At       time.Time `json:"at"`
	Operator string    `json:"operator"`
	Reason   string    `json:"reason"`
}

func lineOfStanding(s feed.Status, names *tenantNames) projectionLine {
	l := projectionLine{
		Projection: s.Subscription, Tenants: s.Tenants, BehindTenants: s.BehindTenants,
		LagEvents: s.Behind, LagSeconds: s.Lag.Seconds(),
		Generations: []generationLine{}, Parked: []parkedLine{}, Skipped: []skippedLine{}, Building: []buildingLine{},
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
	return p.beside(c, func(ctx context.Context, pools *pools) error {
		names := &tenantNames{ctx: ctx, queries: projections.NewQueries(pools.API, nil)}
		var lines []projectionLine
		for _, name := range subscriptionNames() {
			s, err := feed.StatusOf(ctx, pools.Engine, name)
			if err != nil {
				return err
			}
			lines = append(lines, lineOfStanding(s, names))
		}
		if !asJSON {
			return writeStandings(p.screen(), lines)
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

// writeStandings is for people: a table of all, and tables of what wants somebody's eye.
func writeStandings(s cli.Screen, lines []projectionLine) error {
	all := &cli.Table{Screen: s, Columns: []cli.Column{
		{Title: "PROJECTION"}, {Title: "TENANTS", Right: true, Drop: 3}, {Title: "BEHIND", Right: true},
		{Title: "EVENTS", Right: true}, {Title: "LAG", Right: true}, {Title: "GENERATION", Right: true, Drop: 1},
		{Title: "FOLD", Right: true, Drop: 2}, {Title: "PARKED", Right: true},
	}}
	parked := &cli.Table{Screen: s, Columns: []cli.Column{
		{Title: "PARKED"}, {Title: "TENANT"}, {Title: "EVENT", Right: true}, {Title: "ATTEMPTS", Right: true, Drop: 2},
		{Title: "SINCE", Drop: 1}, {Title: "NEXT TRY", Drop: 3}, {Title: "ERROR", Wrap: true},
	}}
	skipped := &cli.Table{Screen: s, Columns: []cli.Column{
		{Title: "SKIPPED"}, {Title: "TENANT"}, {Title: "EVENT", Right: true}, {Title: "AT", Drop: 1},
		{Title: "OPERATOR"}, {Title: "REASON", Wrap: true},
	}}
	building := &cli.Table{Screen: s, Columns: []cli.Column{
		{Title: "BUILDING"}, {Title: "TENANT"}, {Title: "EVENTS", Right: true}, {Title: "OF", Right: true}, {Title: "FOLD", Right: true, Drop: 2},
		{Title: "SINCE", Drop: 1}, {Title: "BY", Wrap: true},
	}}
	failed := &cli.Table{Screen: s, Columns: []cli.Column{
		{Title: "BUILD FAILED"}, {Title: "TENANT"}, {Title: "EVENTS", Right: true}, {Title: "OF", Right: true}, {Title: "FOLD", Right: true, Drop: 3},
		{Title: "ATTEMPTS", Right: true, Drop: 2}, {Title: "SINCE", Drop: 1}, {Title: "ERROR", Wrap: true},
	}}
	var rows, parkedRows, skippedRows, buildingRows, failedRows [][]cli.Cell
	for _, l := range lines {
		style := cli.Plain
		if len(l.Parked) > 0 {
			style = cli.Red
		}
		rows = append(rows, []cli.Cell{
			{Text: l.Projection}, {Text: strconv.Itoa(l.Tenants)}, {Text: strconv.Itoa(l.BehindTenants)},
			{Text: strconv.FormatInt(l.LagEvents, 10)}, {Text: cli.Duration(time.Duration(l.LagSeconds * float64(time.Second)))},
			{Text: l.generations()}, {Text: l.fold()}, {Text: strconv.Itoa(len(l.Parked)), Style: style},
		})
		for _, k := range l.Parked {
			since := ""
			if k.Since != nil {
				since = k.Since.Format(time.DateTime)
			}
			parkedRows = append(parkedRows, []cli.Cell{
				{Text: l.Projection, Style: cli.Red}, {Text: k.Tenant}, {Text: strconv.FormatInt(k.Seq, 10)}, {Text: strconv.Itoa(k.Attempts)},
				{Text: since}, {Text: k.NextRetry.Format(time.DateTime)}, {Text: cli.OneLine(k.Error)},
			})
		}
		for _, k := range l.Skipped {
			skippedRows = append(skippedRows, []cli.Cell{
				{Text: l.Projection}, {Text: k.Tenant}, {Text: strconv.FormatInt(k.Seq, 10)}, {Text: k.At.Format(time.DateTime)},
				{Text: k.Operator}, {Text: cli.OneLine(k.Reason)},
			})
		}
		for _, b := range l.Building {
			buildingRows = append(buildingRows, []cli.Cell{
				{Text: l.Projection}, {Text: b.Tenant}, {Text: strconv.FormatInt(b.Seq, 10)}, {Text: strconv.FormatInt(b.Head, 10)},
				{Text: strconv.Itoa(b.FoldVersion)}, {Text: b.Since.Format(time.DateTime)}, {Text: cli.OneLine(b.By)},
			})
		}
		for _, b := range l.FailedBuilds {
			failedRows = append(failedRows, []cli.Cell{
				{Text: l.Projection, Style: cli.Red}, {Text: b.Tenant}, {Text: strconv.FormatInt(b.Seq, 10)}, {Text: strconv.FormatInt(b.Head, 10)},
				{Text: strconv.Itoa(b.FoldVersion)}, {Text: strconv.Itoa(b.Attempts)}, {Text: b.Since.Format(time.DateTime)}, {Text: cli.OneLine(b.Error)},
			})
		}
	}
	err := all.Write(rows)
	for _, more := range []struct {
		*cli.Table
		rows [][]cli.Cell
	}{{parked, parkedRows}, {skipped, skippedRows}, {building, buildingRows}, {failed, failedRows}} {
		if len(more.rows) > 0 {
			_, blank := s.Write([]byte("\n"))
			err = errors.Join(err, blank, more.Write(more.rows))
		}
	}
	return err
}

// fold is this docket's version of the fold, and in how many tenants another one fills
// the rows.
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

// generations is the one that is read in all tenants, or the first and the last.
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
