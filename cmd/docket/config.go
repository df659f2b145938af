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
		Short: "Say what the settings are, and whether serve can start with them",
		Long: `Read all settings as serve does, and say what each is and where it comes from: a
flag, the environment, or the default. Of secrets, and of URLs that may hold a
password, it says only whether they are set.

Then try what can be tried without changing anything: keys, networks and URLs; that
the database can be reached and is fit for docket, its schema, the roles of its
logins; without DATABASE_URL the data directory. Nothing is started, made, migrated
or listened on. What it finds is one line each.

Exit status: 0 serve can start, 1 a setting is wrong or the database isn't fit, 2 it
couldn't be found out, as when nobody answers at DATABASE_URL.`,
		Example: `  docket config check
  docket config check --addr :9000 --egress-allow 10.1.0.0/16
  docket config check --json | jq '.checks[] | select(.result != "ok")'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r := p.checkConfig(c)
			var err error
			if asJSON {
				err = cli.WriteJSON(p.stdout, r)
			} else {
				err = r.write(p.screen())
			}
			if err == nil {
				err = r.verdict()
			}
			return err
		},
	}
	serveFlags(c)
	cli.JSONFlag(c, &asJSON, "one JSON object")
	return c
}

// configReport is what config check found.
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

// setting is one of them, and where it comes from.
type setting struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	Set    bool   `json:"set"`
	Secret bool   `json:"secret"`
	// Value is absent for a secret.
	Value *string `json:"value,omitempty"`
}

// result is how a check came out.
type result string

const (
	good    result = "ok"
	doubt   result = "warning" // serve can start, and says so too
	bad     result = "problem"
	unknown result = "unknown" // it couldn't be found out
)

// finding is what one check found. Name is a setting's where it is about one.
type finding struct {
	Name   string `json:"name"`
	Result result `json:"result"`
	Detail string `json:"detail"`
}

// reportSettings lists all settings, in the order of their struct. What can't be
// read stands as it was written.
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
			value = written(values.Field(i))
		}
		if !one.Secret {
			one.Value = &value
		}
		out = append(out, one)
	}
	return out
}

// written is a value as one would set it.
func written(v reflect.Value) string {
	if list, ok := v.Interface().([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(v.Interface())
}

// shown is a setting's value for people.
func (s setting) shown() string {
	switch {
	case s.Secret && s.Set:
		return "set"
	case s.Secret, *s.Value == "":
		return "-"
	}
	return *s.Value
}

func (r configReport) write(to cli.Screen) error {
	// The value last, since it may be long.
	t := &cli.Table{Screen: to, Columns: []cli.Column{{Title: "SETTING"}, {Title: "SOURCE"}, {Title: "VALUE", Wrap: true}}}
	var rows [][]cli.Cell
	for _, s := range r.Settings {
		rows = append(rows, []cli.Cell{{Text: s.Name}, {Text: s.Source}, {Text: s.shown()}})
	}
	if err := t.Write(rows); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(to); err != nil {
		return err
	}
	t = &cli.Table{Screen: to, Columns: []cli.Column{{Title: "RESULT"}, {Title: "CHECK"}, {Title: "FOUND", Wrap: true}}}
	colours := map[result]cli.Style{good: cli.Green, doubt: cli.Yellow, bad: cli.Red, unknown: cli.Yellow}
	rows = nil
	for _, f := range r.Checks {
		rows = append(rows, []cli.Cell{{Text: string(f.Result), Style: colours[f.Result]}, {Text: f.Name}, {Text: f.Detail}})
	}
	return t.Write(rows)
}

// verdict is the exit status: a problem weighs more than what isn't known.
func (r configReport) verdict() error {
	if r.OK {
		return nil
	}
	unsure := 0
	for _, f := range r.Checks {
		switch f.Result {
		case bad:
			return cli.ErrNo
		case unknown:
			unsure++
		}
	}
	return fmt.Errorf("not everything could be checked: %d of %d unknown", unsure, len(r.Checks))
}
