package main

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

const (
	key32   = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" // 32 bytes
	key31   = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MA==" // one too few
	someURL = "postgres://docket:s3cret@db.example:5432/docket"
)

func TestSettingsRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		env, flags map[string]string
		want       string // the whole message, or how it begins before "…"
	}{
		"a misspelt name": {
			env:  map[string]string{"DOCKET_ADRR": "127.0.0.1:8000"},
			want: "DOCKET_ADRR is no setting of docket (did you mean DOCKET_ADDR?)",
		},
		"a name like none": {
			env:  map[string]string{"DOCKET_COLOUR_OF_THE_DOCS": "blue"},
			want: "DOCKET_COLOUR_OF_THE_DOCS is no setting of docket",
		},
		"a setting of a later release": {
			env:  map[string]string{"DOCKET_RATE_LIMITS": "off"},
			want: "DOCKET_RATE_LIMITS is no setting of docket",
		},
		"a service link outside Kubernetes": {
			env:  map[string]string{"DOCKET_PORT": "9000"},
			want: "DOCKET_PORT is no setting of docket…",
		},
		"an address without a port": {
			env:  map[string]string{"DOCKET_ADDR": "127.0.0.1"},
			want: `DOCKET_ADDR must be host:port, such as 127.0.0.1:8000: missing port in address in "127.0.0.1"`,
		},
		"a port that is none": {
			env:  map[string]string{"DOCKET_ADDR": ":http"},
			want: `DOCKET_ADDR must be host:port, such as 127.0.0.1:8000: "http" is no port`,
		},
		"a port too high": {
			env:  map[string]string{"DOCKET_ADDR": ":65536"},
			want: `DOCKET_ADDR must be host:port, such as 127.0.0.1:8000: "65536" is no port`,
		},
		"by a flag": {
			flags: map[string]string{"DOCKET_ADDR": "8000"},
			want:  "--addr must be host:port…",
		},
		"no truth value": {
			env:  map[string]string{"DOCKET_MIGRATE": "yes, please"},
			want: "DOCKET_MIGRATE must be true or false",
		},
		"a database URL that is none": {
			env:  map[string]string{"DATABASE_URL": "postgres://docket:s3cret@db:port/docket"},
			want: "DATABASE_URL is not a valid Postgres connection string…",
		},
		"an API database without a database": {
			env:  map[string]string{"DOCKET_API_DATABASE_URL": someURL},
			want: "DOCKET_API_DATABASE_URL is set, but DATABASE_URL isn't",
		},
		"an owner without a database": {
			env:  map[string]string{"DOCKET_OWNER_DATABASE_URL": someURL},
			want: "DOCKET_OWNER_DATABASE_URL is set, but DATABASE_URL isn't",
		},
		"a key without an id": {
			env:  map[string]string{"DOCKET_JWT_KEYS": ":" + key32},
			want: "DOCKET_JWT_KEYS has a key without an id…",
		},
		"a key without a colon": {
			env:  map[string]string{"DOCKET_JWT_KEYS": key32},
			want: "DOCKET_JWT_KEYS must be kid:base64…",
		},
		"a key that isn't base64": {
			env:  map[string]string{"DOCKET_JWT_KEYS": "k1:s3cret!"},
			want: "DOCKET_JWT_KEYS must be kid:base64…",
		},
		"a short key": {
			env:  map[string]string{"DOCKET_JWT_KEYS": "k1:" + key31},
			want: `DOCKET_JWT_KEYS has a key "k1" of 31 bytes; at least 32 are needed (openssl rand -base64 32)`,
		},
		"a short second key": {
			env:  map[string]string{"DOCKET_JWT_KEYS": "k1:" + key32 + ",k2:" + key31},
			want: `DOCKET_JWT_KEYS has a key "k2" of 31 bytes…`,
		},
		"two keys with one id": {
			env:  map[string]string{"DOCKET_JWT_KEYS": "k1:" + key32 + ", k1:" + key32},
			want: `DOCKET_JWT_KEYS has two keys with the id "k1"`,
		},
		"an algorithm that is none": {
			env:  map[string]string{"DOCKET_JWT_ALGORITHM": "RS256"},
			want: `DOCKET_JWT_ALGORITHM must be EdDSA or HS256, not "RS256"`,
		},
		"HS256 without a secret": {
			env:  map[string]string{"DOCKET_JWT_ALGORITHM": "HS256"},
			want: "DOCKET_JWT_ALGORITHM is HS256, but DOCKET_JWT_KEYS isn't set",
		},
		"a policy that is none": {
			env:  map[string]string{"DOCKET_REGISTRATION": "everyone"},
			want: `DOCKET_REGISTRATION must be local, anyone, invited or "nobody", not "everyone"`,
		},
		"creators that are none": {
			env:  map[string]string{"DOCKET_TENANT_CREATION": "owners"},
			want: `DOCKET_TENANT_CREATION must be anyone or operators, not "owners"`,
		},
		"fewer than no tenants": {
			env:  map[string]string{"DOCKET_TENANTS_PER_USER": "-1"},
			want: "DOCKET_TENANTS_PER_USER must not be negative",
		},
		"a comma too many": {
			env:  map[string]string{"DOCKET_JWT_KEYS": "k1:" + key32 + ","},
			want: "DOCKET_JWT_KEYS must be kid:base64…",
		},
		"a short master key": {
			env:  map[string]string{"DOCKET_MASTER_KEY": key31},
			want: "DOCKET_MASTER_KEY has 31 bytes; at least 32 are needed (openssl rand -base64 32)",
		},
		"a master key that isn't base64": {
			env:  map[string]string{"DOCKET_MASTER_KEY": "s3cret!"},
			want: "DOCKET_MASTER_KEY must be base64 (openssl rand -base64 32)",
		},
		"a wait without a unit": {
			env:  map[string]string{"DOCKET_DATABASE_WAIT": "30"},
			want: "DOCKET_DATABASE_WAIT must be a duration, such as 30s or 2m",
		},
		"a wait that is negative": {
			env:  map[string]string{"DOCKET_DATABASE_WAIT": "-1s"},
			want: "DOCKET_DATABASE_WAIT must not be negative",
		},
		"an issuer of two words": {
			env:  map[string]string{"DOCKET_ISSUER": "our docket"},
			want: "DOCKET_ISSUER must be a word",
		},
		"a mail server without a sender": {
			env:  map[string]string{"DOCKET_SMTP_URL": "smtp://docket:s3cret@mail.example.org"},
			want: "DOCKET_SMTP_URL needs the sender's address: ?from=docket@example.org",
		},
		"a mail server that is none": {
			env:  map[string]string{"DOCKET_SMTP_URL": "smtp://docket:s3cret@mail:port"},
			want: "DOCKET_SMTP_URL must be smtp://…",
		},
		"a sender's domain that is none": {
			env:  map[string]string{"DOCKET_SMTP_FROM_DOMAINS": "acme.example,@acme"},
			want: `DOCKET_SMTP_FROM_DOMAINS must be domains, such as acme.example, separated by commas: "@acme" is none`,
		},
		"a limit that is no number": {
			env:  map[string]string{"DOCKET_DELIVERIES_PER_HOUR": "many"},
			want: "DOCKET_DELIVERIES_PER_HOUR must be a whole number",
		},
		"a limit that is negative": {
			flags: map[string]string{"DOCKET_DELIVERIES_PER_DAY": "-1"},
			want:  "--deliveries-per-day must be 0 (no limit) to 1000000",
		},
		"a network that is none": {
			env:  map[string]string{"DOCKET_EGRESS_ALLOW": "10.0.0.0/8,hooks"},
			want: `DOCKET_EGRESS_ALLOW must be addresses or networks, such as 10.1.0.0/16, separated by commas: "hooks" is neither`,
		},
		"a network wider than it looks": {
			flags: map[string]string{"DOCKET_EGRESS_ALLOW": "10.1.2.3/8"},
			want:  "--egress-allow has 10.1.2.3/8, which is all of 10.0.0.0/8: write that",
		},
		"a proxy that is no network": {
			env:  map[string]string{"DOCKET_TRUSTED_PROXIES": "proxy.example"},
			want: `DOCKET_TRUSTED_PROXIES must be addresses or networks, such as 10.1.0.0/16, separated by commas: "proxy.example" is neither`,
		},
		"an origin that is a pattern": {
			env:  map[string]string{"DOCKET_CORS_ORIGINS": "https://app.example,*"},
			want: `DOCKET_CORS_ORIGINS must be origins as browsers send them, such as https://app.example, separated by commas: "*" is none`,
		},
		"a limit of requests that is too high": {
			flags: map[string]string{"DOCKET_REQUESTS_PER_USER": "1000001"},
			want:  "--requests-per-user must be 0 (no limit) to 1000000",
		},
		"another log format": {
			env:  map[string]string{"DOCKET_LOG_FORMAT": "xml"},
			want: `DOCKET_LOG_FORMAT must be text or json, not "xml"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environ := map[string]string{"HOME": "/home/someone"}
			maps.Copy(environ, tc.env)
			_, err := readSettings(environ, tc.flags, false)
			var setting *settingError
			if !errors.As(err, &setting) {
				t.Fatalf("error %v, want a *settingError", err)
			}
			start, open := strings.CutSuffix(tc.want, "…")
			if got := err.Error(); got != tc.want && !(open && strings.HasPrefix(got, start)) {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
			for _, secret := range []string{"s3cret", key31, key32} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the message holds a secret: %q", err)
				}
			}
		})
	}
}

func TestSettingsRead(t *testing.T) {
	t.Parallel()
	s, err := readSettings(map[string]string{
		"HOME": "/home/someone", "DATABASE_URL": someURL, "DOCKET_ADDR": ":1", "DOCKET_ISSUER": "", "DOCKET_MIGRATE": "true",
		"DOCKET_JWT_KEYS":          "new:" + key32 + ",old:" + key32,
		"DOCKET_TEST_DATABASE_URL": "of the tests", "DOCKETS": "of somebody else",
	}, map[string]string{"DOCKET_ADDR": ":2"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if s.Addr != ":2" {
		t.Errorf("address %q, want the flag's", s.Addr)
	}
	if s.Issuer != "docket" {
		t.Errorf("issuer %q, want the default for an empty variable", s.Issuer)
	}
	if !s.Migrate {
		t.Errorf("read %+v", s)
	}
	keys, err := parseSigningKeys(s.JWTKeys)
	if err != nil || len(keys) != 2 || keys[0].ID != "new" {
		t.Errorf("keys %v, %v", keys, err)
	}
}

func TestServiceLinksOfKubernetes(t *testing.T) {
	t.Parallel()
	links := map[string]string{
		"HOME": "/home/someone", "KUBERNETES_SERVICE_HOST": "10.0.0.1",
		"DOCKET_SERVICE_HOST": "10.0.0.2", "DOCKET_SERVICE_PORT": "8000", "DOCKET_SERVICE_PORT_HTTP": "8000",
		"DOCKET_PORT": "tcp://10.0.0.2:8000", "DOCKET_PORT_8000_TCP": "tcp://10.0.0.2:8000",
		"DOCKET_PORT_8000_TCP_PROTO": "tcp", "DOCKET_PORT_8000_TCP_PORT": "8000", "DOCKET_PORT_8000_TCP_ADDR": "10.0.0.2",
	}
	if _, err := readSettings(links, nil, false); err != nil {
		t.Error(err)
	}
	links["DOCKET_ADRR"] = ":1"
	if _, err := readSettings(links, nil, false); err == nil {
		t.Error("a misspelt name passed")
	}
}

func TestDataDir(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		env    map[string]string
		asRoot bool
		want   string
	}{
		{map[string]string{"HOME": "/home/ann"}, false, "/home/ann/.local/share/docket"},
		{map[string]string{"HOME": "/home/ann", "XDG_DATA_HOME": "/data"}, false, "/data/docket"},
		{map[string]string{"HOME": "/home/ann", "XDG_DATA_HOME": "data"}, false, "/home/ann/.local/share/docket"},
		{map[string]string{"HOME": "/root", "XDG_DATA_HOME": "/data"}, true, "/var/lib/docket"},
		{map[string]string{"HOME": "/root", "DOCKET_DATA_DIR": "here"}, true, "here"},
	} {
		s, err := readSettings(tc.env, nil, tc.asRoot)
		if err != nil || s.DataDir != tc.want {
			t.Errorf("%v, as root %t: %q, %v; want %q", tc.env, tc.asRoot, s.DataDir, err, tc.want)
		}
	}
	if _, err := readSettings(map[string]string{}, nil, false); err == nil {
		t.Error("no home and no data directory: no error")
	}
	if _, err := readSettings(map[string]string{"DATABASE_URL": someURL}, nil, false); err != nil {
		t.Errorf("with a database no data directory is needed: %v", err)
	}
}

func TestSecretsAreNeededWithADatabase(t *testing.T) {
	t.Parallel()
	full := settings{DatabaseURL: someURL, JWTKeys: "k:" + key32, MasterKey: key32}
	if err := full.requireSecrets(); err != nil {
		t.Error(err)
	}
	if err := (settings{DatabaseURL: someURL, MasterKey: key32}).requireSecrets(); err != nil {
		t.Errorf("without shared secrets: %v", err)
	}
	var setting *settingError
	if err := (settings{DatabaseURL: someURL, JWTKeys: "k:" + key32}).requireSecrets(); !errors.As(err, &setting) || setting.Name != "DOCKET_MASTER_KEY" {
		t.Errorf("without a master key: %v", err)
	}
	if err := (settings{}).requireSecrets(); err != nil {
		t.Errorf("without a database: %v", err)
	}
}
