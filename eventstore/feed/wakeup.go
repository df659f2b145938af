package feed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"docket/domain"
	"docket/internal/wait"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// wakeUpChannel is the NOTIFY channel. Its payload is the sender's id, a space, and
// tenant ids with commas: a Feed ignores what it sent itself. Replicas of the release before
// listen on this channel, so its name and switchSender stay.
const wakeUpChannel = "docket_news"

// switchSender is the sender after a switch of generations: cached state of those tenants
// may be that of the old generation's fold.
const switchSender = "flip"

const (
	// notifyEvery is the least time between two NOTIFYs of one replica: each takes
	// a lock that is global to the cluster, so appends share one.
	notifyEvery = 10 * time.Millisecond
	// notifyMost is how many tenants one NOTIFY names: a payload has < 8,000 bytes.
	notifyMost = 200
	// listenCheck is the pause between two checks of an idle listening connection.
	listenCheck = 15 * time.Second
	// reconnectAfter is the pause after the listening connection broke.
	reconnectAfter = time.Second
)

// notifySQL notifies other replicas of pending tenants ($1 channel, $2 payload).
const notifySQL = `select pg_notify($1, $2)`

// notify notifies other replicas of local appends, after their commits.
func (f *Feed) notify() {
	for {
		tenants, ok := f.outbox.take(f.ctx)
		if !ok {
			return
		}
		if _, err := f.execWithin(notifySQL, wakeUpChannel, f.id+" "+strings.Join(tenants, ",")); err != nil && f.ctx.Err() == nil {
			f.log.Warn("notify failed; other replicas find the appends by their sweep", "error", err)
		}
		if !wait.Sleep(f.ctx, notifyEvery) {
			return
		}
	}
}

// listen wakes tenants to whose logs other replicas append. It reconnects for ever; the
// sweep finds what it misses meanwhile.
func (f *Feed) listen() {
	for {
		err := f.listenOnce()
		if f.ctx.Err() != nil {
			return
		}
		f.log.Warn("listening for appends failed; reconnecting", "error", err)
		if !wait.Sleep(f.ctx, reconnectAfter) {
			return
		}
	}
}

// listenOnce listens until the connection breaks or ServerChanged is called. ServerChanged
// ends it from its first step on: the connection may lead to the server before.
func (f *Feed) listenOnce() (err error) {
	ctx, cancel := context.WithCancelCause(f.ctx)
	defer cancel(nil)
	defer func() {
		if errors.Is(context.Cause(ctx), errServerChanged) {
			err = errServerChanged
		}
	}()
	f.mu.Lock()
	f.stopListening = func() { cancel(errServerChanged) }
	f.mu.Unlock()
	starting, cancelStart := context.WithTimeout(ctx, stepTimeout)
	defer cancelStart()
	acquired, err := f.cfg.Pool.Acquire(starting)
	if err != nil {
		return err
	}
	// A listening session is of no use to others, so it leaves the pool.
	conn := acquired.Hijack()
	defer conn.Close(context.WithoutCancel(f.ctx))
	if _, err := conn.Exec(starting, "listen "+pgx.Identifier{wakeUpChannel}.Sanitize()); err != nil {
		return err
	}
	// Notifications from before LISTEN are lost.
	f.forget()
	defer f.forget() // at once, and not only after reconnecting
	f.sweepSoon()
	for {
		n, err := waitForNotification(ctx, conn)
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
		f.wake(tenants)
	}
}

// waitForNotification waits for the next notification. On a silent network none comes, and
// no error either: it checks an idle connection again and again.
func waitForNotification(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	for {
		waiting, cancel := context.WithTimeout(ctx, listenCheck)
		n, err := conn.WaitForNotification(waiting)
		idle := waiting.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || !idle || conn.IsClosed() {
			return n, err
		}
		checking, cancel := context.WithTimeout(ctx, stepTimeout)
		err = conn.Ping(checking)
		cancel()
		if err != nil {
			return nil, fmt.Errorf("the listening connection is dead: %w", err)
		}
	}
}

// forget empties the caches of logs and checkpoints. After a crash of Postgres checkpoints
// may have gone back, as pages of read models don't wait for the disk. After a failover to
// a server that lacks the newest events, other events get their seqs.
func (f *Feed) forget() {
	f.positions.forget()
	f.mu.Lock()
	subs := maps.Clone(f.subs)
	f.mu.Unlock()
	for _, n := range subs {
		n.forget()
	}
	f.recent.forget()
}

// errServerChanged says that the listening connection leads to a server that was replaced.
var errServerChanged = errors.New("the database server is another one")

// ServerChanged forgets what the feed knows of the database, and has it listen at the
// present server. It is called before a connection to that server is used.
func (f *Feed) ServerChanged() {
	f.forget()
	f.mu.Lock()
	stop := f.stopListening
	f.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// parseTenants parses tenant ids with commas between. It leaves out malformed ones, which
// the sweep makes up for.
func parseTenants(list string) []domain.TenantID {
	var tenants []domain.TenantID
	for s := range strings.SplitSeq(list, ",") {
		if id, err := uuid.Parse(s); err == nil {
			tenants = append(tenants, domain.TenantID(id))
		}
	}
	return tenants
}
