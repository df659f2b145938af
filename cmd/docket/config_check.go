package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"docket/accounts"
	"docket/internal/cli"

	"github.com/spf13/cobra"
)

// configCheck collects findings.
type configCheck struct {
	settings         settings
	onUnsafePostgres bool // as in program
	findings         []finding
}

func (c *configCheck) add(name string, r result, detail string, args ...any) {
	c.findings = append(c.findings, finding{name, r, cli.OneLine(fmt.Sprintf(detail, args...))})
}

// addProblems adds errors, and reports whether there were any.
func (c *configCheck) addProblems(problems []error) bool {
	for _, err := range problems {
		name, detail := "settings", err.Error()
		var of *settingError
		if errors.As(err, &of) {
			name, detail = of.Name, of.Problem
		}
		c.add(name, resultProblem, "%s", detail)
	}
	return len(problems) > 0
}

// checkConfig reads the settings and checks them.
func (p *program) checkConfig(c *cobra.Command) configReport {
	flags := settingFlags(c)
	s, problems := inspectSettings(p.environ, flags, p.asRoot)
	check := &configCheck{settings: s, onUnsafePostgres: p.onUnsafePostgres}
	if !check.addProblems(append(problems, s.missingSecrets()...)) {
		check.add("settings", resultOK, "all can be read")
	}
	broken := map[string]bool{}
	for _, f := range check.findings {
		broken[f.Name] = f.Result == resultProblem
	}
	check.keys(broken)
	check.delivery(broken)
	ctx, cancel := context.WithTimeout(c.Context(), connectTimeout)
	defer cancel()
	switch {
	case broken["DATABASE_URL"] || broken["DOCKET_API_DATABASE_URL"] || broken["DOCKET_OWNER_DATABASE_URL"]:
		// The database isn't known.
	case s.DatabaseURL != "":
		check.database(ctx, givenDatabase(s))
	case s.DataDir != "":
		check.dataDir(ctx)
	}
	r := configReport{OK: true, Settings: reportSettings(s, p.environ, flags), Checks: check.findings}
	for _, f := range r.Checks {
		r.OK = r.OK && (f.Result == resultOK || f.Result == resultWarning)
	}
	return r
}

// keys says which signing key signs and which others verify. It reads the keys in the
// data directory and creates none.
func (c *configCheck) keys(broken map[string]bool) {
	s := c.settings
	for _, secret := range s.secrets() {
		switch {
		case broken[secret.variable]:
			continue
		case *secret.value != "":
		case s.DatabaseURL != "" || s.DataDir == "":
			switch secret.variable {
			case "DOCKET_SETUP_CODE":
				c.add(secret.variable, resultOK, "not set: the first owner has to register from the server's own machine")
			case "DOCKET_JWT_KEYS":
				c.signing(nil)
			}
			continue
		default:
			value, err := readSecret(filepath.Join(s.DataDir, keysDir), secret)
			switch {
			case errors.Is(err, fs.ErrNotExist) && secret.create == nil:
				c.signing(nil)
				continue
			case errors.Is(err, fs.ErrNotExist):
				c.add(secret.variable, resultOK, "serve creates one at its first start, in %s", filepath.Join(s.DataDir, keysDir))
				continue
			case errors.Is(err, fs.ErrPermission):
				c.add(secret.variable, resultUnknown, "this user may not read the one in %s", filepath.Join(s.DataDir, keysDir))
				continue
			case err != nil:
				c.add(secret.variable, resultProblem, "%v", err)
				continue
			}
			*secret.value = value
		}
		c.key(secret.variable, *secret.value)
	}
}

// key checks one secret, which may come from a file.
func (c *configCheck) key(variable, value string) {
	switch variable {
	case "DOCKET_JWT_KEYS":
		keys, err := parseSigningKeys(value)
		if err != nil {
			c.add(variable, resultProblem, "%v", err)
			return
		}
		c.signing(keys)
	case "DOCKET_MASTER_KEY":
		key, err := parseMasterKey(value)
		if err != nil {
			c.add(variable, resultProblem, "%v", err)
			return
		}
		c.add(variable, resultOK, "%d bytes", len(key))
	default:
		c.add(variable, resultOK, "it is set")
	}
}

// signing says which keys sign access tokens, and which of the configured ones verify.
func (c *configCheck) signing(configured []accounts.SigningKey) {
	details := []string{"a managed key signs (docket keys list)"}
	// The settings as given: a key of an earlier release, in its file, verifies only.
	if c.settings.sharedSecretSigns() && len(configured) > 0 {
		details = []string{fmt.Sprintf("key %q signs", configured[0].ID)}
		configured = configured[1:]
	}
	for _, k := range configured {
		details = append(details, fmt.Sprintf("%q verifies", k.ID))
	}
	c.add("DOCKET_JWT_KEYS", resultOK, "%s", strings.Join(details, ", "))
}

// delivery says where messages are sent.
func (c *configCheck) delivery(broken map[string]bool) {
	s := c.settings
	switch {
	case broken["DOCKET_SMTP_URL"]:
	case s.SMTPURL == "":
		c.add("DOCKET_SMTP_URL", resultOK, "not set: e-mail is written to the log")
	default:
		c.add("DOCKET_SMTP_URL", resultOK, "can be read; the mail server was not asked")
	}
	if networks, err := parseNetworks(s.EgressAllow); err == nil && len(networks) > 0 {
		var all []string
		for _, n := range networks {
			all = append(all, n.String())
		}
		c.add("DOCKET_EGRESS_ALLOW", resultOK, "webhooks may reach %s, and public networks by https", strings.Join(all, ", "))
	}
}
