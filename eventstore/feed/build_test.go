package feed_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"
)

// nothing is what a build fills with where only its checkpoint matters.
func nothing(context.Context, *feed.Page) error { return nil }

// halfBuilt is a build of ten events that has folded the first four.
func halfBuilt(t *testing.T) (*fixture, domain.TenantID, *tenanttest.SingleBuild) {
	t.Helper()
	f := newFixture(t)
	tenant := f.Tenant()
	f.Grow(f.Store, tenant, 9)
	b, err := tenanttest.StartBuild(t.Context(), f.Engine, tenant, "rows", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if n, err := b.Page(t.Context(), 4, nothing); n != 4 || err != nil || b.Bytes() < 4*100 {
		t.Fatal(n, b.Bytes(), err)
	}
	return f, tenant, b
}

// A build whose guarding session was ended stops, and another goes on from its
// checkpoint.
func TestBuildThatLostItsLock(t *testing.T) {
	t.Parallel()
	f, tenant, first := halfBuilt(t)
	if _, err := tenanttest.Session(t, f.DB.EngineURL).Exec(t.Context(), `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
and database = (select oid from pg_database where datname = current_database())`); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Page(t.Context(), 4, nothing); err == nil {
		t.Fatal("it went on without its lock")
	}
	first.Close()
	// A session that is ended says so before it gives up its locks.
	tenanttest.Until(t, f.Engine, `select not exists (select from pg_locks where locktype = 'advisory'
and database = (select oid from pg_database where datname = current_database()))`)
	second, err := tenanttest.StartBuild(t.Context(), f.Engine, tenant, "rows", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if second.Seq() != 4 || second.Generation() != first.Generation() {
		t.Fatalf("the second began at %d in generation %d, the first left %d in %d",
			second.Seq(), second.Generation(), first.Seq(), first.Generation())
	}
}

// A build that has lost its lock without knowing it can't continue after it was abandoned,
// and doesn't delete the build that another process has begun since.
func TestAbandonedBuildCannotContinue(t *testing.T) {
	t.Parallel()
	f, tenant, b := halfBuilt(t)
	if err := b.Abandon(t.Context(), func(ctx context.Context, live, last int) error {
		if live != 1 || last != b.Generation() {
			t.Errorf("generations after %d up to %d are dropped, of a build of %d", live, last, b.Generation())
		}
		if n, err := b.Page(ctx, 4, nothing); err == nil {
			t.Errorf("it went on with %d events", n)
		}
		if err := b.Switch(ctx, 4, nothing); err == nil {
			t.Error("it was made live")
		}
		_, err := f.Engine.Exec(ctx, `insert into checkpoints (tenant_id, subscription, generation, fold_version) values ($1, 'rows', $2, 1)`,
			tenant.UUID(), last+1)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var left []int
	if err := f.Engine.QueryRow(t.Context(), `select array_agg(generation order by generation) from checkpoints
where tenant_id = $1 and subscription = 'rows' and generation > 1`, tenant.UUID()).Scan(&left); err != nil || len(left) != 1 || left[0] != b.Generation()+1 {
		t.Errorf("the checkpoints %v are left of builds (%v)", left, err)
	}
}

// A fold, or a value, that panics fails the page, and not the process.
func TestBuildSurvivesPanics(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	f.Grow(f.Store, tenant, 3)
	b, err := tenanttest.StartBuild(t.Context(), f.Engine, tenant, "rows", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for name, fill := range map[string]feed.Fill{
		"panic: in a fold": func(context.Context, *feed.Page) error { panic("in a fold") },
		"panic: out of cheese": func(_ context.Context, p *feed.Page) error {
			p.Queue(`select $1::text`, panics{})
			return nil
		},
	} {
		if _, err := b.Page(t.Context(), 2, fill); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %s", err, name)
		}
	}
	if n, err := b.Page(t.Context(), 9, nothing); n != 4 || err != nil {
		t.Errorf("and then a page of %d, %v", n, err)
	}
}

// Different subscriptions and tenants are built side by side.
func TestBuildsSideBySide(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	one, two := f.Tenant(), f.Tenant()
	for _, b := range []struct {
		tenant       domain.TenantID
		subscription string
	}{{one, "rows"}, {one, "others"}, {two, "rows"}} {
		build, err := tenanttest.StartBuild(t.Context(), f.Engine, b.tenant, b.subscription, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer build.Close()
	}
	var running *feed.BuildRunningError
	if _, err := tenanttest.StartBuild(t.Context(), f.Engine, one, "rows", 1); !errors.As(err, &running) || running.Subscription != "rows" || running.Tenant != one {
		t.Fatalf("got %v", err)
	}
}

// A flip waits for the page that is being handled, folds all that it handled,
// and the subscription goes on in the new generation.
func TestFlipWaitsForThePageInHand(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	head := f.Grow(f.Store, tenant, 5)
	build, err := tenanttest.StartBuild(t.Context(), f.Engine, tenant, "rows", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer build.Close()

	// The page in hand: the checkpoint is locked, and its advance isn't committed.
	if _, err := f.Engine.Exec(t.Context(), `insert into checkpoints (tenant_id, subscription, generation) values ($1, 'rows', 1)
on conflict do nothing`, tenant.UUID()); err != nil {
		t.Fatal(err)
	}
	tx, err := f.Engine.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `update checkpoints set seq = $2 where tenant_id = $1 and subscription = 'rows' and generation = 1`,
		tenant.UUID(), head); err != nil {
		t.Fatal(err)
	}
	var folded []int64
	switched := make(chan error, 1)
	go func() {
		switched <- build.Switch(t.Context(), 2, func(_ context.Context, p *feed.Page) error {
			for _, e := range p.Events {
				folded = append(folded, e.Seq)
			}
			return nil
		})
	}()
	tenanttest.Until(t, f.Engine, `select exists (select from pg_stat_activity
where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0)`)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-switched; err != nil {
		t.Fatal(err)
	}
	if int64(len(folded)) != head || build.Seq() != head {
		t.Fatalf("folded %v of %d", folded, head)
	}
	var checkpoints, generation int
	var seq int64
	if err := f.Engine.QueryRow(t.Context(), `select count(*), max(generation), max(seq) from checkpoints where tenant_id = $1`,
		tenant.UUID()).Scan(&checkpoints, &generation, &seq); err != nil {
		t.Fatal(err)
	}
	if checkpoints != 1 || generation != build.Generation() || seq != head {
		t.Fatalf("%d checkpoints, generation %d at %d", checkpoints, generation, seq)
	}
}

// A flip leaves a build above it as it stands, so that its number isn't given again,
// and never goes back to a generation below the live one.
func TestFlipBesideABuildAbove(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	f.Grow(f.Store, tenant, 5)
	begin := func(fold int) *tenanttest.SingleBuild {
		t.Helper()
		b, err := tenanttest.StartBuild(t.Context(), f.Engine, tenant, "rows", fold)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	lower := begin(1)
	lower.Close()
	upper := begin(2)
	if _, err := upper.Page(t.Context(), 3, nothing); err != nil {
		t.Fatal(err)
	}
	upper.Close()
	lower = begin(1)
	if err := lower.Switch(t.Context(), 9, nothing); err != nil {
		t.Fatal(err)
	}
	lower.Close()
	again := begin(2)
	if again.Generation() != upper.Generation() || again.Seq() != upper.Seq() {
		t.Errorf("generation %d at %d, want %d at %d", again.Generation(), again.Seq(), upper.Generation(), upper.Seq())
	}
	if err := again.Switch(t.Context(), 9, nothing); err != nil {
		t.Fatal(err)
	}
	again.Close()
	if err := again.Switch(t.Context(), 9, nothing); err == nil {
		t.Error("switched without its locks")
	}
}
