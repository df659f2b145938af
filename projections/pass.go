package projections

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
)

const (
	// buildPage is how many events of a rebuild are folded in one transaction: so
	// many that the round trips don't count.
	buildPage = 4_000
	// firstPage is how many at first, while nobody knows how large they are.
	firstPage = 500
	// pageBytes is how many bytes of stored events a page is meant to have, as those of
	// the page before say; the reading ends it where they mislead. Some pages are in memory
	// at a time, decoded.
	pageBytes = 4 << 20
	// readAgain is the first pause before the shared reading is tried again; each is
	// twice as long as the one before, and the last at most readAgainMost.
	readAgain, readAgainMost = 100 * time.Millisecond, 2 * time.Second
)

// start is Builds.Start or Builds.StartBehind.
type start func(*feed.Builds, context.Context, string, int) (*feed.Build, error)

// pass makes the read models of one tenant anew, in one pass over its log:
//
//	read a stretch ──┬─▶ follower: fold, write, checkpoint ─┐
//	(ahead of them)  ├─▶ follower …                         ├─▶ each on its own: the
//	                 └─▶ follower …                         ┘   rest of the log, end
//
// They write in turns. Each read model is followed in transactions of its own, so that
// one which fails keeps none of the others. What the shared reading can't read, and what was
// appended meanwhile, each follower reads for itself: an event that one of them
// leaves out, or which only some of them stumble over, is no reason for all to end.
//
// Errors: *UnreachableError, before anything was begun; all else is told.
func (r *Rebuilder) pass(ctx context.Context, t domain.TenantID, models []readModel, told *reporter, start start, do func(*follower, context.Context) error) error {
	builds, head, err := r.open(ctx, t)
	if eventstore.Outage(err) && ctx.Err() == nil {
		return &UnreachableError{err}
	}
	if err != nil {
		for _, m := range models {
			told.fail(t, m.name, err)
		}
		return nil
	}
	defer builds.Close()
	var (
		followers []*follower
		after     int64 = math.MaxInt64 // where the one stands that is furthest behind
		through   int64                 // how far the one may go that may go furthest
		inTurn    = r.newTurns()
	)
	for _, m := range models {
		build, err := start(builds, ctx, m.name, m.foldVersion)
		if err != nil {
			told.fail(t, m.name, err)
			continue
		}
		build.Ignore(m.ignores)
		after, through = min(after, build.Seq()), max(through, build.Through())
		f := &follower{rebuilder: r, tenant: t, model: m, builds: builds, build: build, told: told, head: head, turns: inTurn,
			stretches: make(chan feed.Range, 1), gone: make(chan struct{})}
		f.leave = sync.OnceFunc(func() { close(f.gone) })
		followers = append(followers, f)
	}
	var running sync.WaitGroup
	for _, f := range followers {
		running.Go(func() {
			defer f.leave()
			if err := do(f, ctx); err != nil {
				told.fail(t, f.model.name, err)
			}
		})
	}
	if len(followers) > 0 {
		r.lead(ctx, builds, after, through, followers)
	}
	running.Wait()
	return nil
}

// open begins the pass over a tenant's log, and finds its head. Where the database is
// gone it waits a while for it.
func (r *Rebuilder) open(ctx context.Context, t domain.TenantID) (builds *feed.Builds, head int64, err error) {
	for wait := readAgain; ; wait *= 2 {
		builds, err = feed.OpenBuilds(ctx, r.engine, t, r.By)
		if err == nil {
			if head, err = r.head(ctx, t); err == nil {
				return builds, head, nil
			}
			builds.Close()
		}
		if !eventstore.Outage(err) || wait > readAgainMost {
			return nil, 0, err
		}
		if !r.breathe(ctx, wait) {
			return nil, 0, ctx.Err()
		}
	}
}

// lead reads the log after a seq once for all followers, up to its end, to another seq
// or to what can't be read.
func (r *Rebuilder) lead(ctx context.Context, builds *feed.Builds, after, through int64, followers []*follower) {
	defer func() {
		for _, f := range followers {
			close(f.stretches)
		}
	}()
	ignored := ignoredBy(followers)
	for limit := min(firstPage, r.pageSize); ; {
		s, err := readShared(ctx, builds, after, through, limit, ignored)
		if err != nil || s.Through == after {
			return
		}
		wanted := false
		for _, f := range followers {
			select {
			case f.stretches <- s:
				wanted = true
			case <-f.gone:
			case <-ctx.Done():
				return
			}
		}
		if !wanted {
			return
		}
		limit = nextPage(int(s.Through-after), s.Bytes, r.pageSize)
		after = s.Through
		if !s.More {
			return
		}
	}
}

// readShared reads a stretch. What fails for the database's sake, as with a connection
// that is lost, is tried some times more: each follower on its own would read all the
// rest of the log.
func readShared(ctx context.Context, builds *feed.Builds, after, through int64, limit int, ignored []string) (feed.Range, error) {
	for wait := readAgain; ; wait *= 2 {
		s, err := builds.Read(ctx, after, through, limit, ignored)
		if err == nil || feed.UnreadableEvent(err) || wait > readAgainMost || !pause(ctx, wait) {
			return s, err
		}
	}
}

// nextPage is how many events to read after a page of so many, by their bytes.
func nextPage(events, bytes, most int) int {
	return max(1, min(most, 2*events, events*pageBytes/max(1, bytes)))
}

// ignoredBy are the types of events that none of the followers does anything with.
func ignoredBy(followers []*follower) []string {
	ignored := slices.Clone(followers[0].model.ignores)
	for _, f := range followers[1:] {
		ignored = slices.DeleteFunc(ignored, func(t string) bool { return !slices.Contains(f.model.ignores, t) })
	}
	if ignored == nil {
		ignored = []string{}
	}
	return ignored
}

// follower makes one read model of one tenant anew.
type follower struct {
	rebuilder *Rebuilder
	tenant    domain.TenantID
	model     readModel
	builds    *feed.Builds
	build     *feed.Build
	told      *reporter
	head      int64
	turns     *turns
	stretches chan feed.Range
	// gone is closed when nothing is taken from stretches any more.
	gone  chan struct{}
	leave func()
}

// follow folds what is read for all.
func (f *follower) follow(ctx context.Context) error {
	defer f.leave()
	for s := range f.stretches {
		if s.Through <= f.build.Seq() || f.build.Seq() >= f.build.Through() {
			continue // a build that was broken off further on than the others, or may not go as far
		}
		if err := f.turns.use(ctx, func() error { return f.build.Apply(ctx, s, f.model.fill) }); err != nil {
			return err
		}
		f.progress()
	}
	return ctx.Err()
}

func (f *follower) progress() {
	f.told.tell(Progress{Tenant: f.tenant, Model: f.model.name, Seq: f.build.Seq(), Head: max(f.head, f.build.Seq())})
}

// restRounds is how often rest goes on to where the log has grown to meanwhile. Each
// round is shorter than the one before, or else the log grows faster than it can be
// folded, and what is left is folded while the live subscription stands still.
const restRounds = 5

// rest folds what the shared reading has left.
func (f *follower) rest(ctx context.Context) error {
	// As many as a page had at first: nobody knows how large these are.
	limit := min(firstPage, f.rebuilder.pageSize)
	for range restRounds {
		head, err := f.rebuilder.head(ctx, f.tenant)
		if err != nil {
			return err
		}
		if f.build.Seq() >= head {
			return nil
		}
		for f.build.Seq() < head {
			n := 0
			err := f.turns.use(ctx, func() (err error) {
				n, err = f.build.Page(ctx, limit, f.model.fill)
				return err
			})
			if err != nil {
				return err
			}
			f.progress()
			if n == 0 {
				return nil
			}
			limit = nextPage(n, f.build.Bytes(), f.rebuilder.pageSize)
		}
		if f.build.Seq() >= f.build.Through() {
			return nil
		}
	}
	return nil
}

// rebuild makes new rows, and has them take the place of the old ones.
func (f *follower) rebuild(ctx context.Context) error {
	if err := f.follow(ctx); err != nil {
		return err
	}
	if err := f.rest(ctx); err != nil {
		return err
	}
	if err := f.turns.use(ctx, func() error { return f.build.Switch(ctx, firstPage, f.model.fill) }); err != nil {
		return err
	}
	f.told.tell(f.done(nil))
	_ = f.dropOld(ctx) // has told it
	return nil
}

// done is the progress of what is read now.
func (f *follower) done(err error) Progress {
	return Progress{Tenant: f.tenant, Model: f.model.name, Seq: f.build.Seq(), Head: max(f.head, f.build.Seq()), Done: true, Err: err}
}

// dropOld deletes the rows of before the flip. Where it can't it tells so: the new ones
// are read nevertheless.
func (f *follower) dropOld(ctx context.Context) error {
	err := f.rebuilder.dropOld(ctx, f.builds, f.tenant, f.model, f.turns)
	if err != nil {
		err = &OldRowsError{Tenant: f.tenant, Model: f.model.name, Cause: err}
		f.told.tell(f.done(err))
	}
	return err
}

// head is the last seq of a tenant's log.
func (r *Rebuilder) head(ctx context.Context, t domain.TenantID) (int64, error) {
	var head int64
	if err := r.engine.QueryRow(ctx, headSQL, t.UUID()).Scan(&head); err != nil {
		return 0, fmt.Errorf("read head: %w", err)
	}
	return head, nil
}
