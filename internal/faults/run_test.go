//go:build linux

package faults_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"docket/commands"
	"docket/eventstore/feed"
	"docket/internal/postgres"
	"docket/notify"
	"docket/projections"
)

// run is one Postgres, two replicas, the load on them and what becomes of it.
type run struct {
	t        *testing.T
	seed     uint64
	rng      *rand.Rand // the schedule's
	began    time.Time
	cluster  *cluster
	replicas []*replica
	tenants  []*tenant
	mu       sync.Mutex // protects clients where they are made at once
	clients  []*client
	// positions: the server knows min_seq, so that reads can be held against writes.
	positions bool

	// settling ends when clients may no longer ask again.
	settling context.Context
	// acked are acknowledged commands, unknowns answers that said nothing.
	acked, unknowns *gauge
}

func newRun(t *testing.T, seed uint64, tenants int) *run {
	t.Helper()
	r := &run{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), began: time.Now(),
		cluster: newCluster(t), acked: newGauge(), unknowns: newGauge(), settling: t.Context(),
	}
	for _, name := range []string{"one", "two"} {
		replica := r.cluster.newReplica(name)
		if err := replica.start(); err != nil {
			t.Fatal(err)
		}
		r.replicas = append(r.replicas, replica)
	}
	for n := range tenants {
		r.tenants = append(r.tenants, r.newTenant(n))
	}
	r.positions = r.knowsPositions()
	return r
}

// knowsPositions asks for a read with min_seq.
func (r *run) knowsPositions() bool {
	r.t.Helper()
	as := &client{run: r, http: http.DefaultClient, person: r.tenants[0].founder, tenant: r.tenants[0]}
	a, err := as.send(r.t.Context(), r.replicas[0], http.MethodGet, "/v1/projects?min_seq=1", "setup", nil, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return a.status == http.StatusOK
}

// now is the time since the run began, by a clock that never goes back.
func (r *run) now() time.Duration { return time.Since(r.began) }

// load runs clients until stop is called, which waits for them; their last
// unknown outcomes they may ask for until settled.
func (r *run) load() (stop func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	var clients sync.WaitGroup
	start := func(t *tenant, p *person, do func(*client, context.Context)) {
		c := r.newClient(t, p)
		clients.Go(func() { do(c, ctx) })
	}
	for _, t := range r.tenants {
		start(t, t.founder, (*client).flip)
		start(t, t.flipped, (*client).create)
		start(t, t.manager, (*client).write)
		for _, p := range t.members {
			start(t, p, (*client).write)
		}
	}
	return func() {
		cancel()
		clients.Wait()
	}
}

// subscriptions are the names of all that read the log.
func subscriptions() []string {
	return append(projections.Models(), notify.SubscriptionName, commands.Renames)
}

// headsSQL are the logs and how long each is.
const headsSQL = `select t.tenant_id, coalesce((select max(e.seq) from events e where e.tenant_id = t.tenant_id), 0) from tenant_logs t`

// behindSQL tells of each checkpoint that isn't at its log's head ($1 the
// subscriptions).
const behindSQL = `select s.name, t.tenant_id, coalesce(c.seq, 0), h.seq, coalesce(c.failures, 0), coalesce(c.error, '')
from tenant_logs t cross join unnest($1::text[]) as s (name)
cross join lateral (select coalesce(max(e.seq), 0) as seq from events e where e.tenant_id = t.tenant_id) h
left join generations g on g.tenant_id = t.tenant_id and g.subscription = s.name
left join checkpoints c on c.tenant_id = t.tenant_id and c.subscription = s.name and c.generation = coalesce(g.current, 1)
where h.seq > coalesce(c.seq, 0)`

// caughtUp waits until every subscription has read every log to where it ends
// now, or the test's time is nearly over: then it says who stands where.
func (r *run) caughtUp() {
	r.t.Helper()
	ctx, cancel := untilNearlyOver(r.t)
	defer cancel()
	admin := r.cluster.pool(postgres.Superuser, "")
	defer admin.Close()
	progress := feed.NewPositions(admin)
	for id, head := range r.heads() {
		if progress.Await(ctx, id, head, subscriptions()...) {
			continue
		}
		rows, err := admin.Query(context.WithoutCancel(ctx), behindSQL, subscriptions())
		if err != nil {
			r.t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			values, _ := rows.Values()
			r.t.Errorf("subscription, tenant, stands at, head, failures, error: %v", values)
		}
		r.t.Fatal("the subscriptions have stopped")
	}
}

// last is what is left of the test's time to say what is wrong.
const last = 15 * time.Second
