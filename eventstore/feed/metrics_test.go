package feed_test

import (
	"context"
	"testing"
	"time"

	"docket/eventstore/feed"
	"docket/internal/tenanttest"

	"github.com/prometheus/client_golang/prometheus"
)

// untilMeasured gathers until it is enough, and returns what there is then.
func untilMeasured(t *testing.T, r *prometheus.Registry, enough func(map[string]float64) bool) map[string]float64 {
	t.Helper()
	var all map[string]float64
	tenanttest.Eventually(t, "the metrics aren't what the test waits for", func() (bool, any) {
		all = tenanttest.Measured(t, r)
		return enough(all), all
	})
	return all
}

// A subscription counts its pages, and its failures until they are over.
func TestPagesAreCounted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	head := f.Grow(f.Store, tenant, 4)
	reg, cured := prometheus.NewRegistry(), make(chan struct{})
	r := f.replica(feed.Config{PageSize: 2, Metrics: reg, Timeout: time.Hour})
	failed := false
	r.subscribe("a", func(ctx context.Context, p *feed.Page) error {
		if p.Events[0].Seq != head {
			return nil
		}
		if !failed {
			failed = true
			return errBad
		}
		select { // tried again before its time here, it is neither handled nor fails
		case <-cured:
		case <-ctx.Done():
		}
		return ctx.Err()
	})
	f.parked("a", tenant, 1)
	untilMeasured(t, reg, func(m map[string]float64) bool { return m["docket_feed_parked_tenants a"] == 1 })
	tenanttest.WantsMeasured(t, reg, map[string]float64{
		"docket_feed_pages_total a": 2, "docket_feed_events_total a": float64(head - 1), "docket_feed_failures_total a": 1,
		"docket_feed_page_seconds a": 2, "docket_feed_lag_seconds a": 2,
		"docket_feed_behind_events a": 1, "docket_feed_behind_tenants a": 1, "docket_feed_left_to_newer_total a": 0,
	})
	close(cured)
	f.due("a", tenant)
	r.wantsReached(tenant, head, "a")
	untilMeasured(t, reg, func(m map[string]float64) bool { // a sweep and Progress may have seen it before it is counted
		return m["docket_feed_parked_tenants a"] == 0 && m["docket_feed_lag_seconds a"] >= 3
	})
	tenanttest.WantsMeasured(t, reg, map[string]float64{
		"docket_feed_pages_total a": 3, "docket_feed_events_total a": float64(head),
		"docket_feed_behind_events a": 0, "docket_feed_behind_tenants a": 0,
	})
}
