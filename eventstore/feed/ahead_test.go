package feed_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"

	"github.com/jackc/pgx/v5"
)

// A log that has lost events: a subscription without a fold continues from the log's head
// and misses nothing after it, rows of a fold aren't complete until a build has replaced
// them, and the records of lost commands are deleted.
func TestCheckpointsAheadOfTheirLogs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant, well := f.Tenant(), f.Tenant()
	head, other := f.Grow(f.Store, tenant, 5), f.Grow(f.Store, well, 5)
	start := func() (*replica, *seen, *[]int64) {
		plain, recovered := &seen{}, &[]int64{}
		r := f.replica(feed.Config{
			Interests: map[string]feed.Interest{"rows": {FoldVersion: 1}},
			Recoveries: map[string]feed.Recovery{"plain": {
				Drop: func(_ context.Context, _ pgx.Tx, at domain.TenantID, to int64) error {
					if at != tenant || to != head {
						t.Errorf("recovers tenant %s to %d, want %s to %d", at, to, tenant, head)
					}
					return nil
				},
				Fold: func(_ context.Context, p *feed.Page) error {
					for _, e := range p.Events {
						*recovered = append(*recovered, e.Seq)
					}
					return nil
				},
			}},
		})
		if err := r.feed.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.subscribe("plain", plain.handle)
		r.subscribe("rows", nothing)
		return r, plain, recovered
	}
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := f.Engine.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	r, _, _ := start()
	r.wantsReached(tenant, head, "plain", "rows")
	r.wantsReached(well, other, "plain", "rows")
	tenanttest.Until(t, f.Engine, `select bool_and(seq = $2) from checkpoints where tenant_id = $1`, tenant.UUID(), head)
	r.close()
	exec(`update checkpoints set seq = seq + 3 where tenant_id = $1`, tenant.UUID())
	for seq := head; seq <= head+1; seq++ {
		exec(`insert into commands (tenant_id, key_hash, fingerprint, command_id, seq, at)
values ($1, sha256($2::text::bytea), sha256('x'), gen_random_uuid(), $3, now())`, tenant.UUID(), string(rune('a'+seq)), seq)
	}
	for _, name := range []string{"plain", "rows"} {
		if s, err := feed.StatusOf(t.Context(), f.Engine, name); err != nil || len(s.Ahead) != 1 || s.Ahead[0].Tenant != tenant || s.Ahead[0].Seq != head+3 || s.Ahead[0].Head != head {
			t.Errorf("before a server starts, %s is %+v, %v; want one ahead of its log", name, s.Ahead, err)
		}
	}

	r, plain, recovered := start()
	r.wantsSaid("a checkpoint was ahead of its log; it continues", 1)
	r.wantsSaid("a checkpoint was ahead of its log; its rows", 1)
	next := f.Grow(r.store, tenant, 2)
	r.wantsReached(tenant, next, "plain")
	plain.wants(t, tenant, []int64{head + 1, next})
	if !slices.Equal(*recovered, but(head)) {
		t.Errorf("folded again were %v, want all to %d", *recovered, head)
	}
	var records int
	if err := f.Engine.QueryRow(t.Context(), `select count(*) from commands where tenant_id = $1`, tenant.UUID()).Scan(&records); err != nil || records != 1 {
		t.Errorf("%d idempotency records are left, %v; want that of the event that is there", records, err)
	}
	complete := func(want bool, of domain.TenantID) {
		t.Helper()
		if got, err := r.positions.BuildComplete(t.Context(), of, "rows"); err != nil || got != want {
			t.Errorf("the rows of %s are complete: %t, %v; want %t", of, got, err, want)
		}
	}
	complete(false, tenant)
	complete(true, well)
	s, err := feed.StatusOf(t.Context(), f.Engine, "rows")
	if err != nil || len(s.Ahead) != 1 || !strings.Contains(s.Ahead[0].Text, "a rebuild mends it") {
		t.Errorf("the rows are %+v, %v; want them to wait for a rebuild", s.Ahead, err)
	}
	needs, err := feed.PendingBuilds(t.Context(), f.Engine, map[string]int{"rows": 1})
	if err != nil || len(needs) != 1 || needs[0].Tenant != tenant {
		t.Errorf("builds are pending of %+v, %v; want one", needs, err)
	}
	builds, err := feed.OpenBuilds(t.Context(), f.Engine, tenant, "")
	if err != nil {
		t.Fatal(err)
	}
	defer builds.Close()
	build, err := builds.Supersede(t.Context(), "rows", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := build.Switch(t.Context(), 100, nothing); err != nil {
		t.Fatal(err)
	}
	complete(true, tenant)
	if s, err := feed.StatusOf(t.Context(), f.Engine, "rows"); err != nil || len(s.Ahead) != 0 {
		t.Errorf("after the build %+v, %v; want none ahead", s.Ahead, err)
	}
}

// A recovery that takes long holds up no sweep: other tenants' events are found meanwhile. A
// server waits for the recovery before its first append.
func TestSweepsContinueDuringARecovery(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant, well := f.Tenant(), f.Tenant()
	head := f.Grow(f.Store, tenant, 2)
	if _, err := f.Engine.Exec(t.Context(), `insert into checkpoints (tenant_id, subscription, generation, seq) values ($1, 'plain', 1, $2)`,
		tenant.UUID(), head+1); err != nil {
		t.Fatal(err)
	}
	begun, release := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(begun) })
	r := f.replica(feed.Config{Recoveries: map[string]feed.Recovery{"plain": {
		Drop: func(ctx context.Context, _ pgx.Tx, _ domain.TenantID, _ int64) error {
			once()
			select {
			case <-release:
			case <-ctx.Done():
			}
			return ctx.Err()
		},
		Fold: nothing,
	}}})
	r.subscribe("plain", nothing)
	select {
	case <-begun:
	case <-time.After(tenanttest.MaxWait):
		t.Fatal("no recovery began")
	}
	for range 3 {
		r.wantsReached(well, f.Grow(f.Store, well, 1), "plain") // by a Store that tells no Feed
	}
	early, cancel := withPatience(t)
	defer cancel()
	if r.feed.AwaitSweeps(early) {
		t.Error("the recovery wasn't waited for")
	}
	close(release)
	late, cancel := context.WithTimeout(t.Context(), tenanttest.MaxWait)
	defer cancel()
	if !r.feed.AwaitSweeps(late) {
		t.Error("the recovery didn't end")
	}
	if c := f.checkpoint("plain", tenant); c.Seq != head {
		t.Errorf("the checkpoint is at %d, want %d", c.Seq, head)
	}
}

// A page may hold the lock of a checkpoint that is ahead. It is brought back after that, and
// a server waits for it.
func TestAheadBehindALock(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	if _, err := f.Engine.Exec(t.Context(), `insert into checkpoints (tenant_id, subscription, generation, seq) values ($1, 'plain', 1, 2)`, tenant.UUID()); err != nil {
		t.Fatal(err)
	}
	page, err := f.DB.Engine(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = page.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := page.Exec(t.Context(), `select from checkpoints where tenant_id = $1 for no key update`, tenant.UUID()); err != nil {
		t.Fatal(err)
	}
	pool, s := f.traced()
	r := f.replicaOn(pool, feed.Config{Sweep: never})
	r.subscribe("plain", nothing)
	tenanttest.Eventually(t, "nothing brings it back", func() (bool, any) { return s.count("for no key update skip locked") > 0, nil })
	if err := page.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), tenanttest.MaxWait)
	defer cancel()
	if !r.feed.AwaitSweeps(ctx) {
		t.Error("the sweeps don't end")
	}
	if c := f.checkpoint("plain", tenant); c.Seq != 1 {
		t.Errorf("the checkpoint is at %d, want 1", c.Seq)
	}
}
