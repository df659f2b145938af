package eventstore_test

import (
	"context"
	"strings"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/tenanttest"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// Every way in which an append ends has its counter.
func TestAppendsAreCounted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s, r := f.another(), prometheus.NewRegistry()
	s.Register(r)
	tenant, stream, holder := f.Tenant(), newStream(t), tenanttest.NewID[domain.UserID](t)
	claiming := func(by domain.UserID) eventstore.Commit {
		c := commit(t, part(tenant, newStream(t), 0, 1))
		c.Claims = []eventstore.Claim{{Tenant: tenant, Kind: eventstore.ClaimEmail, Value: "ann@example.org", Holder: uuid.UUID(by)}}
		return c
	}
	huge := part(tenant, newStream(t), 0, 1)
	huge.Events = []domain.Event{domain.TaskUpdated{Title: strings.Repeat("x", eventstore.MaxEventSize)}}
	for _, c := range []eventstore.Commit{
		commit(t, part(tenant, stream, 0, 3)),
		commit(t, part(tenant, stream, 0, 1)), // conflict
		claiming(holder),
		claiming(tenanttest.NewID[domain.UserID](t)),                        // claimed
		commit(t, part(tenanttest.NewID[domain.TenantID](t), stream, 0, 1)), // no such tenant
		commit(t, huge),                                                     // too large
		{Command: tenanttest.NewID[domain.CommandID](t)},                    // a Commit of nothing
		commit(t, part(tenant, newStream(t), 0, 1)),
	} {
		_, _ = s.Append(t.Context(), c)
	}
	before := commit(t, part(tenant, newStream(t), 0, 1))
	before.ServerNumber = s.ServerNumber()
	s.ServerChanged()
	_, _ = s.Append(t.Context(), before)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = s.Append(ended, commit(t, part(tenant, newStream(t), 0, 1)))
	tenanttest.WantsMeasured(t, r, map[string]float64{
		"docket_append_commits_total applied": 3, "docket_append_commits_total conflict": 1,
		"docket_append_commits_total claimed": 1, "docket_append_commits_total tenant": 1,
		"docket_append_commits_total too_large": 1, "docket_append_commits_total unavailable": 1,
		"docket_append_commits_total failed": 1, "docket_append_commits_total unknown": 0,
		"docket_append_commits_total server_changed": 1,
		"docket_append_events_total":                 5, "docket_append_batch_commits": 6, "docket_append_batch_seconds": 6,
		"docket_append_wait_seconds": 6, "docket_append_queue_commits": 0, "docket_append_batches_in_flight": 0,
		"docket_append_answers_lost_total": 0,
	})
}

// An answer that is lost and found out about is counted, and the Commit once.
func TestLostAnswersAreCounted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant, w := f.Tenant(), newWire(t, f.DB.EngineURL)
	s, r := f.behind(w, tenant), prometheus.NewRegistry()
	s.Register(r)
	w.dropOne.Store(true)
	f.Append(s, commit(t, part(tenant, newStream(t), 0, 2)))
	tenanttest.WantsMeasured(t, r, map[string]float64{
		"docket_append_answers_lost_total": 1, "docket_append_answers_resolved_total": 1,
		"docket_append_commits_total applied": 2, "docket_append_commits_total unknown": 0,
		"docket_append_events_total": 3,
	})
}
