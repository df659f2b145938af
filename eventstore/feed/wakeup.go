package feed

import (
	"context"
	"strings"
	"time"

	"docket/domain"
	"docket/internal/wait"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// wakeUpChannel is the NOTIFY channel. Its payload is the sender's id, a space, and
// tenant ids with commas: a Feed doesn't heed what it sent itself.
const wakeUpChannel = "docket_news"

// switchSender is the sender where a generation took the place of another: what is known
// of those tenants may be of the other's fold.
const switchSender = "flip"

const (
	// notifyEvery is the least time between two NOTIFYs of one replica: each takes
	// a lock that is global to the cluster, so appends share one.
	notifyEvery = 10 * time.Millisecond
	// notifyMost is how many tenants one NOTIFY names: a payload has < 8,000 bytes.
	notifyMost = 200
	// reconnectAfter is the pause after the listening connection broke.
	reconnectAfter = time.Second
)

// notifySQL tells other replicas of news ($1 channel, $2 payload).
const notifySQL = `select pg_notify($1, $2)`

// notify tells other replicas of local appends, after their commits.
func (f *Feed) notify() {
	for {
		t, _, ok := f.outbox.next(f.ctx)
		if !ok {
			return
		}
		tenants := []string{t.String()}
		f.outbox.done(t, false)
		for len(tenants) < notifyMost {
			more, ok := f.outbox.take()
			if !ok {
				break
			}
			tenants = append(tenants, more.String())
		}
		if _, err := f.cfg.Pool.Exec(f.ctx, notifySQL, wakeUpChannel, f.id+" "+strings.Join(tenants, ",")); err != nil && f.ctx.Err() == nil {
			f.log.Warn("notify failed; other replicas find the news by their sweep", "error", err)
		}
		if !wait.Sleep(f.ctx, notifyEvery) {
			return
		}
	}
}

// listen marks what other replicas append. It reconnects for ever; what it
// misses meanwhile is the sweep's.
func (f *Feed) listen() {
	for {
		err := f.listenOnce()
		if f.ctx.Err() != nil {
			return
		}
		f.log.Warn("listening for news broke off; reconnecting", "error", err)
		if !wait.Sleep(f.ctx, reconnectAfter) {
			return
		}
	}
}

func (f *Feed) listenOnce() error {
	acquired, err := f.cfg.Pool.Acquire(f.ctx)
	if err != nil {
		return err
	}
	// A listening session is no good to anyone else, so it leaves the pool.
	conn := acquired.Hijack()
	defer conn.Close(context.WithoutCancel(f.ctx))
	if _, err := conn.Exec(f.ctx, "listen "+pgx.Identifier{wakeUpChannel}.Sanitize()); err != nil {
		return err
	}
	// What was said before we listened is lost.
	f.forget()
	defer f.forget() // at once, and not when we listen again
	f.sweepSoon()
	for {
		n, err := conn.WaitForNotification(f.ctx)
		if err != nil {
			return err
		}
		sender, list, _ := strings.Cut(n.Payload, " ")
		if sender == f.id {
			continue
		}
		tenants := parseTenants(list)
		if sender == switchSender {
			f.switched(tenants)
		}
		f.mark(tenants)
	}
}

// forget lets go of what is known of logs and checkpoints. Should Postgres have crashed,
// checkpoints may have gone back: pages of read models don't wait for the disk. And should
// another server have taken its place that lacks the newest events, their seqs are given
// to others.
func (f *Feed) forget() {
	f.positions.forget()
	f.held.Purge()
	f.idle.take()
	f.recent.forget()
}

// parseTenants reads tenant ids with commas between. What isn't one is left to
// the sweep.
func parseTenants(list string) []domain.TenantID {
	var tenants []domain.TenantID
	for s := range strings.SplitSeq(list, ",") {
		if id, err := uuid.Parse(s); err == nil {
			tenants = append(tenants, domain.TenantID(id))
		}
	}
	return tenants
}
