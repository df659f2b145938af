package feed

import (
	"errors"
	"slices"
	"testing"

	"docket/domain"

	"github.com/jackc/pgx/v5/pgconn"
	"pgregory.net/rapid"
)

// Whoever is sick, all others are asked about once, and the sick are told; unless they are
// all, or too many to be the reason. Any other error ends it.
func TestByHalves(t *testing.T) {
	t.Parallel()
	damaged, broken := &pgconn.PgError{Code: "XX001", SeverityUnlocalized: "ERROR"}, errors.New("broken")
	rapid.Check(t, func(t *rapid.T) {
		tenants := make([]domain.TenantID, rapid.IntRange(0, 100).Draw(t, "tenants"))
		for i := range tenants {
			tenants[i][0] = byte(i)
		}
		sick := map[domain.TenantID]bool{}
		for range rapid.IntRange(0, 20).Draw(t, "sick") {
			if len(tenants) > 0 {
				sick[rapid.SampledFrom(tenants).Draw(t, "one")] = true
			}
		}
		breaks := rapid.IntRange(1, 200).Draw(t, "breaks at question")
		var well []domain.TenantID
		asked := 0
		left, err := byHalves(tenants, func(some []domain.TenantID) error {
			if asked++; asked == breaks {
				return broken
			}
			if slices.ContainsFunc(some, func(t domain.TenantID) bool { return sick[t] }) {
				return damaged
			}
			well = append(well, some...)
			return nil
		})
		switch {
		case asked >= breaks:
			if err != broken {
				t.Fatalf("the error is %v, want that of the question that broke", err)
			}
			return
		case len(sick) > 0 && len(sick) == len(tenants), len(sick) > leftMost:
			if err != damaged {
				t.Fatalf("of %d tenants, with %d sick, it is %v, want the first error", len(tenants), len(sick), err)
			}
			return
		case err != nil || len(left) != len(sick):
			t.Fatalf("%d are left of %d sick: %v", len(left), len(sick), err)
		}
		for _, one := range left {
			if !sick[one] {
				t.Fatalf("%v is left and well", one)
			}
		}
		slices.SortFunc(well, func(a, b domain.TenantID) int { return int(a[0]) - int(b[0]) })
		if got := len(slices.Compact(slices.Clone(well))); got != len(well) || got != len(tenants)-len(sick) {
			t.Fatalf("of %d who are well %d were asked about, %d of them once", len(tenants)-len(sick), len(well), got)
		}
	})
}

// Seventeen are too many, however they lie.
func TestByHalvesLeavesNoMore(t *testing.T) {
	t.Parallel()
	tenants, sick := make([]domain.TenantID, 32), map[domain.TenantID]bool{}
	for i := range tenants {
		tenants[i][0] = byte(i)
		sick[tenants[i]] = i%2 == 0 || i == 31
	}
	damaged := &pgconn.PgError{Code: "XX001", SeverityUnlocalized: "ERROR"}
	left, err := byHalves(tenants, func(some []domain.TenantID) error {
		if slices.ContainsFunc(some, func(t domain.TenantID) bool { return sick[t] }) {
			return damaged
		}
		return nil
	})
	if err != damaged {
		t.Errorf("%d are left: %v", len(left), err)
	}
}
