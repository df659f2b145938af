package notify

import (
	"strings"
	"testing"

	"docket/internal/pgtest"
)

// What is deleted is found by an index, however many rows stay.
func TestPlansOfDeletions(t *testing.T) {
	t.Parallel()
	engine := pgtest.New(t).Engine(t)
	for sql, index := range map[string]string{
		deleteFinishedSQL: "deliveries_finished_at", deleteReadSQL: "notifications_read",
		markUnusedSQL: "tenant_secrets_noted", unusedSQL: "tenant_secrets_unused",
	} {
		plan, err := pgtest.GenericPlan(t, engine, sql)
		if err != nil || strings.Contains(plan, "Seq Scan") || !strings.Contains(plan, index) {
			t.Errorf("%s, %v:\n%s", index, err, plan)
		}
	}
}
