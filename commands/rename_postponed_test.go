package commands_test

import (
	"errors"
	"testing"
	"time"

	"docket/commands"
	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"

	"github.com/jackc/pgx/v5"
)

// A tenant whose log is locked stops no copy into another tenant. The page commits that its
// copy is postponed, so nothing is lost, and it is made when the log is free.
func TestLockedTenantPostponesItsCopyAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := bounded(t)
	ann := w.register("ann@example.org")
	done, err := w.one.CreateTenant(ctx, ann, commands.Origin{}, commands.NewTenant{Name: "Acme", Slug: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	acme := done.State.ID
	if _, err := w.one.Rename(ctx, ann, commands.Origin{}, domain.RenameUser{Name: domain.To("Anna")}); err != nil {
		t.Fatal(err)
	}
	lock, err := w.engine.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Rollback(ctx) }()
	if _, err := lock.Exec(ctx, `select from tenant_logs where tenant_id = $1 for update`, w.def.UUID()); err != nil {
		t.Fatal(err)
	}
	events, err := tenanttest.Load(ctx, w.store, domain.Platform, domain.Stream(domain.UserStream, ann), 0)
	if err != nil {
		t.Fatal(err)
	}
	err = pgx.BeginFunc(ctx, w.engine, func(tx pgx.Tx) error {
		p := &feed.Page{Subscription: commands.Renames, Tenant: domain.Platform, Events: events, Tx: tx}
		if err := w.two.CarryRenames(ctx, p); err != nil {
			return err
		}
		return p.Flush(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	name := func(tenant domain.TenantID) string {
		t.Helper()
		s, err := w.two.Admit(ctx, tenant, ann, true)
		if err != nil {
			t.Fatal(err)
		}
		return s.Actor().Name
	}
	if free, locked := name(acme), name(w.def); free != "Anna" || locked != "ann@example.org" {
		t.Errorf("the names are %q and, where the log is locked, %q; want the new one in the first alone", free, locked)
	}
	retry := func(timeout time.Duration) (left int, err error) {
		t.Helper()
		if _, err := w.engine.Exec(ctx, `update postponed_copies set due_at = now()`); err != nil {
			t.Fatal(err)
		}
		return feed.RetryPostponed(ctx, w.engine, commands.Renames, timeout, w.two.CarryRename)
	}
	var failure *feed.PostponedError
	if left, err := retry(100 * time.Millisecond); left != 1 || !errors.As(err, &failure) || failure.Tenant != w.def || failure.Attempts != 2 {
		t.Errorf("while the log is locked %d are left, %v; want that tenant's", left, err)
	}
	if err := lock.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if left, err := retry(time.Minute); left != 0 || err != nil {
		t.Errorf("once the log is free %d are left, %v; want none", left, err)
	}
	if got := name(w.def); got != "Anna" {
		t.Errorf("the name is %q, want Anna", got)
	}
}
