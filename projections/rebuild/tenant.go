package rebuild

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/internal/wait"
	"docket/projections"
)

const (
	// buildPage is how many events of a rebuild are folded in one transaction: enough to
	// make the round trips negligible.
	buildPage = 4_000
	// firstPage is the size of the first page, when the size of the events isn't known.
	firstPage = 500
	// pageBytes is how many bytes of stored events a page should have, by the size of
	// those before; the reading ends a page that is larger. Several pages are in memory at
	// a time, decoded.
	pageBytes = 4 << 20
	// firstRetry is the first pause before the shared reading is retried; each pause is
	// twice the one before, and the last at most lastRetry.
	firstRetry, lastRetry = 100 * time.Millisecond, 2 * time.Second
)

// start is Builds.Start, Builds.StartLimited or Builds.Supersede.
type start func(*feed.Builds, context.Context, string, int) (*feed.Build, error)

// rebuildTenant builds read models of one tenant in one reading of its log (doc.go). do
// is what each builder does.
//
// A builder has transactions of its own, so one that fails stops no other. Events that
// the shared reading can't read, and those appended meanwhile, each builder reads for
// itself: an event that one of them skips, or that only some can't fold, must not end all.
//
// Errors: *UnreachableError, before any build was started; all others are reported.
func (r *Rebuilder) rebuildTenant(ctx context.Context, t domain.TenantID, models []projections.ReadModel, reports *reporter, start start, do func(*builder, context.Context) error) error {
	builds, head, err := r.open(ctx, t)
	if eventstore.Outage(err) && ctx.Err() == nil {
		return &UnreachableError{err}
	}
	if err != nil {
		for _, m := range models {
			reports.fail(t, m.Name, err)
		}
		return nil
	}
	defer builds.Close()
	var (
		builders []*builder
		after    int64 = math.MaxInt64 // the lowest seq of a build
		through  int64                 // the highest seq that a build may reach
		steps    = r.newLimiter()
	)
	for _, m := range models {
		build, err := start(builds, ctx, m.Name, m.FoldVersion)
		if err != nil {
			reports.fail(t, m.Name, err)
			continue
		}
		build.Ignore(m.Ignores)
		after, through = min(after, build.Seq()), max(through, build.Through())
		b := &builder{rebuilder: r, tenant: t, model: m, builds: builds, build: build, reports: reports, head: head, steps: steps,
			ranges: make(chan feed.Range, 1), left: make(chan struct{})}
		b.leave = sync.OnceFunc(func() { close(b.left) })
		builders = append(builders, b)
	}
	var running sync.WaitGroup
	for _, b := range builders {
		running.Go(func() {
			defer b.leave()
			if err := do(b, ctx); err != nil {
				reports.fail(t, b.model.Name, err)
			}
		})
	}
	if len(builders) > 0 {
		r.readShared(ctx, builds, after, through, builders)
	}
	running.Wait()
	return nil
}

// open opens a tenant's builds and reads the head of its log. It retries for some
// seconds while the database is unreachable.
func (r *Rebuilder) open(ctx context.Context, t domain.TenantID) (builds *feed.Builds, head int64, err error) {
	for retryIn := firstRetry; ; retryIn *= 2 {
		builds, err = feed.OpenBuilds(ctx, r.engine, t, r.By)
		if err == nil {
			if head, err = r.head(ctx, t); err == nil {
				return builds, head, nil
			}
			builds.Close()
		}
		if !eventstore.Outage(err) || retryIn > lastRetry {
			return nil, 0, err
		}
		if !r.pause(ctx, retryIn) {
			return nil, 0, ctx.Err()
		}
	}
}

// readShared reads the log after a seq once for all builders, up to its end, to another
// seq or to an event that it can't read.
func (r *Rebuilder) readShared(ctx context.Context, builds *feed.Builds, after, through int64, builders []*builder) {
	defer func() {
		for _, b := range builders {
			close(b.ranges)
		}
	}()
	ignored := ignoredBy(builders)
	for limit := min(firstPage, r.PageSize); ; {
		events, err := readRange(ctx, builds, after, through, limit, ignored)
		if err != nil || events.Through == after {
			return
		}
		taken := false
		for _, b := range builders {
			select {
			case b.ranges <- events:
				taken = true
			case <-b.left:
			case <-ctx.Done():
				return
			}
		}
		if !taken || !events.More {
			return
		}
		limit = nextPage(int(events.Through-after), events.Bytes, r.PageSize)
		after = events.Through
	}
}

// readRange reads a range of the log. It retries errors of the database, such as a lost
// connection, a few times: otherwise each builder would read the rest of the log by itself.
func readRange(ctx context.Context, builds *feed.Builds, after, through int64, limit int, ignored []string) (feed.Range, error) {
	for retryIn := firstRetry; ; retryIn *= 2 {
		events, err := builds.Read(ctx, after, through, limit, ignored)
		if err == nil || feed.UnreadableEvent(err) || retryIn > lastRetry || !wait.Sleep(ctx, retryIn) {
			return events, err
		}
	}
}

// nextPage is how many events to read after a page of some events with some bytes.
func nextPage(events, bytes, most int) int {
	return max(1, min(most, 2*events, events*pageBytes/max(1, bytes)))
}

// ignoredBy are the types of events that all builders ignore; never nil.
func ignoredBy(builders []*builder) []string {
	ignored := append([]string{}, builders[0].model.Ignores...)
	for _, b := range builders[1:] {
		ignored = slices.DeleteFunc(ignored, func(t string) bool { return !slices.Contains(b.model.Ignores, t) })
	}
	return ignored
}
