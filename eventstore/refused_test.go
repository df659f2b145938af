package eventstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/pgtest"
	"docket/internal/postgres"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What Postgres itself answers when it refuses this program is an outage; when it refuses
// a statement that this program should not have made, it isn't.
func TestWhatPostgresRefuses(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	owner := db.Owner(t)
	run := func(sql string) {
		t.Helper()
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	dial := func(url string, role postgres.Role) error {
		t.Helper()
		cfg, err := pgx.ParseConfig(url)
		if err != nil {
			t.Fatal(err)
		}
		if role != "" {
			cfg.RuntimeParams["role"] = string(role)
		}
		conn, err := pgx.ConnectConfig(t.Context(), cfg)
		if err == nil {
			_ = conn.Close(context.WithoutCancel(t.Context()))
		}
		return err
	}
	api, engine := db.API(t), db.Engine(t)
	query := func(sql string) error {
		_, err := api.Exec(t.Context(), sql)
		return err
	}
	for name, refused := range map[string]error{
		"no such database":        dial(strings.Replace(db.APIURL, db.Name, "nonesuch", 1), ""),
		"no such login":           dial(strings.Replace(db.APIURL, string(postgres.APILogin), "nobody_at_all", 1), ""),
		"a role that isn't there": dial(db.APIURL, "nonesuch"),
		"a role of others":        dial(db.APIURL, postgres.EngineRole),
	} {
		if !eventstore.Outage(refused) {
			t.Errorf("%s: %v is no outage", name, refused)
		}
	}
	run(`revoke select on comments from docket_api`)
	run(`revoke update on notifications from docket_api`)
	run(`revoke update (read_at) on notifications from docket_api`)
	for name, refused := range map[string]error{
		"a table":  query(`select from comments`),
		"a column": query(`update notifications set read_at = now()`),
	} {
		if got := eventstore.Unreachable(refused); coded(got) != domain.CodeOverloaded {
			t.Errorf("%s: %v became %v", name, refused, got)
		}
	}
	run(`revoke execute on function append_one, append_batch from docket_engine`)
	s := eventstore.New(engine, api, nil)
	c := commit(t, part(domain.Platform, newStream(t), 0, 1))
	if _, err := s.Append(t.Context(), c); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("an append without the right to append: %v", err)
	}
	run(`create policy none on comments as restrictive for insert to docket_engine with check (false)`)
	for name, defect := range map[string]string{
		"row-level security":  `insert into comments (tenant_id) select gen_random_uuid()`,
		"the log's trigger":   `truncate events`,
		"an unknown relation": `select from nonesuch`,
	} {
		pool := engine
		if name == "the log's trigger" {
			pool = owner
		}
		_, err := pool.Exec(t.Context(), defect)
		var answered *pgconn.PgError
		if !errors.As(err, &answered) || eventstore.Outage(err) {
			t.Errorf("%s: %v is an outage", name, err)
		}
	}
}

func coded(err error) domain.Code {
	var coded *domain.Error
	if !errors.As(err, &coded) {
		return ""
	}
	return coded.Code
}
