package notify

import (
	"testing"

	"docket/internal/pgtest"
)

// What is deleted is found by an index, however many rows stay.
func TestPlansOfDeletions(t *testing.T) {
	t.Parallel()
	pgtest.WantIndexes(t, pgtest.New(t).Engine(t), map[string]string{
		deleteFinishedSQL: "deliveries_finished_at", deleteReadSQL: "notifications_read",
		markUnusedSQL: "tenant_secrets_noted", unusedSQL: "tenant_secrets_unused",
	})
}
