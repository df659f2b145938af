package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"docket/accounts"
	"docket/commands"
	"docket/httpapi/edge"
	"docket/internal/postgres"
	"docket/notify"

	"github.com/caarlos0/env/v11"
	"github.com/jackc/pgx/v5"
)

// maxDeliveries is the highest limit of messages that can be set.
const maxDeliveries = 1_000_000

// maxRequests is the highest limit of requests that can be set.
const maxRequests = 1_000_000

// minKeep is the least time that rows can be kept.
const minKeep = time.Hour

// Who creates tenants.
const (
	createdByAnyone    = "anyone"
	createdByOperators = "operators"
)

// The algorithms of access tokens.
const (
	algEdDSA = "EdDSA"
	algHS256 = "HS256"
)

// minKey is the least length of a secret key, in bytes.
const minKey = 32

// settings are environment variables. Flags override those that are no secrets: other
// users can read a command line.
type settings struct {
	// The engine's login; empty: a private Postgres in DataDir.
	DatabaseURL string `env:"DATABASE_URL"`
	// The owner's login, for migrations; empty: DatabaseURL.
	OwnerDatabaseURL string `env:"DOCKET_OWNER_DATABASE_URL"`
	// The login that reads; empty: DatabaseURL.
	APIDatabaseURL string `env:"DOCKET_API_DATABASE_URL"`
	DataDir        string `env:"DOCKET_DATA_DIR"`
	Migrate        bool   `env:"DOCKET_MIGRATE"`
	// How long serve waits for a Postgres that isn't there yet.
	DatabaseWait time.Duration `env:"DOCKET_DATABASE_WAIT" envDefault:"30s"`

	Addr string `env:"DOCKET_ADDR" envDefault:"127.0.0.1:8000"`
	// The address of metrics and profiles; empty: none.
	OpsAddr string `env:"DOCKET_OPS_ADDR"`
	Issuer  string `env:"DOCKET_ISSUER" envDefault:"docket"`
	// JWTAlgorithm signs access tokens: EdDSA with the managed keys, or HS256 with the first
	// of JWTKeys; empty: HS256 where JWTKeys is set.
	JWTAlgorithm string `env:"DOCKET_JWT_ALGORITHM"`

	// Who may register, who may create tenants, and how many a user may own who creates one
	// (0: any number).
	Registration   string `env:"DOCKET_REGISTRATION" envDefault:"local"`
	TenantCreation string `env:"DOCKET_TENANT_CREATION" envDefault:"anyone"`
	TenantsPerUser int    `env:"DOCKET_TENANTS_PER_USER" envDefault:"100"`

	LogFormat string `env:"DOCKET_LOG_FORMAT"`
	LogLevel  string `env:"DOCKET_LOG_LEVEL" envDefault:"info"`

	// The mail server; empty: e-mail is written to the log.
	SMTPURL string `env:"DOCKET_SMTP_URL"`
	// PublicURL begins the links in mails of accounts; empty: they aren't sent.
	PublicURL string `env:"DOCKET_PUBLIC_URL"`
	// Domains of tenants' addresses that e-mail may come from.
	SMTPFromDomains []string `env:"DOCKET_SMTP_FROM_DOMAINS"`
	// How many messages of one channel a tenant may send to one recipient; 0: any number.
	DeliveriesPerHour int `env:"DOCKET_DELIVERIES_PER_HOUR" envDefault:"30"`
	DeliveriesPerDay  int `env:"DOCKET_DELIVERIES_PER_DAY" envDefault:"200"`
	// Networks that tenants' webhooks may reach beside the public ones.
	EgressAllow []string `env:"DOCKET_EGRESS_ALLOW"`

	// Networks of the proxies that are trusted to name the client's address.
	TrustedProxies []string `env:"DOCKET_TRUSTED_PROXIES"`
	// Origins whose pages may read answers in a browser.
	CORSOrigins []string `env:"DOCKET_CORS_ORIGINS"`
	// How many requests a second each may make, of one replica; 0: any number.
	RequestsPerAddress int `env:"DOCKET_REQUESTS_PER_ADDRESS" envDefault:"5000"`
	RequestsPerUser    int `env:"DOCKET_REQUESTS_PER_USER" envDefault:"3000"`
	RequestsPerTenant  int `env:"DOCKET_REQUESTS_PER_TENANT" envDefault:"5000"`

	// How often signing in may fail in 15 minutes: of an account from one address, from all
	// new addresses, of an address; and how many may register from an address. 0: any number.
	WrongLogins             int `env:"DOCKET_WRONG_LOGINS" envDefault:"10"`
	WrongLoginsPerAccount   int `env:"DOCKET_WRONG_LOGINS_PER_ACCOUNT" envDefault:"50"`
	WrongLoginsPerAddress   int `env:"DOCKET_WRONG_LOGINS_PER_ADDRESS" envDefault:"200"`
	RegistrationsPerAddress int `env:"DOCKET_NEW_USERS_PER_ADDRESS" envDefault:"2000"`

	// How long rows are kept that are no longer needed; 0: for ever.
	KeepSessions      time.Duration `env:"DOCKET_KEEP_SESSIONS" envDefault:"168h"`
	KeepRefreshTokens time.Duration `env:"DOCKET_KEEP_REFRESH_TOKENS" envDefault:"168h"`
	KeepDeliveries    time.Duration `env:"DOCKET_KEEP_DELIVERIES" envDefault:"720h"`
	KeepNotifications time.Duration `env:"DOCKET_KEEP_NOTIFICATIONS" envDefault:"2160h"`
	KeepSecrets       time.Duration `env:"DOCKET_KEEP_SECRETS" envDefault:"168h"`
	KeepMails         time.Duration `env:"DOCKET_KEEP_MAILS" envDefault:"168h"`

	// The secrets as written; secrets.go completes and parses them.
	JWTKeys   string `env:"DOCKET_JWT_KEYS"`
	MasterKey string `env:"DOCKET_MASTER_KEY"`
	SetupCode string `env:"DOCKET_SETUP_CODE"`
}

// settingError says what is wrong with one setting, without the value of a secret.
type settingError struct {
	// Name is the environment variable, or the flag that overrode it.
	Name    string
	Problem string
}

func (e *settingError) Error() string { return e.Name + " " + e.Problem }

// readSettings is inspectSettings for a caller that needs valid settings: the error is
// the first problem.
func readSettings(environ, flags map[string]string, asRoot bool) (settings, error) {
	s, problems := inspectSettings(environ, flags, asRoot)
	if len(problems) > 0 {
		return s, problems[0]
	}
	return s, nil
}

// inspectSettings reads the environment; flags, by the variables that they override,
// take precedence. asRoot decides the default data directory. It returns all problems,
// each a *settingError.
func inspectSettings(environ, flags map[string]string, asRoot bool) (s settings, problems []error) {
	vars := overridden(environ, flags)
	wrong := func(name, problem string, args ...any) {
		if _, byFlag := flags[name]; byFlag {
			name = flagFor[name]
		}
		problems = append(problems, &settingError{name, fmt.Sprintf(problem, args...)})
	}
	problems = refuseUnknown(vars)
	if err := env.ParseWithOptions(&s, env.Options{Environment: vars}); err != nil {
		parseProblem(err, wrong)
	}
	if s.DataDir == "" {
		s.DataDir = defaultDataDir(vars, asRoot)
	}
	s.check(wrong)
	return s, problems
}

// overridden is the environment with the flags' values in it. An empty value counts as
// not set.
func overridden(environ, flags map[string]string) map[string]string {
	vars := maps.Clone(environ)
	if vars == nil {
		vars = map[string]string{}
	}
	maps.Copy(vars, flags)
	maps.DeleteFunc(vars, func(_, value string) bool { return value == "" })
	return vars
}

// check checks each setting by itself.
func (s *settings) check(wrong func(name, problem string, args ...any)) {
	for _, u := range []struct{ name, url string }{
		{"DATABASE_URL", s.DatabaseURL},
		{"DOCKET_OWNER_DATABASE_URL", s.OwnerDatabaseURL},
		{"DOCKET_API_DATABASE_URL", s.APIDatabaseURL},
	} {
		if u.url == "" {
			continue
		}
		if _, err := pgx.ParseConfig(u.url); err != nil {
			wrong(u.name, "is %v", postgres.ErrBadURL)
		} else if s.DatabaseURL == "" {
			wrong(u.name, "is set, but DATABASE_URL isn't")
		}
	}
	if s.DataDir == "" && s.DatabaseURL == "" {
		wrong("DOCKET_DATA_DIR", "is needed: there is no home directory to keep the data in")
	}
	if s.DatabaseWait < 0 {
		wrong("DOCKET_DATABASE_WAIT", "must not be negative")
	}
	if err := checkAddr(s.Addr); err != nil {
		wrong("DOCKET_ADDR", "must be host:port, such as 127.0.0.1:8000: %v", err)
	}
	if s.OpsAddr != "" {
		if err := checkAddr(s.OpsAddr); err != nil {
			wrong("DOCKET_OPS_ADDR", "must be host:port, such as 127.0.0.1:8001: %v", err)
		} else if s.OpsAddr == s.Addr && !strings.HasSuffix(s.Addr, ":0") {
			wrong("DOCKET_OPS_ADDR", "must be another address than DOCKET_ADDR")
		}
	}
	if strings.ContainsFunc(s.Issuer, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		wrong("DOCKET_ISSUER", "must be a word")
	}
	if !slices.Contains(commands.RegistrationPolicies(), commands.RegistrationPolicy(s.Registration)) {
		wrong("DOCKET_REGISTRATION", "must be local, anyone, invited or \"nobody\", not %q", s.Registration)
	}
	if s.TenantCreation != createdByAnyone && s.TenantCreation != createdByOperators {
		wrong("DOCKET_TENANT_CREATION", "must be anyone or operators, not %q", s.TenantCreation)
	}
	if s.TenantsPerUser < 0 {
		wrong("DOCKET_TENANTS_PER_USER", "must not be negative")
	}
	if s.LogFormat != "" && s.LogFormat != "text" && s.LogFormat != "json" {
		wrong("DOCKET_LOG_FORMAT", "must be text or json, not %q", s.LogFormat)
	}
	if _, known := logLevels[s.LogLevel]; !known {
		wrong("DOCKET_LOG_LEVEL", "must be debug, info, warn or error, not %q", s.LogLevel)
	}
	if s.SMTPURL != "" {
		if _, err := notify.ParseSMTP(s.SMTPURL); err != nil {
			wrong("DOCKET_SMTP_URL", "%v", err)
		}
	}
	if s.PublicURL != "" {
		if err := checkPublicURL(s.PublicURL); err != nil {
			wrong("DOCKET_PUBLIC_URL", "%v", err)
		}
	}
	if _, err := notify.ParseDomains(s.SMTPFromDomains); err != nil {
		wrong("DOCKET_SMTP_FROM_DOMAINS", "%v", err)
	}
	if s.DeliveriesPerHour < 0 || s.DeliveriesPerHour > maxDeliveries {
		wrong("DOCKET_DELIVERIES_PER_HOUR", "must be 0 (no limit) to %d", maxDeliveries)
	}
	if s.DeliveriesPerDay < 0 || s.DeliveriesPerDay > maxDeliveries {
		wrong("DOCKET_DELIVERIES_PER_DAY", "must be 0 (no limit) to %d", maxDeliveries)
	}
	for _, most := range []struct {
		name   string
		number int
	}{
		{"DOCKET_REQUESTS_PER_ADDRESS", s.RequestsPerAddress}, {"DOCKET_REQUESTS_PER_USER", s.RequestsPerUser},
		{"DOCKET_REQUESTS_PER_TENANT", s.RequestsPerTenant},
		{"DOCKET_WRONG_LOGINS", s.WrongLogins}, {"DOCKET_WRONG_LOGINS_PER_ACCOUNT", s.WrongLoginsPerAccount},
		{"DOCKET_WRONG_LOGINS_PER_ADDRESS", s.WrongLoginsPerAddress}, {"DOCKET_NEW_USERS_PER_ADDRESS", s.RegistrationsPerAddress},
	} {
		if most.number < 0 || most.number > maxRequests {
			wrong(most.name, "must be 0 (no limit) to %d", maxRequests)
		}
	}
	if _, err := parseNetworks(s.TrustedProxies); err != nil {
		wrong("DOCKET_TRUSTED_PROXIES", "%v", err)
	}
	if _, err := edge.ParseOrigins(s.CORSOrigins); err != nil {
		wrong("DOCKET_CORS_ORIGINS", "%v", err)
	}
	for _, keep := range []struct {
		name string
		time time.Duration
	}{
		{"DOCKET_KEEP_SESSIONS", s.KeepSessions}, {"DOCKET_KEEP_REFRESH_TOKENS", s.KeepRefreshTokens},
		{"DOCKET_KEEP_DELIVERIES", s.KeepDeliveries}, {"DOCKET_KEEP_NOTIFICATIONS", s.KeepNotifications},
		{"DOCKET_KEEP_SECRETS", s.KeepSecrets}, {"DOCKET_KEEP_MAILS", s.KeepMails},
	} {
		if keep.time != 0 && keep.time < minKeep {
			wrong(keep.name, "must be 0s (for ever) or at least %s, such as 168h", "1h")
		}
	}
	if _, err := parseNetworks(s.EgressAllow); err != nil {
		wrong("DOCKET_EGRESS_ALLOW", "%v", err)
	}
	switch {
	case s.JWTAlgorithm != "" && s.JWTAlgorithm != algEdDSA && s.JWTAlgorithm != algHS256:
		wrong("DOCKET_JWT_ALGORITHM", "must be EdDSA or HS256, not %q", s.JWTAlgorithm)
	case s.JWTAlgorithm == algHS256 && s.JWTKeys == "":
		wrong("DOCKET_JWT_ALGORITHM", "is HS256, but DOCKET_JWT_KEYS isn't set")
	}
	if s.JWTKeys != "" {
		if _, err := parseSigningKeys(s.JWTKeys); err != nil {
			wrong("DOCKET_JWT_KEYS", "%v", err)
		}
	}
	if s.MasterKey != "" {
		if _, err := parseMasterKey(s.MasterKey); err != nil {
			wrong("DOCKET_MASTER_KEY", "%v", err)
		}
	}
}

func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		var addrErr *net.AddrError
		if errors.As(err, &addrErr) {
			return fmt.Errorf("%s in %q", addrErr.Err, addr)
		}
		return err
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q is no port", port)
	}
	return nil
}

// sharedSecretSigns reports whether the first of JWTKeys signs access tokens, not a managed
// key.
func (s settings) sharedSecretSigns() bool {
	return s.JWTAlgorithm == algHS256 || s.JWTAlgorithm == "" && s.JWTKeys != ""
}

// parseSigningKeys reads DOCKET_JWT_KEYS: "kid:base64" of at least 32 bytes,
// separated by commas.
func parseSigningKeys(s string) ([]accounts.SigningKey, error) {
	var keys []accounts.SigningKey
	for part := range strings.SplitSeq(s, ",") {
		key, err := accounts.ParseSigningKey(strings.TrimSpace(part))
		switch {
		case err != nil:
			return nil, fmt.Errorf("must be kid:base64, separated by commas: %w", err)
		case key.ID == "":
			return nil, errors.New("has a key without an id: a key is written kid:base64")
		case len(key.Secret) < minKey:
			return nil, fmt.Errorf("has a key %q of %d bytes; at least %d are needed (openssl rand -base64 32)", key.ID, len(key.Secret), minKey)
		case slices.ContainsFunc(keys, func(k accounts.SigningKey) bool { return k.ID == key.ID }):
			return nil, fmt.Errorf("has two keys with the id %q", key.ID)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// parseMasterKey reads DOCKET_MASTER_KEY: base64 of at least 32 bytes.
func parseMasterKey(s string) ([]byte, error) {
	s = strings.TrimSpace(s)
	key, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		key, err = base64.RawStdEncoding.DecodeString(s)
	}
	if err != nil {
		return nil, errors.New("must be base64 (openssl rand -base64 32)")
	}
	if len(key) < minKey {
		return nil, fmt.Errorf("has %d bytes; at least %d are needed (openssl rand -base64 32)", len(key), minKey)
	}
	return key, nil
}

// defaultDataDir follows the XDG Base Directory Specification, which ignores a relative
// XDG_DATA_HOME; empty if there is no home either.
func defaultDataDir(vars map[string]string, asRoot bool) string {
	switch data, home := vars["XDG_DATA_HOME"], vars["HOME"]; {
	case asRoot:
		return "/var/lib/docket"
	case filepath.IsAbs(data):
		return filepath.Join(data, "docket")
	case filepath.IsAbs(home):
		return filepath.Join(home, ".local", "share", "docket")
	}
	return ""
}

// parseProblem reports what the library found, with the variable's name in place of the
// field's. Only booleans, numbers and durations can fail: all else is text until check parses it.
func parseProblem(err error, wrong func(name, problem string, args ...any)) {
	var parse env.ParseError
	if errors.As(err, &parse) {
		field, ok := reflect.TypeFor[settings]().FieldByName(parse.Name)
		switch {
		case ok && field.Type.Kind() == reflect.Bool:
			wrong(field.Tag.Get("env"), "must be true or false")
			return
		case ok && field.Type.Kind() == reflect.Int:
			wrong(field.Tag.Get("env"), "must be a whole number")
			return
		case ok && field.Type == reflect.TypeFor[time.Duration]():
			wrong(field.Tag.Get("env"), "must be a duration, such as 30s or 2m")
			return
		}
	}
	wrong("the environment", "can't be read: %v", err)
}
