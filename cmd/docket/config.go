package main

import (
	"fmt"
	"reflect"
	"strings"

	"docket/internal/cli"

	"github.com/spf13/cobra"
)

func (p *program) configCommand() *cobra.Command {
	return cli.Group(&cobra.Command{
		Use: "config", Short: "The settings",
		Example: "  docket config check",
	}, p.configCheckCommand())
}

func (p *program) configCheckCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Print the settings, and check whether serve can start with them",
		Long: `Read all settings as serve does, and print the value of each and where it comes from:
a flag, the environment, or the default. Secrets, and URLs that may hold a password,
are only said to be set or not.

Then check what can be checked without a change: keys, networks and URLs; that the
database can be reached and suits docket, its schema, the roles of its logins; without
DATABASE_URL the data directory. Nothing is started, created, migrated or listened on.
Each check prints one line.

Exit status: 0 serve can start, 1 a setting is wrong or the database doesn't suit, 2
something couldn't be checked, as when no server answers at DATABASE_URL.`,
		Example: `  docket config check
  docket config check --addr :9000 --egress-allow 10.1.0.0/16
  docket config check --json | jq '.checks[] | select(.result != "ok")'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r := p.checkConfig(c)
			write := r.print
			if asJSON {
				write = func(to cli.Screen) error { return cli.WriteJSON(to, r) }
			}
			if err := write(p.screen()); err != nil {
				return err
			}
			return r.result()
		},
	}
	serveFlags(c)
	cli.JSONFlag(c, &asJSON, "one JSON object")
	return c
}

// configReport is the outcome of config check.
type configReport struct {
	OK       bool      `json:"ok"`
	Settings []setting `json:"settings"`
	Checks   []finding `json:"checks"`
}

// Where a setting's value comes from.
const (
	sourceFlag        = "flag"
	sourceEnvironment = "environment"
	sourceDefault     = "default"
)

// setting is one setting, and where it comes from.
type setting struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	Set    bool   `json:"set"`
	Secret bool   `json:"secret"`
	// Value is absent for a secret.
	Value *string `json:"value,omitempty"`
}

// result is the outcome of a check.
type result string

const (
	resultOK      result = "ok"
	resultWarning result = "warning" // serve can start, and warns too
	resultProblem result = "problem"
	resultUnknown result = "unknown" // the check couldn't be made
)

// finding is the outcome of one check. Name is the setting that it is about, if any.
type finding struct {
	Name   string `json:"name"`
	Result result `json:"result"`
	Detail string `json:"detail"`
}

// reportSettings lists all settings, in the order of their struct. A value that can't
// be parsed is listed as it was written.
func reportSettings(s settings, environ, flags map[string]string) []setting {
	vars := overridden(environ, flags)
	values := reflect.ValueOf(s)
	var out []setting
	for i := range values.NumField() {
		one := setting{Name: values.Type().Field(i).Tag.Get("env"), Source: sourceDefault}
		value, set := vars[one.Name]
		one.Set, one.Secret = set, secretVariable(one.Name)
		if set {
			one.Source = sourceEnvironment
			if _, byFlag := flags[one.Name]; byFlag {
				one.Source = sourceFlag
			}
		} else {
			value = settingText(values.Field(i))
		}
		if !one.Secret {
			one.Value = &value
		}
		out = append(out, one)
	}
	return out
}

// settingText is a value as an operator would write it.
func settingText(v reflect.Value) string {
	if list, ok := v.Interface().([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(v.Interface())
}

// display is a setting's value for people.
func (s setting) display() string {
	switch {
	case s.Secret && s.Set:
		return "set"
	case s.Secret, *s.Value == "":
		return "-"
	}
	return *s.Value
}

func (r configReport) print(to cli.Screen) error {
	t := &cli.Table{Screen: to, Columns: []cli.Column{{Title: "SETTING"}, {Title: "SOURCE"}, {Title: "VALUE", Wrap: true}}}
	var rows [][]cli.Cell
	for _, s := range r.Settings {
		rows = append(rows, cli.Row(s.Name, s.Source, s.display()))
	}
	if err := t.Write(rows); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(to); err != nil {
		return err
	}
	t = &cli.Table{Screen: to, Columns: []cli.Column{{Title: "RESULT"}, {Title: "CHECK"}, {Title: "FOUND", Wrap: true}}}
	colours := map[result]cli.Style{resultOK: cli.Green, resultWarning: cli.Yellow, resultProblem: cli.Red, resultUnknown: cli.Yellow}
	rows = nil
	for _, f := range r.Checks {
		rows = append(rows, []cli.Cell{{Text: string(f.Result), Style: colours[f.Result]}, {Text: f.Name}, {Text: f.Detail}})
	}
	return t.Write(rows)
}

// result is the error of the command: a problem outweighs what is unknown.
func (r configReport) result() error {
	if r.OK {
		return nil
	}
	unknown := 0
	for _, f := range r.Checks {
		switch f.Result {
		case resultProblem:
			return cli.ErrNo
		case resultUnknown:
			unknown++
		}
	}
	return fmt.Errorf("not everything could be checked: %d of %d unknown", unknown, len(r.Checks))
}
