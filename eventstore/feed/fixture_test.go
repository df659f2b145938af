package feed_test

import (
	"context"
	"testing"
	"time"

	"docket/internal/tenanttest"
)

// fixture is a database and one replica's Store on it.
type fixture struct{ *tenanttest.Logs }

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return &fixture{tenanttest.NewLogs(t)}
}

// The parts of Commits.
var (
	commit     = tenanttest.Commit
	part       = tenanttest.Part
	tenantPart = tenanttest.TenantPart
	newStream  = tenanttest.NewStream
)

// withPatience is the context of a caller who soon gives up.
func withPatience(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), 10*time.Millisecond)
}
