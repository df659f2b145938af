package eventstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"docket/domain"
	"docket/internal/tenanttest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const insufficientPrivilege = "42501"

// The log can't be rewritten, whoever asks: by grants for the roles that serve,
// by a trigger for the owner of the tables.
func TestLogIsAppendOnly(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Tenant()
	owner := f.DB.Owner(t)
	before := len(f.Log(domain.Platform))
	for _, c := range []struct {
		role string
		pool *pgxpool.Pool
		sql  []string
	}{
		{"engine", f.Engine, []string{
			`update events set data = '{}'`, `delete from events`, `truncate events`,
			`update tenant_logs set tenant_id = tenant_id`, `delete from tenant_logs`, `truncate tenant_logs`,
			`update claims set holder = holder`, `truncate claims`,
			`drop trigger events_append_only on events`, `alter table events disable trigger all`,
		}},
		{"api", f.API, []string{
			`insert into events select * from events`, `update events set data = '{}'`, `delete from events`, `truncate events`,
			`insert into tenant_logs values (gen_random_uuid())`, `select from tenant_logs for update`,
			`insert into claims values (gen_random_uuid(), '', '', gen_random_uuid())`, `delete from claims`,
			`insert into checkpoints values (gen_random_uuid(), '', 1)`, `update checkpoints set seq = 0`, `delete from checkpoints`,
			`insert into generations values (gen_random_uuid(), '', 1)`, `update generations set current = 1`, `delete from generations`,
			`select append(0,0,'{}'` + strings.Repeat(`,'{}'`, 36) + `)`,
			`select append_batch(0,0,'{}'` + strings.Repeat(`,'{}'`, 40) + `)`,
			`insert into commands select * from commands`, `delete from commands`,
			`set role docket_engine`,
		}},
		{"owner", owner, []string{
			`update events set data = '{}'`, `delete from events`, `truncate events`,
			`update tenant_logs set tenant_id = tenant_id`, `delete from tenant_logs`, `truncate tenant_logs`,
		}},
	} {
		for _, sql := range c.sql {
			_, err := c.pool.Exec(t.Context(), sql)
			var pg *pgconn.PgError
			if !errors.As(err, &pg) || pg.Code != insufficientPrivilege {
				t.Errorf("%s: %s: got %v, want insufficient privilege", c.role, sql, err)
			}
		}
	}
	if after := len(f.Log(domain.Platform)); after != before {
		t.Errorf("the log had %d events, has %d", before, after)
	}
}

// The api role sees one tenant, the one that its transaction has set.
func TestAPISeesOneTenant(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	mine, theirs := f.Tenant(), f.Tenant()
	for _, tenant := range []domain.TenantID{mine, theirs} {
		for _, sql := range []string{
			`insert into claims values ($1, 'slug', 'x', gen_random_uuid())`,
			`insert into checkpoints values ($1, 'x', 1)`,
			`insert into generations values ($1, 'x', 1)`,
		} {
			if _, err := f.Engine.Exec(t.Context(), sql, tenant.UUID()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, table := range []string{"events", "claims", "checkpoints", "generations"} {
		seen := func(as string) (own, all int) {
			t.Helper()
			err := pgx.BeginFunc(t.Context(), f.API, func(tx pgx.Tx) error {
				if as != "unset" {
					if _, err := tx.Exec(t.Context(), `select set_config('docket.tenant', $1, true)`, as); err != nil {
						return err
					}
				}
				return tx.QueryRow(t.Context(), `select count(*) filter (where tenant_id = $1), count(*) from `+table, mine.UUID()).Scan(&own, &all)
			})
			if err != nil {
				t.Fatal(err)
			}
			return own, all
		}
		if own, all := seen("unset"); own != 0 || all != 0 {
			t.Errorf("%s: without a tenant %d rows are seen", table, all)
		}
		if own, all := seen(""); own != 0 || all != 0 {
			t.Errorf("%s: with an empty tenant %d rows are seen", table, all)
		}
		if own, all := seen(mine.String()); own != 1 || all != 1 {
			t.Errorf("%s: of the own tenant %d rows are seen, of all %d, want 1 and 1", table, own, all)
		}
		if own, all := seen(theirs.String()); own != 0 || all != 1 {
			t.Errorf("%s: from another tenant %d of this one's rows are seen, %d in all", table, own, all)
		}
	}
}

// A scope ends with its batch: the next user of the connection has none.
func TestScopeEndsWithItsBatch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant, stream := f.Tenant(), newStream(t)
	f.Append(f.Store, commit(t, part(tenant, stream, 0, 1)))
	if _, err := tenanttest.Load(t.Context(), f.Store, tenant, stream, 0); err != nil {
		t.Fatal(err)
	}
	for _, conn := range f.API.AcquireAllIdle(t.Context()) {
		defer conn.Release()
		var n int
		if err := conn.QueryRow(t.Context(), `select count(*) from events`).Scan(&n); err != nil || n != 0 {
			t.Errorf("an idle connection sees %d events (%v)", n, err)
		}
	}
}

// The owner of the tables sees nothing either: row-level security is forced.
func TestOwnerSeesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Tenant()
	var n int
	err := f.DB.Owner(t).QueryRow(context.Background(), `select count(*) from events`).Scan(&n)
	if err != nil || n != 0 {
		t.Errorf("the owner sees %d events (%v)", n, err)
	}
}
