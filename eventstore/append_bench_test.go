package eventstore_test

import (
	"fmt"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/pgtest"
	"docket/internal/tenanttest"
)

// BenchmarkCall is one call of the append function, as its batch grows: Commits
// of one event and one guard over ten tenants. Without the disk: the tests'
// Postgres doesn't wait for it.
func BenchmarkCall(b *testing.B) {
	db := pgtest.New(b)
	store := eventstore.New(db.Engine(b), db.API(b), nil)
	var tenants []domain.TenantID
	guards := map[domain.TenantID]domain.StreamID{}
	for range 10 {
		t, guard := tenanttest.NewID[domain.TenantID](b), newStream(b)
		_, err := store.Append(b.Context(), eventstore.Commit{
			Command: tenanttest.NewID[domain.CommandID](b), NewTenants: []domain.TenantID{t}, Parts: []eventstore.Part{tenantPart(t), part(t, guard, 0, 1)},
		})
		if err != nil {
			b.Fatal(err)
		}
		tenants, guards[t] = append(tenants, t), guard
	}
	for _, n := range []int{1, 8, 32, 128} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				commits := make([]eventstore.Commit, n)
				for i := range commits {
					t := tenants[i%len(tenants)]
					commits[i] = commit(b, part(t, newStream(b), 0, 1))
					commits[i].Guards = []eventstore.Guard{{Tenant: t, Stream: guards[t], Version: 1}}
				}
				if _, err := store.CallEach(b.Context(), commits); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "us/commit")
		})
	}
}
