//go:build linux

package faults_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"docket/domain"
	"docket/internal/postgres"
)

// fault is one thing that goes wrong. It returns when all is well again, with
// how many requests, or sessions with Postgres, were in the middle of something
// when it struck.
type fault struct {
	name   string
	strike func(*run, context.Context) int
}

// faults are all there are; in the long form the worst come twice in a round.
var faults = []fault{
	{"Postgres killed", (*run).killPostgres},
	{"Postgres killed", (*run).killPostgres},
	{"session killed", (*run).killSession},
	{"Postgres stopped", (*run).stopPostgres},
	{"server killed", (*run).killServer},
	{"server killed", (*run).killServer},
	{"connections reset", (*run).resetConnections},
	{"answers lost", (*run).loseAnswers},
	{"connections silent", (*run).holdConnections},
	{"connections slow", (*run).slowConnections},
	{"server stopped", (*run).stopServer},
	{"long transaction elsewhere", (*run).longTransaction},
}

// chosen are the faults of this run.
func chosen() []fault {
	all := slices.Clone(faults)
	if !*longFlag {
		all = slices.CompactFunc(all, func(a, b fault) bool { return a.name == b.name })
	}
	return slices.DeleteFunc(all, func(f fault) bool { return !strings.Contains(f.name, *onlyFlag) })
}

// struck is one fault of the run.
type struck struct {
	fault    string
	at, took time.Duration
	// hit is what strike returned, acked how many commands were acknowledged
	// since the fault before.
	hit, acked int
}

// strikes is how often a fault strikes that hits no request.
const strikes = 5

// schedule strikes with faults in an order of the seed's choice, round by round,
// until the time is over; at least one round.
func (r *run) schedule(atLeast time.Duration) []struck {
	r.t.Helper()
	ctx, cancel := untilNearlyOver(r.t)
	defer cancel()
	var done []struck
	faults := chosen()
	until := time.Now().Add(atLeast)
	for {
		for _, i := range r.rng.Perm(len(faults)) {
			// On a slow machine nothing may happen just then: one that hits no request
			// proves nothing, and strikes again.
			for again, hit := 0, 0; hit == 0 && again < strikes; again++ {
				before := r.acked.value()
				r.calm(ctx)
				at := r.now()
				hit = faults[i].strike(r, ctx)
				done = append(done, struck{faults[i].name, at, r.now() - at, hit, r.acked.value() - before})
				if ctx.Err() != nil {
					r.t.Error("the test's time is over before the schedule is")
				}
				if r.t.Failed() {
					return done
				}
			}
		}
		if time.Now().After(until) {
			r.calm(ctx)
			return done
		}
	}
}

// calmAcked is how many commands each of the two replicas must acknowledge between two
// faults: together leastAcked.
func calmAcked() int { return leastAcked() / 2 }

// calm waits until all replicas have worked for a while.
func (r *run) calm(ctx context.Context) {
	r.t.Helper()
	for _, replica := range r.replicas {
		if !replica.acked.reach(ctx, replica.acked.value()+calmAcked()) {
			r.t.Errorf("%s acknowledges nothing any more", replica.name)
		}
	}
}

// oneOf is a replica of the seed's choice.
func (r *run) oneOf() *replica { return r.replicas[r.rng.IntN(len(r.replicas))] }

// asked is how many of the replicas' sessions wait for Postgres.
func (r *run) asked() int {
	n := 0
	for _, replica := range r.replicas {
		n += replica.proxy.busy()
	}
	return n
}

// killPostgres ends all processes of Postgres. Before that, the log of
// commits that don't wait isn't written for a while, which no promise covers.
func (r *run) killPostgres(ctx context.Context) int {
	for !r.withoutWALWriter(ctx, 20+r.rng.IntN(40)) {
		if ctx.Err() != nil || r.t.Failed() {
			return 0
		}
	}
	hit := r.asked()
	if n := r.cluster.kill(); n < 5 {
		r.t.Errorf("Postgres had %d processes, which can't be all", n)
	}
	told := map[domain.TenantID]int64{}
	for _, t := range r.tenants {
		told[t.id] = t.acknowledged()
	}
	r.cluster.start()
	heads := r.heads()
	for id, seq := range told {
		if heads[id] < seq {
			r.t.Errorf("acknowledged, and lost: tenant %s was at seq %d, and is at %d after Postgres was killed", id, seq, heads[id])
		}
	}
	return hit
}

// stuckAfter is how long a run without any acknowledgement means that no client can
// commit any more, even on a slow machine. Clients have asked again by then.
const stuckAfter = 10 * time.Second

// withoutWALWriter stops the process that writes the log in the background until
// so many commands are acknowledged. It may have been stopped with a lock in its
// hand, so that no client can commit any more: then it goes on, and the result is false.
func (r *run) withoutWALWriter(ctx context.Context, commands int) bool {
	if err := r.cluster.walWriter(syscall.SIGSTOP); err != nil {
		r.t.Error(err)
		return false
	}
	for range commands {
		if r.ackedWithin(ctx, stuckAfter) {
			continue
		}
		if err := r.cluster.walWriter(syscall.SIGCONT); err != nil {
			r.t.Error(err)
		}
		r.acked.reach(ctx, r.acked.value()+1)
		return false
	}
	return true
}

// ackedWithin waits for the next acknowledged command, but not for ever.
func (r *run) ackedWithin(ctx context.Context, patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return r.acked.reach(ctx, r.acked.value()+1)
}

// killSession kills the process of a session that does something. Postgres then
// ends all other sessions, with a word, and recovers by itself.
func (r *run) killSession(ctx context.Context) int {
	for ctx.Err() == nil {
		hit := r.asked()
		for _, p := range childrenOf(r.cluster.server.PID()) {
			idle := strings.Contains(p.command, "idle")
			if strings.Contains(p.command, string(postgres.EngineLogin)) && !idle && syscall.Kill(p.pid, syscall.SIGKILL) == nil {
				r.calm(ctx)
				return max(hit, 1)
			}
		}
		r.acked.reach(ctx, r.acked.value()+1)
	}
	return 0
}

// stopPostgres stops all processes of Postgres for a while: no connection is
// refused, and no statement answered.
func (r *run) stopPostgres(ctx context.Context) int {
	family := append(childrenOf(r.cluster.server.PID()), process{pid: r.cluster.server.PID()})
	for _, p := range family {
		_ = syscall.Kill(p.pid, syscall.SIGSTOP) // one that has just ended
	}
	hit := r.asked()
	hold(ctx, patience+upTo(r.rng, time.Second))
	for _, p := range family {
		_ = syscall.Kill(p.pid, syscall.SIGCONT)
	}
	return hit
}

func (r *run) killServer(ctx context.Context) int {
	replica := r.oneOf()
	replica.asking.reach(ctx, 2)
	hit := replica.asking.value()
	replica.kill()
	if err := replica.start(); err != nil {
		r.t.Error(err)
	}
	return hit
}

// resetConnections cuts a replica's sessions several times, the last time before
// the pools have recovered from the one before.
func (r *run) resetConnections(ctx context.Context) int {
	replica := r.oneOf()
	hit := 0
	for range 5 {
		replica.asking.reach(ctx, 2)
		hit += replica.proxy.cut()
		hold(ctx, upTo(r.rng, 200*time.Millisecond))
	}
	return hit
}

// loseAnswers cuts a replica's connection right after an append has gone through
// it, several times: Postgres carries it out, and no client gets the answer.
func (r *run) loseAnswers(ctx context.Context) int {
	const answers = 8
	p := r.oneOf().proxy
	before := p.lost.value()
	p.lose.Store(answers)
	p.lost.reach(ctx, before+answers)
	p.lose.Store(0)
	return p.lost.value() - before
}

// holdConnections lets nothing through to and from a replica for longer than its
// clients wait. What was held then arrives, as after a network's outage.
func (r *run) holdConnections(ctx context.Context) int {
	replica := r.oneOf()
	replica.proxy.hold()
	defer replica.proxy.heal()
	before := replica.proxy.held.Load()
	hold(ctx, patience+upTo(r.rng, time.Second))
	return int(replica.proxy.held.Load() - before)
}

func (r *run) slowConnections(ctx context.Context) int {
	replica := r.oneOf()
	before := replica.proxy.slowed.Load()
	replica.proxy.slow(20*time.Millisecond + upTo(r.rng, 60*time.Millisecond))
	defer replica.proxy.heal()
	hold(ctx, 2*time.Second)
	return int(replica.proxy.slowed.Load() - before)
}

// stopServer stops a replica where it stands, as a machine that swaps or sleeps
// does, for longer than its clients wait, and lets it go on.
func (r *run) stopServer(ctx context.Context) int {
	replica := r.oneOf()
	replica.asking.reach(ctx, 2)
	replica.signal(syscall.SIGSTOP)
	hit := replica.asking.value()
	hold(ctx, patience+upTo(r.rng, time.Second))
	replica.signal(syscall.SIGCONT)
	return hit
}

// longTransaction keeps a transaction open that has written, in another database
// of the same server. All subscriptions go on meanwhile.
func (r *run) longTransaction(ctx context.Context) int {
	c := r.cluster.session(postgres.Superuser, "postgres")
	defer c.Close(context.WithoutCancel(ctx))
	tx, err := c.Begin(ctx)
	if err != nil {
		r.t.Error(err)
		return 0
	}
	if _, err := tx.Exec(ctx, `create table long_transaction (n int); insert into long_transaction values (1)`); err != nil {
		r.t.Error(err)
		return 0
	}
	before := r.acked.value()
	for _, replica := range r.replicas {
		replica.acked.reach(ctx, replica.acked.value()+calmAcked())
	}
	r.caughtUp()
	if err := tx.Rollback(ctx); err != nil {
		r.t.Error(fmt.Errorf("the long transaction wasn't there: %w", err))
	}
	return r.acked.value() - before
}
