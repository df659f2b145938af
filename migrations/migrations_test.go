package migrations_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"docket/internal/pgtest"
	"docket/internal/postgres"
	"docket/migrations"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// sqlSchema describes everything in the schema public, one line per thing, except
// goose's own table.
const sqlSchema = `
WITH tables AS (
  SELECT oid, relname, relrowsecurity, relforcerowsecurity, relacl::text
  FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'S', 'm')
    AND relname NOT LIKE 'goose_db_version%')
SELECT line FROM (
  SELECT format('table %s %s %s %s', relname, relrowsecurity, relforcerowsecurity, relacl) FROM tables
  UNION ALL
  SELECT format('column %s.%s %s %s %s %s', relname, attname, format_type(atttypid, atttypmod), attnotnull, attacl::text,
                pg_get_expr(adbin, adrelid))
  FROM pg_attribute JOIN tables t ON t.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
  WHERE attnum > 0 AND NOT attisdropped
  UNION ALL
  SELECT format('constraint %s %s %s', relname, conname, pg_get_constraintdef(c.oid)) FROM pg_constraint c JOIN tables t ON t.oid = conrelid
  UNION ALL
  SELECT format('index %s', pg_get_indexdef(indexrelid)) FROM pg_index JOIN tables t ON t.oid = indrelid
  UNION ALL
  SELECT format('trigger %s', pg_get_triggerdef(g.oid)) FROM pg_trigger g JOIN tables t ON t.oid = tgrelid WHERE NOT tgisinternal
  UNION ALL
  SELECT format('policy %s %s %s %s %s %s', tablename, policyname, roles::text, cmd, qual, with_check) FROM pg_policies WHERE schemaname = 'public'
  UNION ALL
  SELECT format('function %s %s %s', p.oid::regprocedure, proacl::text, md5(pg_get_functiondef(p.oid)))
  FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND prokind IN ('f', 'p')
  UNION ALL
  SELECT format('type %s', typname) FROM pg_type t
  WHERE typnamespace = 'public'::regnamespace AND (typtype IN ('d', 'e') OR typtype = 'c' AND NOT EXISTS (
    SELECT 1 FROM pg_class WHERE oid = t.typrelid AND relkind <> 'c'))
) AS things (line) ORDER BY line COLLATE "C"`

func schema(t *testing.T, url string) []string {
	t.Helper()
	c := connect(t, url)
	defer c.Close(t.Context())
	rows, err := c.Query(t.Context(), sqlSchema)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func up(t *testing.T, db *pgtest.DB) {
	t.Helper()
	if err := migrations.Up(t.Context(), db.OwnerURL, nil); err != nil {
		t.Fatal(err)
	}
}

func pending(t *testing.T, url string) (current, target int64) {
	t.Helper()
	current, target, err := migrations.Pending(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return current, target
}

func TestUpDownUp(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	// Every login may ask, before and after.
	if current, target := pending(t, db.EngineURL); current != 0 || target == 0 {
		t.Fatalf("at first: at %d of %d", current, target)
	}
	up(t, db)
	for _, url := range []string{db.OwnerURL, db.EngineURL, db.APIURL} {
		if current, target := pending(t, url); current != target {
			t.Errorf("after Up: at %d of %d", current, target)
		}
	}
	first := schema(t, db.OwnerURL)
	if len(first) < 50 {
		t.Errorf("only %d things: does the query see them?", len(first))
	}
	up(t, db)
	same(t, "a second Up", schema(t, db.OwnerURL), first)

	if err := migrations.Down(t.Context(), db.OwnerURL, 0, nil); err != nil {
		t.Fatal(err)
	}
	if left := schema(t, db.OwnerURL); len(left) > 0 {
		t.Errorf("Down left:\n%s", strings.Join(left, "\n"))
	}
	if current, _ := pending(t, db.OwnerURL); current != 0 {
		t.Errorf("after Down: at %d", current)
	}
	up(t, db)
	same(t, "up again", schema(t, db.OwnerURL), first)
}

// Each version is the same whether it is reached from the one before or from the one after.
func TestEachStepDown(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	if err := postgres.EnsureRoles(t.Context(), db.OwnerURL); err != nil {
		t.Fatal(err)
	}
	_, target := pending(t, db.OwnerURL)
	ascended := [][]string{nil}
	for to := int64(1); to <= target; to++ {
		if err := migrations.UpTo(t.Context(), db.OwnerURL, to); err != nil {
			t.Fatal(err)
		}
		ascended = append(ascended, schema(t, db.OwnerURL))
	}
	for to := target - 1; to >= 0; to-- {
		if err := migrations.Down(t.Context(), db.OwnerURL, to, nil); err != nil {
			t.Fatal(err)
		}
		if current, _ := pending(t, db.OwnerURL); current != to {
			t.Fatalf("at %d, want %d", current, to)
		}
		same(t, fmt.Sprintf("down to %d", to), schema(t, db.OwnerURL), ascended[to])
	}
	up(t, db)
	same(t, "down and up", schema(t, db.OwnerURL), ascended[target])
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("%s changed the schema; now:\n%s\nbefore:\n%s", what, g, w)
	}
}

func TestReplicasMigrateAtOnce(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	var all sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		all.Go(func() { errs[i] = migrations.Up(t.Context(), db.OwnerURL, nil) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	c := connect(t, db.OwnerURL)
	var twice int
	const query = `SELECT count(*) - count(DISTINCT version_id) FROM goose_db_version`
	if err := c.QueryRow(t.Context(), query).Scan(&twice); err != nil || twice != 0 {
		t.Errorf("%d migrations ran twice, %v", twice, err)
	}
}

// Postgres looks for a schema named for the login first.
func TestSchemaNamedForTheLogin(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	c := connect(t, db.OwnerURL)
	if _, err := c.Exec(t.Context(), `CREATE SCHEMA docket_owner`); err != nil {
		t.Fatal(err)
	}
	up(t, db)
	const query = `SELECT count(*) FROM pg_class WHERE relnamespace = 'docket_owner'::regnamespace`
	var astray int
	if err := c.QueryRow(t.Context(), query).Scan(&astray); err != nil || astray != 0 {
		t.Errorf("%d tables and indexes outside public, %v", astray, err)
	}
}

// The third wall: no table of a tenant without row-level security, not even for
// its owner, and no role beyond what it needs.
func TestTenantTablesAreWalled(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	c := connect(t, db.OwnerURL)
	const open = `
		SELECT coalesce(string_agg(DISTINCT relname, ', '), '') FROM pg_class c
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
		  AND NOT (relrowsecurity AND relforcerowsecurity)`
	for what, query := range map[string]string{
		"tables without forced row-level security": open,
		"tables on which anyone has a right": `
			SELECT coalesce(string_agg(c.relname, ', '), '') FROM pg_class c, aclexplode(c.relacl) g
			WHERE relnamespace = 'public'::regnamespace AND g.grantee = 0`,
		"tables that Docket's roles own": `
			SELECT coalesce(string_agg(relname, ', '), '') FROM pg_class
			WHERE relnamespace = 'public'::regnamespace AND relowner IN ('docket_engine'::regrole, 'docket_api'::regrole)`,
		"what api may write of events": `
			SELECT coalesce(string_agg(privilege, ', '), '') FROM unnest(array['INSERT','UPDATE','DELETE','TRUNCATE']) privilege
			WHERE has_table_privilege('docket_api', 'events', privilege)`,
		"what engine may change of events": `
			SELECT coalesce(string_agg(privilege, ', '), '') FROM unnest(array['UPDATE','DELETE','TRUNCATE']) privilege
			WHERE has_table_privilege('docket_engine', 'events', privilege)`,
		"who may create in public": `
			SELECT coalesce(string_agg(who, ', '), '') FROM unnest(array['docket_engine', 'docket_api']) who
			WHERE has_schema_privilege(who, 'public', 'CREATE')`,
	} {
		var found string
		if err := c.QueryRow(t.Context(), query).Scan(&found); err != nil {
			t.Errorf("%s: %v", what, err)
		} else if found != "" {
			t.Errorf("%s: %s", what, found)
		}
	}
}

func TestBadURLIsNotQuoted(t *testing.T) {
	t.Parallel()
	const url = "postgres://u:se#cret@host:x/db"
	_, _, err := migrations.Pending(t.Context(), url)
	for _, err := range []error{err, migrations.Up(t.Context(), url, nil), migrations.Down(t.Context(), url, 0, nil), postgres.EnsureRoles(t.Context(), url)} {
		if err == nil || strings.Contains(err.Error(), "cret") {
			t.Errorf("error %v", err)
		}
	}
}
