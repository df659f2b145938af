package main

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// variables are the names of all settings, sorted.
var variables = func() []string {
	var names []string
	for f := range reflect.TypeFor[settings]().Fields() {
		names = append(names, f.Tag.Get("env"))
	}
	slices.Sort(names)
	return names
}()

// flagFor is the flag that overrides a variable. Secrets, and URLs that may hold a
// password, have none.
var flagFor = map[string]string{
	"DOCKET_DATA_DIR":      "--data-dir",
	"DOCKET_LOG_FORMAT":    "--log-format",
	"DOCKET_LOG_LEVEL":     "--log-level",
	"DOCKET_ADDR":          "--addr",
	"DOCKET_OPS_ADDR":      "--ops-addr",
	"DOCKET_MIGRATE":       "--migrate",
	"DOCKET_DATABASE_WAIT": "--database-wait",
	"DOCKET_ISSUER":        "--issuer",
	"DOCKET_JWT_ALGORITHM": "--jwt-algorithm",
	"DOCKET_EGRESS_ALLOW":  "--egress-allow",

	"DOCKET_REGISTRATION":     "--registration",
	"DOCKET_TENANT_CREATION":  "--tenant-creation",
	"DOCKET_TENANTS_PER_USER": "--tenants-per-user",

	"DOCKET_PUBLIC_URL":          "--public-url",
	"DOCKET_SMTP_FROM_DOMAINS":   "--smtp-from-domains",
	"DOCKET_DELIVERIES_PER_HOUR": "--deliveries-per-hour",
	"DOCKET_DELIVERIES_PER_DAY":  "--deliveries-per-day",

	"DOCKET_TRUSTED_PROXIES":      "--trusted-proxies",
	"DOCKET_CORS_ORIGINS":         "--cors-origins",
	"DOCKET_REQUESTS_PER_ADDRESS": "--requests-per-address",
	"DOCKET_REQUESTS_PER_USER":    "--requests-per-user",
	"DOCKET_REQUESTS_PER_TENANT":  "--requests-per-tenant",

	"DOCKET_WRONG_LOGINS":             "--wrong-logins",
	"DOCKET_WRONG_LOGINS_PER_ACCOUNT": "--wrong-logins-per-account",
	"DOCKET_WRONG_LOGINS_PER_ADDRESS": "--wrong-logins-per-address",
	"DOCKET_NEW_USERS_PER_ADDRESS":    "--new-users-per-address",

	"DOCKET_KEEP_SESSIONS":       "--keep-sessions",
	"DOCKET_KEEP_REFRESH_TOKENS": "--keep-refresh-tokens",
	"DOCKET_KEEP_DELIVERIES":     "--keep-deliveries",
	"DOCKET_KEEP_NOTIFICATIONS":  "--keep-notifications",
	"DOCKET_KEEP_SECRETS":        "--keep-secrets",
	"DOCKET_KEEP_MAILS":          "--keep-mails",
}

// serviceLink are the variables that Kubernetes sets in every pod of a
// namespace that has a Service called docket.
var serviceLink = regexp.MustCompile(`^DOCKET_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT|PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)$`)

// secretVariable reports whether a value must never be printed.
func secretVariable(name string) bool {
	_, hasFlag := flagFor[name]
	return !hasFlag
}

// refuseUnknown refuses DOCKET_ variables that are no settings: each is a typing error,
// and the server would ignore what the operator meant.
func refuseUnknown(vars map[string]string) (problems []error) {
	_, inKubernetes := vars["KUBERNETES_SERVICE_HOST"]
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		switch {
		case !strings.HasPrefix(name, "DOCKET_") || slices.Contains(variables, name):
		case strings.HasPrefix(name, "DOCKET_TEST_"): // the tests'
		case inKubernetes && serviceLink.MatchString(name):
		default:
			problem := "is no setting of docket"
			if near := nearest(name); near != "" {
				problem += " (did you mean " + near + "?)"
			}
			problems = append(problems, &settingError{name, problem})
		}
	}
	return problems
}

// nearest is the setting most similar to a mistyped name; empty if none is similar.
func nearest(name string) string {
	best, least := "", 4
	for _, v := range variables {
		if d := distance(name, v); d < least {
			best, least = v, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
