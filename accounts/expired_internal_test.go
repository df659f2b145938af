package accounts

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
		deleteEndedSQL: "sessions_ended", deleteUsedSQL: "refresh_tokens_used",
	} {
		plan, err := pgtest.GenericPlan(t, engine, sql)
		if err != nil || strings.Contains(plan, "Seq Scan") || !strings.Contains(plan, index) {
			t.Errorf("%s, %v:\n%s", index, err, plan)
		}
	}
}
