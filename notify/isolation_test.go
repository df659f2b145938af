package notify_test

import (
	"errors"
	"strings"
	"testing"

	"docket/internal/pgtest"
	"docket/notify"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The database lets the api role read and mark the rows of one user in one tenant,
// whatever its statement.
func TestDatabaseShowsOwnRowsOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.replica(nil)
	tenant, ann, bob := w.notified(3)
	other, _, _ := w.notified(2)
	api := w.db.API(t)
	for name, c := range map[string]struct {
		tenant, user string
		want         int64
	}{
		"bob's":                   {tenant.String(), bob.Actor().ID.String(), 3},
		"ann's":                   {tenant.String(), ann.Actor().ID.String(), 0},
		"bob's in another tenant": {other.String(), bob.Actor().ID.String(), 0},
		"of no user":              {tenant.String(), "", 0},
		"in no tenant":            {"", bob.Actor().ID.String(), 0},
		"of neither":              {"", "", 0},
	} {
		var seen, marked int64
		err := pgx.BeginFunc(t.Context(), api, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), `select set_config('docket.tenant', $1, true), set_config('docket.user', $2, true)`, c.tenant, c.user); err != nil {
				return err
			}
			if err := tx.QueryRow(t.Context(), `select count(*) from notifications`).Scan(&seen); err != nil {
				return err
			}
			tag, err := tx.Exec(t.Context(), `update notifications set read_at = null`)
			marked = tag.RowsAffected()
			return err
		})
		if err != nil || seen != c.want || marked != c.want {
			t.Errorf("%s: %d are seen, %d marked, want %d (%v)", name, seen, marked, c.want, err)
		}
	}
	if n := len(w.list(bob, notify.Filter{})); n != 3 {
		t.Errorf("bob has %d", n)
	}
}

// The api role writes no column but read_at.
func TestAPIOnlyMarks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	api := w.db.API(t)
	for _, sql := range []string{
		`insert into notifications select * from notifications`, `delete from notifications`, `truncate notifications`,
		`update notifications set title = ''`, `update notifications set user_id = user_id`,
	} {
		_, err := api.Exec(t.Context(), sql)
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "42501" {
			t.Errorf("%s: got %v, want insufficient privilege", sql, err)
		}
	}
}

// Plans of empty tables stay cached: none may scan a table, and lists are read from the
// index in order.
func TestStatementsPlanByIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		pool       *pgxpool.Pool
		statements map[string]string
	}{{w.engine, notify.EngineStatements}, {w.db.API(t), notify.APIStatements}} {
		for name, sql := range c.statements {
			plan, err := pgtest.GenericPlan(t, c.pool, sql)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if strings.Contains(plan, "Seq Scan") || strings.HasPrefix(name, "list") && strings.Contains(plan, "Sort") {
				t.Errorf("%s:\n%s", name, plan)
			}
		}
	}
}
