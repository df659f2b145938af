package feed_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"
)

// seen is what a handler of one subscription was given, and fails at.
type seen struct {
	mu   sync.Mutex
	seqs map[domain.TenantID][]int64
	bad  domain.TenantID
	at   int64
	// cured lets it handle that too.
	cured atomic.Bool
}

func (s *seen) handle(_ context.Context, p *feed.Page) error {
	for _, e := range p.Events {
		if p.Tenant == s.bad && e.Seq == s.at && !s.cured.Load() {
			return errBad
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seqs == nil {
		s.seqs = map[domain.TenantID][]int64{}
	}
	for _, e := range p.Events {
		s.seqs[p.Tenant] = append(s.seqs[p.Tenant], e.Seq)
	}
	return nil
}

// but is 1 to last without some.
func but(last int64, without ...int64) []int64 {
	var all []int64
	for seq := int64(1); seq <= last; seq++ {
		if !slices.Contains(without, seq) {
			all = append(all, seq)
		}
	}
	return all
}

func (s *seen) wants(t *testing.T, tenant domain.TenantID, want []int64) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.seqs[tenant], want) {
		t.Errorf("handled were %v, want %v", s.seqs[tenant], want)
	}
}

// recording appends an event as the commands do, and counts how often.
func (f *fixture) recording(tenant domain.TenantID, times *int) func(context.Context, feed.Parked) (int64, error) {
	return func(context.Context, feed.Parked) (int64, error) {
		*times++
		return f.Grow(f.Store, tenant, 1), nil
	}
}

// A skipped event is left out by the live subscription, by one that begins anew
// and by a build, and by no other subscription.
func TestSkip(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sick, well := f.Tenant(), f.Tenant()
	const bad = 7
	head := f.Grow(f.Store, sick, 11)
	a, b := &seen{bad: sick, at: bad}, &seen{}
	r := f.replica(feed.Config{PageSize: 4})
	r.subscribe("a", a.handle)
	r.subscribe("b", b.handle)
	f.parked("a", sick, 1)

	// A build that has folded the event is never resumed.
	early, err := tenanttest.StartBuild(t.Context(), f.Engine, sick, "a", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := early.Page(t.Context(), 9, nothing); err != nil {
		t.Fatal(err)
	}
	times := 0
	parking := feed.NewParking(f.Engine)
	if _, err := parking.Skip(t.Context(), sick, "a", f.recording(sick, &times)); !errors.As(err, new(*feed.BuildRunningError)) {
		t.Errorf("beside a build: %v", err)
	}
	early.Close()
	for _, tenant := range []domain.TenantID{well, sick} {
		subscription := map[domain.TenantID]string{well: "a", sick: "b"}[tenant]
		if _, err := parking.Skip(t.Context(), tenant, subscription, f.recording(tenant, &times)); !errors.As(err, new(*feed.NotParkedError)) {
			t.Errorf("%s isn't parked: %v", subscription, err)
		}
	}
	broken := errors.New("broken")
	if _, err := parking.Skip(t.Context(), sick, "a", func(context.Context, feed.Parked) (int64, error) { return 0, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if c := f.liveCheckpoint("a", sick); c.Seq != bad-1 || c.RetryAt == nil || times != 0 {
		t.Errorf("after what was refused: %+v, %d records", c, times)
	}

	parked, err := parking.Skip(t.Context(), sick, "a", f.recording(sick, &times))
	if err != nil || parked.Seq != bad || parked.Attempts < 1 || parked.Since.IsZero() || parked.Error == "" || times != 1 {
		t.Fatalf("%+v, %v, %d records", parked, err, times)
	}
	head++
	r.wantsReached(sick, head, "a", "b")
	a.wants(t, sick, but(head, bad))
	b.wants(t, sick, but(head))

	checkpoint, err := feed.StatusOf(t.Context(), f.Engine, "a")
	if err != nil || len(checkpoint.Parked) != 0 || len(checkpoint.Skips) != 1 || checkpoint.Skips[0].Seq != bad || checkpoint.Skips[0].Recorded != head {
		t.Errorf("%+v, %v", checkpoint, err)
	}

	// From the first event on, and without what would fail.
	r.close()
	late, err := tenanttest.StartBuild(t.Context(), f.Engine, sick, "a", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	if late.Seq() != 0 || late.Generation() <= early.Generation() {
		t.Errorf("the build went on at %d in generation %d", late.Seq(), late.Generation())
	}
	built := &seen{}
	for n := 3; n >= 3; {
		if n, err = late.Page(t.Context(), 3, built.handle); err != nil {
			t.Fatal(err)
		}
	}
	if err := late.Switch(t.Context(), 3, built.handle); err != nil {
		t.Fatal(err)
	}
	built.wants(t, sick, but(head, bad))
	if _, err := f.Engine.Exec(t.Context(), `delete from checkpoints where subscription = 'a'`); err != nil {
		t.Fatal(err)
	}
	again := &seen{}
	r = f.replica(feed.Config{PageSize: 3})
	r.subscribe("a", again.handle)
	r.wantsReached(sick, head, "a")
	again.wants(t, sick, but(head, bad))
}

// liveCheckpoint is that of the lowest generation, beside one of a build.
func (f *fixture) liveCheckpoint(subscription string, t domain.TenantID) (c checkpoint) {
	f.T.Helper()
	if err := f.Engine.QueryRow(f.T.Context(), `select seq, careful_to, failures, retry_at, error from checkpoints
where subscription = $1 and tenant_id = $2 order by generation limit 1`, subscription, t.UUID()).
		Scan(&c.Seq, &c.CarefulTo, &c.Failures, &c.RetryAt, &c.Error); err != nil {
		f.T.Fatal(err)
	}
	return c
}

// Several in a row, one that no version can read, and the log's last: each is
// parked at and skipped in its turn, live and in a build.
func TestSkipsInARow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	head := f.Grow(f.Store, tenant, 3)
	for range 3 {
		head++
		f.Raw(tenanttest.RawEvent{Tenant: tenant, Seq: head, Stream: newStream(t), Version: 1, EventType: "task.updated", Data: `{"title": 7}`})
	}
	last := head
	a := &seen{}
	r := f.replica(feed.Config{})
	r.subscribe("a", a.handle)
	parking := feed.NewParking(f.Engine)
	for seq := last - 2; seq <= last; seq++ {
		f.parked("a", tenant, 1)
		parked, err := parking.Skip(t.Context(), tenant, "a", func(_ context.Context, p feed.Parked) (int64, error) { return 1000 + p.Seq, nil })
		if err != nil || parked.Seq != seq {
			t.Fatalf("skipped %d, want %d: %v", parked.Seq, seq, err)
		}
	}
	r.wantsReached(tenant, last, "a")
	tenanttest.Until(t, f.Engine, `select seq = $2 from checkpoints where tenant_id = $1`, tenant.UUID(), last)
	a.wants(t, tenant, but(last, last-2, last-1, last))
	f.wantsUntroubled("a", tenant, last)

	build, err := tenanttest.StartBuild(t.Context(), f.Engine, tenant, "a", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer build.Close()
	built := &seen{}
	if err := build.Switch(t.Context(), 2, built.handle); err != nil || build.Seq() != last {
		t.Fatalf("built to %d of %d: %v", build.Seq(), last, err)
	}
	built.wants(t, tenant, but(last, last-2, last-1, last))
}

// What was resumed is tried at once, and counted anew where it fails again.
func TestResume(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	head := f.Grow(f.Store, tenant, 5)
	a := &seen{bad: tenant, at: 3}
	r := f.replica(feed.Config{})
	r.subscribe("a", a.handle)
	f.parked("a", tenant, 1)
	// Far away, so that no retry is taken for the resumption.
	if _, err := f.Engine.Exec(t.Context(), `update checkpoints set retry_at = clock_timestamp() + interval '1 hour', failures = 50
where subscription = 'a' and tenant_id = $1`, tenant.UUID()); err != nil {
		t.Fatal(err)
	}
	times := 0
	parking := feed.NewParking(f.Engine)
	if _, err := parking.Resume(t.Context(), tenant, "a", f.recording(tenant, &times)); err != nil {
		t.Fatal(err)
	}
	if c := f.parked("a", tenant, 1); c.Failures > 40 || c.Seq != 2 {
		t.Errorf("it is parked again as %+v", c)
	}
	a.cured.Store(true)
	if _, err := parking.Resume(t.Context(), tenant, "a", f.recording(tenant, &times)); err != nil && !errors.As(err, new(*feed.NotParkedError)) {
		t.Fatal(err)
	}
	head += int64(times)
	r.wantsReached(tenant, head, "a")
	a.wants(t, tenant, but(head))
	f.wantsUntroubled("a", tenant, head)
}

// A try that was under way when an operator resumed the subscription doesn't park it again.
func TestFailureOlderThanResume(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	f.Grow(f.Store, tenant, 5)
	a := &seen{bad: tenant, at: 3}
	r := f.replica(feed.Config{})
	r.subscribe("a", a.handle)
	f.parked("a", tenant, 1)
	r.close()
	tries := f.liveCheckpoint("a", tenant).Failures
	times := 0
	if _, err := feed.NewParking(f.Engine).Resume(t.Context(), tenant, "a", f.recording(tenant, &times)); err != nil {
		t.Fatal(err)
	}
	late := f.replica(feed.Config{}).feed
	if err := late.Fail(t.Context(), tenant, "a", 2, tries, errBad); err != nil {
		t.Fatal(err)
	}
	if c := f.liveCheckpoint("a", tenant); c.Failures != 0 || c.RetryAt != nil || c.Seq != 2 {
		t.Errorf("the older try's failure left %+v, want it resumed", c)
	}
	if err := late.Fail(t.Context(), tenant, "a", 2, 0, errBad); err != nil {
		t.Fatal(err)
	}
	if c := f.liveCheckpoint("a", tenant); c.Failures != 1 || c.RetryAt == nil {
		t.Errorf("the next try's failure left %+v, want it parked", c)
	}
}
