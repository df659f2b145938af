package feed

import (
	"errors"
	"slices"
	"testing"

	"docket/domain"

	"github.com/jackc/pgx/v5/pgconn"
	"pgregory.net/rapid"
)

// bisect asks once about each readable tenant and returns the failing ones, unless all fail
// or too many do. Any other error ends it.
func TestBisect(t *testing.T) {
	t.Parallel()
	damaged, broken := &pgconn.PgError{Code: "XX001", SeverityUnlocalized: "ERROR"}, errors.New("broken")
	rapid.Check(t, func(t *rapid.T) {
		tenants := make([]domain.TenantID, rapid.IntRange(0, 100).Draw(t, "tenants"))
		for i := range tenants {
			tenants[i][0] = byte(i)
		}
		failing := map[domain.TenantID]bool{}
		for range rapid.IntRange(0, 20).Draw(t, "failing") {
			if len(tenants) > 0 {
				failing[rapid.SampledFrom(tenants).Draw(t, "one")] = true
			}
		}
		breaks := rapid.IntRange(1, 200).Draw(t, "breaks at question")
		var healthy []domain.TenantID
		asked := 0
		left, err := bisect(tenants, func(some []domain.TenantID) error {
			if asked++; asked == breaks {
				return broken
			}
			if slices.ContainsFunc(some, func(t domain.TenantID) bool { return failing[t] }) {
				return damaged
			}
			healthy = append(healthy, some...)
			return nil
		})
		switch {
		case asked >= breaks:
			if err != broken {
				t.Fatalf("the error is %v, want that of the question that broke", err)
			}
			return
		case len(failing) > 0 && len(failing) == len(tenants), len(failing) > leftMost:
			if err != damaged {
				t.Fatalf("of %d tenants, with %d failing, it is %v, want the first error", len(tenants), len(failing), err)
			}
			return
		case err != nil || len(left) != len(failing):
			t.Fatalf("%d are left of %d failing: %v", len(left), len(failing), err)
		}
		for _, one := range left {
			if !failing[one] {
				t.Fatalf("%v is left and healthy", one)
			}
		}
		slices.SortFunc(healthy, func(a, b domain.TenantID) int { return int(a[0]) - int(b[0]) })
		if got := len(slices.Compact(slices.Clone(healthy))); got != len(healthy) || got != len(tenants)-len(failing) {
			t.Fatalf("of %d healthy tenants %d were asked about, %d of them once", len(tenants)-len(failing), len(healthy), got)
		}
	})
}

// Seventeen failing tenants are too many, wherever they are in the list.
func TestBisectLeavesNoMore(t *testing.T) {
	t.Parallel()
	tenants, failing := make([]domain.TenantID, 32), map[domain.TenantID]bool{}
	for i := range tenants {
		tenants[i][0] = byte(i)
		failing[tenants[i]] = i%2 == 0 || i == 31
	}
	damaged := &pgconn.PgError{Code: "XX001", SeverityUnlocalized: "ERROR"}
	left, err := bisect(tenants, func(some []domain.TenantID) error {
		if slices.ContainsFunc(some, func(t domain.TenantID) bool { return failing[t] }) {
			return damaged
		}
		return nil
	})
	if err != damaged {
		t.Errorf("%d are left: %v", len(left), err)
	}
}
