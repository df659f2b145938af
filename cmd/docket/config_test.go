package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"docket/internal/cli"
	"docket/internal/pgtest"
	"docket/migrations"
)

// checked runs config check twice, for people and for machines. The test fails if they
// disagree or print a secret.
func checked(t *testing.T, environ map[string]string, args ...string) (outcome, configReport) {
	t.Helper()
	o := try(t, environ, append([]string{"config", "check"}, args...)...)
	j := try(t, environ, append([]string{"config", "check", "--json"}, args...)...)
	var r configReport
	if err := json.Unmarshal([]byte(j.stdout), &r); err != nil || strings.Count(j.stdout, "\n") != 1 {
		t.Fatalf("%v in %q, %q", err, j.stdout, j.stderr)
	}
	if o.status != j.status || r.OK != (o.status == cli.StatusDone) {
		t.Errorf("status %d, with --json %d, ok %t", o.status, j.status, r.OK)
	}
	for _, text := range []string{o.stdout, o.stderr, j.stdout, j.stderr} {
		for _, secret := range []string{"s3cret", key32, key31, "ABCD-EFGH"} {
			if strings.Contains(text, secret) {
				t.Errorf("a secret is printed: %s", text)
			}
		}
	}
	for _, f := range r.Checks {
		if !strings.Contains(o.stdout, f.Detail) || strings.Contains(f.Detail, "\n") {
			t.Errorf("%+v isn't one line of %q", f, o.stdout)
		}
	}
	return o, r
}

// found is the result of a check and its detail; empty if there was no such check.
func (r configReport) found(name string) (result, string) {
	i := slices.IndexFunc(r.Checks, func(f finding) bool { return f.Name == name })
	if i < 0 {
		return "", ""
	}
	return r.Checks[i].Result, r.Checks[i].Detail
}

func (r configReport) setting(name string) setting {
	return r.Settings[slices.IndexFunc(r.Settings, func(s setting) bool { return s.Name == name })]
}

func TestConfigCheck(t *testing.T) {
	t.Parallel()
	db, other, empty, newer, foreign := pgtest.New(t), pgtest.New(t), pgtest.Empty(t), pgtest.New(t), pgtest.Empty(t)
	execute(t, newer.OwnerURL, `insert into goose_db_version (version_id, is_applied) values (999, true)`)
	execute(t, foreign.OwnerURL, `create table orders (id int)`)
	revoked := pgtest.New(t)
	execute(t, revoked.OwnerURL, `revoke select on comments from docket_api`)
	noServer := "postgres://docket:s3cret@127.0.0.1:1/docket"
	for name, tc := range map[string]struct {
		environ map[string]string
		args    []string
		status  int
		check   string
		result  result
		detail  string
	}{
		"all is well":     {given(db, nil), nil, cli.StatusDone, "schema", resultOK, "which is this docket's"},
		"a strong wall":   {given(db, nil), nil, cli.StatusDone, "wall", resultOK, ""},
		"the engine":      {given(db, nil), nil, cli.StatusDone, "role docket_engine", resultOK, ""},
		"the signing key": {given(db, nil), nil, cli.StatusDone, "DOCKET_JWT_KEYS", resultOK, `key "k" signs`},
		"a secret beside managed keys": {given(db, nil), []string{"--jwt-algorithm", "EdDSA"}, cli.StatusDone, "DOCKET_JWT_KEYS", resultOK,
			`a managed key signs (docket keys list), "k" verifies`},
		"managed keys": {given(db, map[string]string{"DOCKET_JWT_KEYS": ""}), nil, cli.StatusDone, "DOCKET_JWT_KEYS", resultOK, "a managed key signs"},
		"a weak wall": {given(db, map[string]string{"DOCKET_API_DATABASE_URL": db.OwnerURL}), nil,
			cli.StatusDone, "wall", resultWarning, "a login that is a member of docket_api"},
		"no schema": {given(empty, nil), nil, cli.StatusNo, "schema", resultProblem, "run docket migrate"},
		"no schema, to be migrated": {given(empty, nil), []string{"--migrate"},
			cli.StatusDone, "schema", resultOK, "serve brings it to"},
		"a newer schema":    {given(newer, nil), nil, cli.StatusNo, "schema", resultProblem, "of a newer docket"},
		"another program's": {given(foreign, nil), nil, cli.StatusNo, "DATABASE_URL", resultProblem, "another program's tables"},
		"two databases":     {given(db, map[string]string{"DOCKET_API_DATABASE_URL": other.APIURL}), nil, cli.StatusNo, "DOCKET_API_DATABASE_URL", resultProblem, "names another database"},
		"no such database":  {given(db, map[string]string{"DATABASE_URL": strings.Replace(db.EngineURL, db.Name, "nonesuch", 1)}), nil, cli.StatusNo, "DATABASE_URL", resultProblem, "does not exist"},
		"not the engine":    {given(db, map[string]string{"DATABASE_URL": db.APIURL}), nil, cli.StatusNo, "role docket_engine", resultProblem, "may not become docket_engine"},
		"swapped: the engine's and the API's": {given(db, map[string]string{"DATABASE_URL": db.APIURL, "DOCKET_API_DATABASE_URL": db.EngineURL}), nil,
			cli.StatusNo, "role docket_engine", resultProblem, "are DATABASE_URL and DOCKET_API_DATABASE_URL swapped?"},
		"swapped: the owner's and the engine's": {given(db, map[string]string{"DATABASE_URL": db.OwnerURL, "DOCKET_OWNER_DATABASE_URL": db.EngineURL}), nil,
			cli.StatusNo, "owner", resultProblem, "is it swapped with DATABASE_URL?"},
		"swapped: the owner's and the API's": {given(db, map[string]string{"DOCKET_API_DATABASE_URL": db.OwnerURL, "DOCKET_OWNER_DATABASE_URL": db.APIURL}), nil,
			cli.StatusNo, "owner", resultProblem, "is it swapped with DOCKET_API_DATABASE_URL?"},
		"the rights":              {given(db, nil), nil, cli.StatusDone, "rights docket_engine", resultOK, ""},
		"rights that are missing": {given(revoked, nil), nil, cli.StatusNo, "rights docket_api", resultProblem, "SELECT on comments"},
		"no server answers":       {given(db, map[string]string{"DATABASE_URL": noServer}), nil, cli.StatusFailed, "DATABASE_URL", resultUnknown, "can't be reached"},
		"no server, a problem":    {given(db, map[string]string{"DATABASE_URL": noServer, "DOCKET_MASTER_KEY": ""}), nil, cli.StatusNo, "DOCKET_MASTER_KEY", resultProblem, "is needed with DATABASE_URL"},
		"a short key":             {given(db, map[string]string{"DOCKET_MASTER_KEY": key31}), nil, cli.StatusNo, "DOCKET_MASTER_KEY", resultProblem, "has 31 bytes"},
		"a misspelt setting":      {given(db, map[string]string{"DOCKET_ISUER": "x"}), nil, cli.StatusNo, "DOCKET_ISUER", resultProblem, "did you mean DOCKET_ISSUER?"},
		"a network":               {given(db, nil), []string{"--egress-allow", "10.1.0.0/16,127.0.0.1"}, cli.StatusDone, "DOCKET_EGRESS_ALLOW", resultOK, "10.1.0.0/16, 127.0.0.1/32"},
		"a network that is none":  {given(db, nil), []string{"--egress-allow", "hooks"}, cli.StatusNo, "--egress-allow", resultProblem, `"hooks" is neither`},
		"no mail server":          {given(db, nil), nil, cli.StatusDone, "DOCKET_SMTP_URL", resultOK, "written to the log"},
		"a mail server":           {given(db, map[string]string{"DOCKET_SMTP_URL": "smtp://u:s3cret@mail.example?from=d@example.org"}), nil, cli.StatusDone, "DOCKET_SMTP_URL", resultOK, "was not asked"},
		"a mail server that isnt": {given(db, map[string]string{"DOCKET_SMTP_URL": "smtp://u:s3cret@mail.example"}), nil, cli.StatusNo, "DOCKET_SMTP_URL", resultProblem, "needs the sender's address"},
		"a URL that is none":      {given(db, map[string]string{"DATABASE_URL": "postgres://u:s3cret@db:port/d"}), nil, cli.StatusNo, "DATABASE_URL", resultProblem, "not a valid Postgres connection string"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, r := checked(t, tc.environ, tc.args...)
			result, detail := r.found(tc.check)
			if o.status != tc.status || result != tc.result || !strings.Contains(detail, tc.detail) {
				t.Errorf("status %d, %s %q %q; want %d, %q %q", o.status, tc.check, result, detail, tc.status, tc.result, tc.detail)
			}
			if o.status == cli.StatusDone && o.stderr != "" {
				t.Errorf("said %q", o.stderr)
			}
		})
	}
	t.Run("it migrates nothing", func(t *testing.T) {
		if current, _, err := migrations.Pending(t.Context(), empty.OwnerURL); err != nil || current != 0 {
			t.Errorf("schema %d, %v", current, err)
		}
	})
}

// config check prints all problems at once, each on its line; the first is the error of
// serve.
func TestConfigCheckPrintsAllProblems(t *testing.T) {
	t.Parallel()
	environ := map[string]string{
		"HOME": t.TempDir(), "DOCKET_ADR": ":1", "DOCKET_MIGRATE": "perhaps", "DOCKET_ADDR": "8000", "DOCKET_LOG_FORMAT": "xml",
		"DOCKET_JWT_KEYS": "s3cret", "DOCKET_MASTER_KEY": key31, "DOCKET_API_DATABASE_URL": someURL,
	}
	o, r := checked(t, environ)
	if o.status != cli.StatusNo || o.stderr != "" {
		t.Errorf("status %d, %q", o.status, o.stderr)
	}
	for _, name := range []string{"DOCKET_ADR", "DOCKET_MIGRATE", "DOCKET_ADDR", "DOCKET_LOG_FORMAT", "DOCKET_JWT_KEYS", "DOCKET_MASTER_KEY", "DOCKET_API_DATABASE_URL"} {
		if result, _ := r.found(name); result != resultProblem {
			t.Errorf("%s: %q", name, result)
		}
	}
	first := r.Checks[0]
	try(t, environ, "serve").refused(t, first.Name+" "+first.Detail)
}

func TestConfigCheckSaysWhereSettingsComeFrom(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	o, r := checked(t, map[string]string{
		"DOCKET_DATA_DIR": dir, "DOCKET_ADDR": "127.0.0.1:1", "DOCKET_ISSUER": "ours", "DOCKET_JWT_KEYS": "k:" + key32,
		"DOCKET_SETUP_CODE": "ABCD-EFGH", "DOCKET_MASTER_KEY": "",
	}, "--addr", "127.0.0.1:2", "--egress-allow", "", "--migrate")
	if o.status != cli.StatusDone {
		t.Errorf("status %d, %q", o.status, o.stdout)
	}
	for name, want := range map[string][2]string{
		"DOCKET_ADDR": {sourceFlag, "127.0.0.1:2"}, "DOCKET_MIGRATE": {sourceFlag, "true"},
		"DOCKET_ISSUER": {sourceEnvironment, "ours"}, "DOCKET_DATA_DIR": {sourceEnvironment, dir},
		"DOCKET_EGRESS_ALLOW": {sourceDefault, ""}, "DOCKET_LOG_FORMAT": {sourceDefault, ""},
	} {
		if got := r.setting(name); got.Source != want[0] || got.Secret || got.Value == nil || *got.Value != want[1] {
			t.Errorf("%+v, want %v", got, want)
		}
	}
	for name, set := range map[string]bool{"DOCKET_JWT_KEYS": true, "DOCKET_SETUP_CODE": true, "DOCKET_MASTER_KEY": false, "DATABASE_URL": false} {
		if got := r.setting(name); got.Set != set || !got.Secret || got.Value != nil {
			t.Errorf("%+v", got)
		}
	}
	if len(r.Settings) != len(variables) {
		t.Errorf("%d settings, %d variables", len(r.Settings), len(variables))
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("it created the data directory: %v", err)
	}
}

func TestConfigCheckOfADataDirectory(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o, r := checked(t, map[string]string{"DOCKET_DATA_DIR": file})
	if result, detail := r.found("data directory"); o.status != cli.StatusNo || result != resultProblem {
		t.Errorf("status %d, %q %q", o.status, result, detail)
	}

	in := newInstall(t, osUsers(t)[0])
	check := func(status int, want string) {
		t.Helper()
		o := in.run("config", "check")
		if o.status != status || !strings.Contains(o.stdout, want) {
			t.Errorf("status %d, %q, %q; want %d, %q", o.status, o.stdout, o.stderr, status, want)
		}
	}
	check(cli.StatusDone, "serve creates a new database there")
	p := in.serve()
	check(cli.StatusDone, "is running")
	check(cli.StatusDone, "which is this docket's")
	// Completion uses the running server's Postgres too.
	if o := in.run("__completeNoDesc", "audit", "replay", "--tenant", "de"); !strings.HasPrefix(o.stdout, "default\n") {
		t.Errorf("completed to %q, %q", o.stdout, o.stderr)
	}
	p.stopped(p.stop(syscall.SIGTERM, false))
	check(cli.StatusDone, "which isn't running")
	check(cli.StatusDone, `a managed key signs`)
	keys := filepath.Join(in.data, keysDir, "jwt-keys")
	// A release before the managed keys has left its own.
	if err := os.WriteFile(keys, []byte("k:"+key32), 0o600); err != nil {
		t.Fatal(err)
	}
	check(cli.StatusDone, `a managed key signs (docket keys list), "k" verifies`)
	if err := os.WriteFile(keys, []byte("k:"+key31), 0o600); err != nil {
		t.Fatal(err)
	}
	check(cli.StatusNo, "of 31 bytes")
	if err := os.Chmod(keys, 0o644); err != nil {
		t.Fatal(err)
	}
	check(cli.StatusNo, "can be read by everybody")
}
