package notify

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"docket/internal/pgtest"
	"docket/internal/tenanttest"

	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/google/uuid"
)

// A claim that waits for its channel's lock delays no other channel's claim.
func TestClaimsOfOneChannelDelayNoOther(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t).Engine(t)
	c := newClaims(pool, map[string]bool{"email": false, "slack": false}, slog.New(slog.DiscardHandler))
	holder, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := holder.Exec(t.Context(), claimLockSQL, "email"); err != nil {
		t.Fatal(err)
	}
	claim := func(channel string) error {
		q, err := schema{lease: time.Minute, perTenant: 2}.SelectQuery(sql.SelectQueryParams{Topic: channel})
		if err == nil {
			_, err = (&attempt{claims: c}).QueryContext(t.Context(), q.Query, q.Args...)
		}
		return err
	}
	email := make(chan error, 1)
	go func() { email <- claim("email") }()
	tenanttest.Eventually(t, "the claim of e-mail waits", func() (waits bool, got any) {
		err := holder.QueryRow(t.Context(), `select exists (select from pg_locks where locktype = 'advisory' and not granted
			and database = (select oid from pg_database where datname = current_database()))`).Scan(&waits)
		return waits, err
	})
	if err := claim("slack"); err != nil {
		t.Error(err)
	}
	if len(email) > 0 {
		t.Error("the claim of Slack waited for the claim of e-mail")
	}
	if err := holder.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
	<-email
}

// A tenant whose secret can't be opened is left to other replicas, for a time.
func TestForeignTenantsAreLeftOut(t *testing.T) {
	t.Parallel()
	var f foreignTenants
	now, tenant := time.Now(), uuid.New()
	if got := f.list(now); got == nil || len(got) > 0 {
		t.Errorf("at first: %v", got)
	}
	f.add(tenant, now)
	if got := f.list(now.Add(foreignFor - 1)); len(got) != 1 || got[0] != tenant {
		t.Errorf("then: %v", got)
	}
	if got := f.list(now.Add(foreignFor)); len(got) > 0 || len(f.until) > 0 {
		t.Errorf("later: %v", got)
	}
}
