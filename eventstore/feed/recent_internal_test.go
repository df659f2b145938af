package feed

import (
	"testing"

	"docket/domain"

	"github.com/google/uuid"
)

// A run whose last event isn't the log's is dropped: the log has lost that event, or has
// another one at its seq.
func TestRecentVerify(t *testing.T) {
	t.Parallel()
	tenant, command, other := domain.TenantID{1}, domain.CommandID{7}, uuid.UUID{8}
	same := command.UUID()
	for name, c := range map[string]struct {
		found *uuid.UUID
		keeps bool
	}{
		"the log has it":      {&same, true},
		"the log has another": {&other, false},
		"the log has none":    {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cache := newRecent()
			cache.add([]domain.Recorded{{Tenant: tenant, Seq: 3, Command: command, Event: domain.TaskDeleted{}}}, []int{10})
			last, ok := cache.last(tenant)
			if !ok || last.Seq != 3 {
				t.Fatalf("the last event is %d (%t), want 3", last.Seq, ok)
			}
			cache.verify(last, c.found)
			if _, ok := cache.after(tenant, 2, 1); ok != c.keeps {
				t.Errorf("the run is kept: %t, want %t", ok, c.keeps)
			}
		})
	}
}
