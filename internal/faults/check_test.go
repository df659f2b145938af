//go:build linux

package faults_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/postgres"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// mostTold is how many violations of one kind the test reports.
const mostTold = 10

// check holds the record against the log and what was made of it.
func (r *run) check() {
	r.t.Helper()
	logs, admin := map[domain.TenantID][]domain.Recorded{}, r.cluster.pool(postgres.Superuser, "")
	for _, t := range r.tenants {
		logs[t.id] = readLog(r.t, admin, t.id)
	}
	r.violated("effects", checkEffects(r.record(), logs))
	r.violated("log", checkLogs(logs))
	r.violated("order", checkOrder(r.record()))
	r.violated("roles", checkRoles(r.record(), logs))
	r.violated("reads", r.checkReads())
	r.violated("linearizable", r.checkLinearizable())
	r.violated("notifications", r.checkNotifications(logs))
	r.violated("read models", r.checkModels())
	var strange []string
	for _, c := range r.clients {
		strange = append(strange, c.strange...)
	}
	r.violated("answers", strange)
}

// violated tells of the violations of one kind.
func (r *run) violated(kind string, violations []string) {
	r.t.Helper()
	for i, v := range violations {
		if i == mostTold {
			r.t.Errorf("%s: and %d more", kind, len(violations)-mostTold)
			return
		}
		r.t.Errorf("%s: %s", kind, v)
	}
}

// logSQL is a tenant's ($1) whole log.
const logSQL = `select ` + eventstore.Columns + ` from events where tenant_id = $1 order by seq`

// readLog reads a log as whoever sees all of it.
func readLog(t *testing.T, pool *pgxpool.Pool, id domain.TenantID) []domain.Recorded {
	t.Helper()
	rows, err := pool.Query(t.Context(), logSQL, id.UUID())
	if err != nil {
		t.Fatal(err)
	}
	events, err := pgx.CollectRows(rows, eventstore.Scan)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// heads are where the logs end.
func (r *run) heads() map[domain.TenantID]int64 {
	r.t.Helper()
	admin := r.cluster.session(postgres.Superuser, postgres.Database)
	defer admin.Close(context.Background())
	rows, err := admin.Query(r.t.Context(), headsSQL)
	if err != nil {
		r.t.Fatal(err)
	}
	heads := map[domain.TenantID]int64{}
	var (
		id   [16]byte
		head int64
	)
	if _, err := pgx.ForEachRow(rows, []any{&id, &head}, func() error {
		heads[domain.TenantID(id)] = head
		return nil
	}); err != nil {
		r.t.Fatal(err)
	}
	return heads
}

// keep writes the record beside the servers' logs, for go test -artifacts.
func (r *run) keep() {
	r.t.Helper()
	f, err := os.Create(filepath.Join(r.t.ArtifactDir(), "record.jsonl"))
	if err != nil {
		r.t.Error(err)
		return
	}
	defer f.Close()
	enc := json.NewEncoder(f)
	for _, c := range r.record() {
		if err := enc.Encode(c); err != nil {
			r.t.Error(err)
			return
		}
	}
}
