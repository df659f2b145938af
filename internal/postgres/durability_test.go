package postgres_test

import (
	neturl "net/url"
	"slices"
	"strings"
	"testing"

	"docket/internal/pgtest"
	"docket/internal/postgres"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// off asks the sessions of pools what is off.
func off(t *testing.T, pools ...*pgxpool.Pool) []string {
	t.Helper()
	d, err := postgres.AskDurability(t.Context(), pools...)
	if err != nil {
		t.Fatal(err)
	}
	if !d.Checksums {
		t.Error("no checksums")
	}
	return d.Off
}

func enginePool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Pool(t.Context(), url, postgres.PoolConfig{Role: postgres.EngineRole, MaxConns: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// forEngine is the connection string of the engine's login to a server that was
// just made.
func forEngine(t *testing.T, s *postgres.Server) (url string, admin *pgx.Conn) {
	t.Helper()
	if err := postgres.EnsureRoles(t.Context(), s.URL(postgres.OwnerLogin, postgres.Database)); err != nil {
		t.Fatal(err)
	}
	return s.URL(postgres.EngineLogin, postgres.Database), connect(t, s.URL(postgres.Superuser, postgres.Database))
}

// A server for tests keeps nothing; a database may turn the commit's wait on again.
func TestDurabilityOfAServerWithout(t *testing.T) {
	t.Parallel()
	url, admin := forEngine(t, start(t, postgres.Config{DataDir: pgtest.ClusterDir(t), Unsafe: true}))
	if got, want := off(t, enginePool(t, url)), []string{"fsync", "full_page_writes", "synchronous_commit"}; !slices.Equal(got, want) {
		t.Errorf("off: %v, want %v", got, want)
	}
	for _, value := range []string{"on", "local", "remote_write", "remote_apply"} {
		if _, err := admin.Exec(t.Context(), `ALTER DATABASE `+postgres.Database+` SET synchronous_commit = `+value); err != nil {
			t.Fatal(err)
		}
		if got, want := off(t, enginePool(t, url)), []string{"fsync", "full_page_writes"}; !slices.Equal(got, want) {
			t.Errorf("with synchronous_commit = %s, off: %v, want %v", value, got, want)
		}
	}
}

// A login, a database or a connection string may be less careful than the server,
// and one session of a pool less than the others.
func TestDurabilityOfEachSession(t *testing.T) {
	t.Parallel()
	url, admin := forEngine(t, start(t, postgres.Config{DataDir: pgtest.ClusterDir(t)}))
	do := func(sql string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	careless := []string{"synchronous_commit"}
	careful := enginePool(t, url)
	if got := off(t, careful); len(got) > 0 {
		t.Fatalf("off: %v", got)
	}
	if got := off(t, careful, enginePool(t, url+"&synchronous_commit=off")); !slices.Equal(got, careless) {
		t.Errorf("by the connection string, off: %v", got)
	}
	for where, undo := range map[string]string{
		`ALTER ROLE ` + string(postgres.EngineLogin) + ` SET synchronous_commit = off`:                                       `ALTER ROLE ` + string(postgres.EngineLogin) + ` RESET ALL`,
		`ALTER DATABASE ` + postgres.Database + ` SET synchronous_commit = 'false'`:                                          `ALTER DATABASE ` + postgres.Database + ` RESET ALL`,
		`ALTER ROLE ` + string(postgres.EngineLogin) + ` IN DATABASE ` + postgres.Database + ` SET synchronous_commit = '0'`: `ALTER ROLE ` + string(postgres.EngineLogin) + ` IN DATABASE ` + postgres.Database + ` RESET ALL`,
	} {
		do(where)
		if got := off(t, enginePool(t, url)); !slices.Equal(got, careless) {
			t.Errorf("after %s, off: %v", where, got)
		}
		do(undo)
	}

	first, err := careful.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := careful.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sessions := []*pgx.Conn{first.Conn(), second.Conn()}
	first.Release()
	second.Release()
	for _, c := range sessions { // the pool has no other user
		if _, err := c.Exec(t.Context(), `SET synchronous_commit = off`); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the pool's order changes each time
			if got := off(t, careful); !slices.Equal(got, careless) {
				t.Errorf("with one careless session of two, off: %v", got)
			}
		}
		if _, err := c.Exec(t.Context(), `RESET synchronous_commit`); err != nil {
			t.Fatal(err)
		}
	}
	if n := careful.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d sessions were not given back", n)
	}
	careful.Close()
	if _, err := postgres.AskDurability(t.Context(), careful); err == nil {
		t.Error("a closed pool has answered")
	}
}

// What a pool sets for its sessions, no login, database or connection string undoes.
func TestSessionsArePinned(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	owner := connect(t, db.OwnerURL)
	admin := connect(t, strings.Replace(db.OwnerURL, string(postgres.OwnerLogin)+"@", string(postgres.Superuser)+"@", 1))
	loose := map[string]string{
		"default_transaction_isolation": "serializable", "statement_timeout": "0", "lock_timeout": "0",
		"idle_in_transaction_session_timeout": "0", "enable_seqscan": "on",
	}
	var options []string
	for name, value := range loose {
		options = append(options, "-c "+name+"="+value)
		if _, err := owner.Exec(t.Context(), `ALTER DATABASE `+db.Name+` SET `+name+` = '`+value+`'`); err != nil {
			t.Fatal(err)
		}
		if _, err := admin.Exec(t.Context(), `ALTER ROLE `+string(postgres.EngineLogin)+` IN DATABASE `+db.Name+` SET `+name+` = '`+value+`'`); err != nil {
			t.Fatal(err)
		}
	}
	with := "?"
	if strings.Contains(db.EngineURL, "?") {
		with = "&"
	}
	for _, url := range []string{
		db.EngineURL,
		db.EngineURL + with + "default_transaction_isolation=serializable&statement_timeout=0&lock_timeout=0",
		db.EngineURL + with + "options=" + strings.ReplaceAll(neturl.QueryEscape(strings.Join(options, " ")), "+", "%20"),
	} {
		conn, err := enginePool(t, url).Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for setting, want := range map[string]string{
			"default_transaction_isolation": "read committed", "transaction_isolation": "read committed",
			"statement_timeout": "1min", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "45s", "enable_seqscan": "off",
		} {
			if got := one(t, conn.Conn(), `SELECT current_setting($1)`, setting); got != want {
				t.Errorf("%s = %q, want %q", setting, got, want)
			}
		}
		conn.Release()
	}
	if got := one(t, connect(t, db.EngineURL), `SELECT current_setting('default_transaction_isolation')`); got != "serializable" {
		t.Errorf("a session of no pool is %s: nothing was tried", got)
	}
}

// Slots are what is left of max_connections, and no more than the database's limit.
func TestSlots(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pool := enginePool(t, db.EngineURL)
	slots := func() int {
		t.Helper()
		n, err := postgres.Slots(t.Context(), pool)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var most int
	if err := pool.QueryRow(t.Context(), `SELECT current_setting('max_connections')::int`).Scan(&most); err != nil {
		t.Fatal(err)
	}
	// Three are reserved by default, and no server for tests reserves more.
	if n := slots(); n != most-3 {
		t.Errorf("%d slots of %d, want three less", n, most)
	}
	if _, err := connect(t, db.OwnerURL).Exec(t.Context(), `ALTER DATABASE `+db.Name+` CONNECTION LIMIT 40`); err != nil {
		t.Fatal(err)
	}
	if n := slots(); n != 40 {
		t.Errorf("%d slots, the database's limit is 40", n)
	}
}
