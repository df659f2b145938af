package migrations_test

import (
	"slices"
	"testing"

	"docket/internal/pgtest"
	"docket/internal/postgres"
	"docket/migrations"

	"github.com/jackc/pgx/v5"
)

// sqlGranted lists what the catalog says that the group roles may do.
const sqlGranted = `
with roles as (select oid, rolname from pg_roles where rolname in ('docket_engine', 'docket_api'))
select r.rolname, 'table', c.relname, '', a.privilege_type from pg_class c, aclexplode(c.relacl) a join roles r on r.oid = a.grantee
where c.relnamespace = 'public'::regnamespace
union all
select r.rolname, 'table', c.relname, t.attname, a.privilege_type
from pg_class c join pg_attribute t on t.attrelid = c.oid, aclexplode(t.attacl) a join roles r on r.oid = a.grantee
where c.relnamespace = 'public'::regnamespace
union all
select r.rolname, 'function', f.proname, '', a.privilege_type from pg_proc f, aclexplode(f.proacl) a join roles r on r.oid = a.grantee
where f.pronamespace = 'public'::regnamespace
union all
select r.rolname, 'schema', n.nspname, '', a.privilege_type from pg_namespace n, aclexplode(n.nspacl) a join roles r on r.oid = a.grantee
where n.nspname = 'public'`

func TestGrantsAreThoseOfTheCatalog(t *testing.T) {
	t.Parallel()
	read, err := migrations.Grants()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := pgtest.New(t).Owner(t).Query(t.Context(), sqlGranted)
	if err != nil {
		t.Fatal(err)
	}
	granted, err := pgx.CollectRows(rows, pgx.RowToStructByPos[postgres.Grant])
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range granted {
		if !slices.Contains(read, g) {
			t.Errorf("the catalog has %+v, which isn't read", g)
		}
	}
	for _, g := range read {
		// A function that a later migration dropped isn't in the catalog any more.
		if g.Kind != postgres.GrantFunction && !slices.Contains(granted, g) {
			t.Errorf("%+v is read, and isn't in the catalog", g)
		}
	}
	if len(granted) < 50 {
		t.Errorf("only %d grants", len(granted))
	}
}
