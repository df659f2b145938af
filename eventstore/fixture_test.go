package eventstore_test

import (
	"context"
	"testing"
	"time"

	"docket/eventstore"
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

// another is a Store with connections of its own, as another replica has.
func (f *fixture) another() *eventstore.Store {
	return eventstore.New(f.DB.Engine(f.T), f.DB.API(f.T), nil)
}

// wantsUnchanged runs something and fails if it left a trace in any log or claim.
func (f *fixture) wantsUnchanged(do func()) {
	f.T.Helper()
	const sql = `select (select count(*) from events), (select count(*) from claims), (select count(*) from tenant_logs)`
	count := func() [3]int {
		var n [3]int
		if err := f.Engine.QueryRow(f.T.Context(), sql).Scan(&n[0], &n[1], &n[2]); err != nil {
			f.T.Fatal(err)
		}
		return n
	}
	before := count()
	do()
	if after := count(); after != before {
		f.T.Errorf("events, claims and logs were %v, are %v: something was written", before, after)
	}
}

// withPatience is the context of a caller that waits for 10 ms.
func withPatience(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), 10*time.Millisecond)
}
