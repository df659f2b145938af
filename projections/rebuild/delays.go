package rebuild

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"docket/domain"
	"docket/eventstore/feed"
)

// maxBackoff is the longest pause after failures. The pause is doubled with each
// failure, from 1 s.
const maxBackoff = 10 * time.Minute

// target is a read model of a tenant.
type target struct {
	tenant domain.TenantID
	model  string
}

// delay is why a pending build isn't run yet.
type delay struct {
	// failures are those in a row; held counts how often since then another process held
	// the build.
	failures, held int
	until          time.Time
}

// delays are the builds that failed or that another process holds.
type delays map[target]delay

func (d delays) due(at target) bool { return !d[at].until.After(time.Now()) }

// failed delays a build after a failure. It returns the new delay.
func (d delays) failed(at target) delay {
	now := d[at]
	now.until = time.Now().Add(min(backoff(now.failures), maxBackoff))
	now.failures, now.held = now.failures+1, 0
	d[at] = now
	return now
}

// heldElsewhere delays a build that another process holds, at most for a time: that
// process may die.
func (d delays) heldElsewhere(at target, most time.Duration) {
	now := d[at]
	now.until = time.Now().Add(min(backoff(now.held), most))
	now.held++
	d[at] = now
}

// prune drops the delays of builds that aren't pending.
func (d delays) prune(pending []feed.PendingBuild) {
	kept := delays{}
	for _, p := range pending {
		at := target{p.Tenant, p.Subscription}
		if now, ok := d[at]; ok {
			kept[at] = now
		}
	}
	clear(d)
	for at, now := range kept {
		d[at] = now
	}
}

// untilNext is how long the next build is delayed, at most a time.
func (d delays) untilNext(most time.Duration) time.Duration {
	next := most
	for _, now := range d {
		next = min(next, max(0, time.Until(now.until)))
	}
	return next
}

// backoff is a second, doubled some times.
func backoff(times int) time.Duration { return time.Second << min(times, 20) }

// fail records that a build failed. A build that another process holds is delayed but
// counts as no failure.
func (b *Background) fail(ctx context.Context, at target, err error, log *slog.Logger) {
	var running *feed.BuildRunningError
	b.mu.Lock()
	if errors.Is(err, feed.ErrNotNeeded) { // another process has built it
		delete(b.delayed, at)
		b.mu.Unlock()
		return
	}
	if errors.As(err, &running) {
		b.delayed.heldElsewhere(at, b.cfg.Every)
		b.mu.Unlock()
		return
	}
	now := b.delayed.failed(at)
	b.mu.Unlock()
	if errors.Is(err, domain.ErrUnknownEvent) {
		log.Info("the build is left to a newer version", "model", at.model, "error", err)
		return
	}
	b.failures.Add(1)
	log.Error("read model not built in the background; the old rows are read, and it is tried again", "model", at.model,
		"failures", now.failures, "retry_at", now.until, "error", err)
	var failure *Error
	if errors.As(err, &failure) {
		err = failure.Cause
	}
	if err := feed.NoteFailure(ctx, b.cfg.Engine, at.tenant, at.model, b.versions[at.model], err); err != nil && ctx.Err() == nil {
		log.Warn("a failed build isn't listed", "model", at.model, "error", err)
	}
}
