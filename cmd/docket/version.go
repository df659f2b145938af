package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"docket/internal/cli"
	"docket/migrations"
	"docket/projections"

	"github.com/spf13/cobra"
)

// apiVersion is the version of the HTTP contract in openapi.json, not the program's: a
// release that changes no route leaves the document as it is.
const apiVersion = "1.0.0"

func (p *program) versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: `Print the version of this docket. With --json also the commit it was built from, the
version of its schema, and the fold versions of its read models: a read model whose
rows are of another version is rebuilt.`,
		Example: `  docket version
  docket version --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b, err := readBuild()
			if err != nil {
				return err
			}
			if asJSON {
				return cli.WriteJSON(p.stdout, b)
			}
			_, err = fmt.Fprintf(p.stdout, "docket %s (API %s, schema %d, %s %s)\n", b.Version, b.API, b.Schema, b.Go, b.Platform)
			return err
		},
	}
	cli.JSONFlag(c, &asJSON, "one JSON object")
	return c
}

// build describes this program. Commit, CommitTime and Modified are absent if it wasn't
// built from a checkout.
type build struct {
	Version    string         `json:"version"`
	Commit     string         `json:"commit,omitempty"`
	CommitTime *time.Time     `json:"commit_time,omitempty"`
	Modified   *bool          `json:"modified,omitempty"`
	Go         string         `json:"go"`
	Platform   string         `json:"platform"`
	API        string         `json:"api"`
	Schema     int64          `json:"schema"`
	Folds      map[string]int `json:"folds"`
}

func readBuild() (build, error) {
	schema, err := migrations.Target()
	b := build{
		Version: version(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		API: apiVersion, Schema: schema, Folds: projections.FoldVersions(),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			b.stamp(s.Key, s.Value)
		}
	}
	return b, err
}

// stamp takes a setting that the go command has recorded of the checkout.
func (b *build) stamp(key, value string) {
	switch key {
	case "vcs.revision":
		b.Commit = value
	case "vcs.time":
		if at, err := time.Parse(time.RFC3339, value); err == nil {
			b.CommitTime = &at
		}
	case "vcs.modified":
		if modified, err := strconv.ParseBool(value); err == nil {
			b.Modified = &modified
		}
	}
}

// version is that of the module, or of the checkout that the program was built from;
// "devel" without either.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
