package feed

import (
	"testing"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// Whatever was added in whatever order, what the recent gives is the log's own: it
// begins right after the seq, has no gap, and no more than was asked for; and it
// stays within its bounds.
func TestRecentEventsAreTheLogsEnd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		recent := newRecent()
		tenants := make([]domain.TenantID, 12)
		heads := make([]int64, len(tenants))
		for i := range tenants {
			tenants[i] = domain.TenantID(uuid.NewSHA1(uuid.Nil, []byte{byte(i)}))
		}
		for range rapid.IntRange(1, 60).Draw(r, "appends") {
			i := rapid.IntRange(0, len(tenants)-1).Draw(r, "tenant")
			if rapid.IntRange(0, 4).Draw(r, "elsewhere") == 0 {
				heads[i] += int64(rapid.IntRange(1, 5).Draw(r, "by others"))
			}
			var c commit
			size := rapid.SampledFrom([]int{2, 300, eventstore.MaxEventSize}).Draw(r, "bytes")
			for range rapid.SampledFrom([]int{1, 2, 3, 300, 1500}).Draw(r, "events") {
				heads[i]++
				c.events = append(c.events, domain.Recorded{Tenant: tenants[i], Seq: heads[i]})
				c.sizes = append(c.sizes, size)
			}
			recent.add(c.events, c.sizes)

			total := 0
			for _, run := range recent.runs.Values() {
				bytes := 0
				for _, size := range run.sizes {
					bytes += size
				}
				if bytes != run.bytes || bytes > recentBytesTenant || len(run.events) > recentEvents || len(run.sizes) != len(run.events) {
					r.Fatalf("a run of %d events has %d bytes, counted as %d", len(run.events), bytes, run.bytes)
				}
				total += bytes
			}
			if total != recent.bytes || total > recentBytes {
				r.Fatalf("%d bytes are kept, counted as %d", total, recent.bytes)
			}
			seq := heads[i] - int64(rapid.IntRange(-1, 2000).Draw(r, "behind"))
			limit := rapid.IntRange(1, 600).Draw(r, "limit")
			got, ok := recent.after(tenants[i], seq, limit)
			if ok && len(got) == 0 && seq != heads[i] {
				r.Fatalf("after %d of %d nothing is to come", seq, heads[i])
			}
			if len(got) > limit {
				r.Fatalf("%d events, %d were asked for", len(got), limit)
			}
			for n, e := range got {
				if e.Tenant != tenants[i] || e.Seq != seq+1+int64(n) {
					r.Fatalf("after %d comes %d of %s", seq, e.Seq, e.Tenant)
				}
			}
			if newest, _ := recent.after(tenants[i], heads[i]-1, 1); len(newest) != 1 {
				r.Fatal("the newest event isn't there")
			}
		}
	})
}

// Whatever order Commits are notified in, none of them is taken for the log's end but the last.
func TestRecentEventsInOtherOrders(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		recent, tenant := newRecent(), domain.TenantID{1}
		var commits []commit
		head := int64(0)
		for range rapid.IntRange(1, 6).Draw(r, "commits") {
			var c commit
			for range rapid.IntRange(1, 3).Draw(r, "events") {
				head++
				c.events = append(c.events, domain.Recorded{Tenant: tenant, Seq: head})
				c.sizes = append(c.sizes, rapid.SampledFrom([]int{2, recentBytesTenant + 1}).Draw(r, "bytes"))
			}
			commits = append(commits, c)
		}
		notified := int64(0)
		for _, c := range rapid.Permutation(commits).Draw(r, "notified") {
			recent.add(c.events, c.sizes)
			notified = max(notified, c.events[len(c.events)-1].Seq)
			for seq := range notified {
				if events, ok := recent.after(tenant, seq, int(head)); ok && (len(events) == 0 || events[len(events)-1].Seq != notified) {
					r.Fatalf("after %d come %d events, and the log goes on to %d", seq, len(events), notified)
				}
			}
		}
	})
}

// A cache that was emptied has nothing, and counts nothing.
func TestRecentEventsForget(t *testing.T) {
	t.Parallel()
	recent, tenant := newRecent(), domain.TenantID{1}
	recent.put(domain.Recorded{Tenant: tenant, Seq: 1}, 100)
	if _, ok := recent.after(tenant, 0, 1); !ok {
		t.Fatal("what was put isn't there")
	}
	recent.forget()
	if _, ok := recent.after(tenant, 0, 1); ok || recent.bytes != 0 {
		t.Errorf("there is still something, of %d bytes", recent.bytes)
	}
}

// commit is the events of one Commit and their sizes.
type commit struct {
	events []domain.Recorded
	sizes  []int
}
