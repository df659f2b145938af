package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"docket/internal/pgtest"
	"docket/internal/postgres"
)

// Eight installations start at once, in four databases of a server that has no
// roles yet. Needs a server of its own: roles are shared by all databases.
func TestEnsureRolesAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, postgres.Config{DataDir: pgtest.ClusterDir(t), Unsafe: true})
	admin := connect(t, s.URL(postgres.Superuser, "postgres"))
	do := func(statement string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	do(`DROP DATABASE docket`)
	do(`DROP ROLE docket_owner, docket_engine_login, docket_api_login, docket_engine, docket_api`)
	do(`CREATE ROLE app LOGIN CREATEROLE`)
	do(`CREATE ROLE plain LOGIN`)
	const dbs = 4
	for i := range dbs {
		do(fmt.Sprintf(`CREATE DATABASE app%d OWNER app`, i))
	}

	err := postgres.EnsureRoles(t.Context(), s.URL("plain", "app0"))
	if err == nil || !strings.Contains(err.Error(), "CREATE ROLE docket_engine NOLOGIN") {
		t.Errorf("a login that may not create roles: %v", err)
	}

	// Another installation is ahead by a moment: its CREATE ROLE is not committed,
	// so ours does not see the role, waits for it and then fails on it.
	ahead := connect(t, s.URL("app", "app1"))
	tx, err := ahead.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `CREATE ROLE docket_engine NOLOGIN`); err != nil {
		t.Fatal(err)
	}
	behind := make(chan error)
	go func() { behind <- postgres.EnsureRoles(t.Context(), s.URL("app", "app0")) }()
	for one(t, admin, `SELECT count(*)::text FROM pg_stat_activity WHERE wait_event_type = 'Lock'`) == "0" {
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-behind; err != nil {
		t.Errorf("after losing a race: %v", err)
	}
	do(`DROP ROLE docket_engine, docket_api`)

	var all sync.WaitGroup
	errs := make(chan error, 2*dbs)
	for i := range 2 * dbs {
		all.Go(func() { errs <- postgres.EnsureRoles(t.Context(), s.URL("app", fmt.Sprintf("app%d", i%dbs))) })
	}
	all.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}

	const unfit = `
		SELECT coalesce(string_agg(rolname, ', '), '') FROM pg_roles WHERE rolname IN ('docket_engine', 'docket_api')
		  AND (rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole OR rolcreatedb OR rolreplication)`
	if got := one(t, admin, unfit); got != "" {
		t.Errorf("roles that may too much: %s", got)
	}
	if got := one(t, admin, `SELECT count(*)::text FROM pg_roles WHERE rolname IN ('docket_engine', 'docket_api')`); got != "2" {
		t.Fatalf("%s of the two roles exist", got)
	}

	// With one login for everything, each role still is what it says.
	for _, role := range []postgres.Role{postgres.EngineRole, postgres.APIRole} {
		pool, err := postgres.Pool(t.Context(), s.URL("app", "app0"), postgres.PoolConfig{Role: role})
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		var user string
		if err := pool.QueryRow(t.Context(), `SELECT current_user`).Scan(&user); err != nil || user != string(role) {
			t.Errorf("current_user is %s (%v), want %s", user, err, role)
		}
	}

	// The roles are there, but not for this login to take: that is no error,
	// since a login of its own may serve each role. Opening a pool then is one.
	if err := postgres.EnsureRoles(t.Context(), s.URL("plain", "app0")); err != nil {
		t.Error(err)
	}
	_, err = postgres.Pool(t.Context(), s.URL("plain", "app0"), postgres.PoolConfig{Role: postgres.APIRole})
	if err == nil || !strings.Contains(err.Error(), "GRANT docket_api TO plain") {
		t.Errorf("a login that may not become its role: %v", err)
	}
}

// From 16 on a membership need not be inherited: the owner then
// sees all tenants, as the engine does, only after SET ROLE.
func TestOwnerDoesNotInherit(t *testing.T) {
	t.Parallel()
	c := connect(t, pgtest.Empty(t).OwnerURL)
	for _, role := range []postgres.Role{postgres.EngineRole, postgres.APIRole} {
		if got := one(t, c, `SELECT pg_has_role(current_user, $1, 'USAGE')::text`, role); got != "false" {
			t.Errorf("the owner inherits from %s", role)
		}
	}
}

func TestLoginsAreMinimal(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	for _, url := range []string{db.OwnerURL, db.EngineURL, db.APIURL} {
		c := connect(t, url)
		const query = `SELECT (rolsuper OR rolbypassrls OR rolreplication OR rolcreatedb)::text FROM pg_roles WHERE rolname = session_user`
		if got := one(t, c, query); got != "false" {
			t.Errorf("%s may too much", one(t, c, `SELECT session_user`))
		}
	}
	api := connect(t, db.APIURL)
	for _, statement := range []string{`SET ROLE docket_engine`, `SET ROLE docket_owner`, `CREATE TABLE t (x int)`, `SET SESSION AUTHORIZATION postgres`} {
		if _, err := api.Exec(t.Context(), statement); err == nil {
			t.Errorf("the api login may %s", statement)
		}
	}
}

func TestPool(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	for _, c := range []struct {
		role      postgres.Role
		url       string
		seqscan   string
		statement string
		idle      string
	}{
		{postgres.EngineRole, db.EngineURL, "off", "1min", "45s"},
		{postgres.APIRole, db.APIURL, "on", "15s", "10s"},
		// One login for all: the owner's.
		{postgres.EngineRole, db.OwnerURL, "off", "1min", "45s"},
		{postgres.APIRole, db.OwnerURL, "on", "15s", "10s"},
	} {
		pool, err := postgres.Pool(t.Context(), c.url, postgres.PoolConfig{Role: c.role, MaxConns: 3, AppName: "trial"})
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		if got := pool.Config().MaxConns; got != 3 {
			t.Errorf("%d connections", got)
		}
		conn, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
		for setting, want := range map[string]string{
			"role": string(c.role), "is_superuser": "off", "row_security": "on",
			"enable_seqscan": c.seqscan, "statement_timeout": c.statement,
			"lock_timeout": "5s", "idle_in_transaction_session_timeout": c.idle,
			"TimeZone": "UTC", "default_transaction_isolation": "read committed",
			"application_name": "trial", "search_path": "public, pg_temp",
		} {
			if got := one(t, conn.Conn(), `SELECT current_setting($1)`, setting); got != want {
				t.Errorf("%s as %s: %s = %q, want %q", c.role, c.url, setting, got, want)
			}
		}
		// What resets a session does not lead out of the role. With one login for all
		// it takes a statement that names another role: see Beyond.
		for _, statement := range []string{`RESET ROLE`, `RESET ALL`} {
			if _, err := conn.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
			if got := one(t, conn.Conn(), `SELECT current_user`); got != string(c.role) {
				t.Errorf("after %s the session is %s", statement, got)
			}
		}
	}
}

func TestPoolErrors(t *testing.T) {
	t.Parallel()
	_, err := postgres.Pool(t.Context(), "postgres://u:se#cret@host:x/db", postgres.PoolConfig{})
	if err == nil || strings.Contains(err.Error(), "cret") {
		t.Errorf("error %v", err)
	}
	db := pgtest.Empty(t)
	_, err = postgres.Pool(t.Context(), db.EngineURL, postgres.PoolConfig{Role: "docket_unknown"})
	if err == nil || !strings.Contains(err.Error(), "docket migrate") {
		t.Errorf("error %v", err)
	}
}

func TestBeyond(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	beyond := func(url string, role postgres.Role) string {
		t.Helper()
		pool, err := postgres.Pool(context.Background(), url, postgres.PoolConfig{Role: role})
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		reason, err := postgres.Beyond(t.Context(), pool, role)
		if err != nil {
			t.Fatal(err)
		}
		return reason
	}
	if got := beyond(db.APIURL, postgres.APIRole); got != "" {
		t.Errorf("the api login %s", got)
	}
	if got := beyond(db.EngineURL, postgres.EngineRole); got != "" {
		t.Errorf("the engine login %s", got)
	}
	if got := beyond(db.OwnerURL, postgres.APIRole); !strings.Contains(got, "may become docket_engine") || !strings.Contains(got, "owns tables") {
		t.Errorf("the owner login %s", got)
	}
	superuser := strings.Replace(db.OwnerURL, string(postgres.OwnerLogin)+"@", string(postgres.Superuser)+"@", 1)
	if superuser != db.OwnerURL { // a server of one's own has no password
		if got := beyond(superuser, postgres.APIRole); !strings.Contains(got, "is a superuser") {
			t.Errorf("the superuser %s", got)
		}
	}
}
