package eventstore_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/tenanttest"

	"github.com/google/uuid"
)

func TestClaims(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant, other := f.Tenant(), f.Tenant()
	ann, bob := uuid.New(), uuid.New()
	claim := func(tenant domain.TenantID, value string, holder uuid.UUID, release bool) eventstore.Claim {
		return eventstore.Claim{Tenant: tenant, Kind: eventstore.ClaimSlug, Value: value, Holder: holder, Release: release}
	}
	try := func(claims ...eventstore.Claim) error {
		c := commit(t, part(tenant, newStream(t), 0, 1))
		c.Claims = claims
		_, err := f.Store.Append(t.Context(), c)
		return err
	}
	taken := func(value string, by uuid.UUID, claims ...eventstore.Claim) {
		t.Helper()
		f.wantsUnchanged(func() {
			err := try(claims...)
			var claimed *eventstore.ClaimedError
			if !errors.As(err, &claimed) || claimed.Claim.Value != value {
				t.Errorf("got %v, want %q claimed", err, value)
			}
		})
		f.held(tenant, value, by)
	}
	accepted := func(claims ...eventstore.Claim) {
		t.Helper()
		if err := try(claims...); err != nil {
			t.Error(err)
		}
	}

	accepted(claim(tenant, "acme", ann, false))
	f.held(tenant, "acme", ann)
	taken("acme", ann, claim(tenant, "acme", bob, false))
	taken("acme", ann, claim(tenant, "acme", ann, false))
	taken("acme", ann, claim(tenant, "free", bob, false), claim(tenant, "acme", bob, false))

	// Another log or another kind is another claim.
	accepted(claim(other, "acme", bob, false))
	mail := claim(tenant, "acme", bob, false)
	mail.Kind = eventstore.ClaimEmail
	accepted(mail)

	// Only its holder can give it back.
	accepted(claim(tenant, "acme", bob, true))
	f.held(tenant, "acme", ann)
	accepted(claim(tenant, "acme", ann, true))
	f.held(tenant, "acme", uuid.Nil)
	accepted(claim(tenant, "acme", ann, true))
	accepted(claim(tenant, "acme", bob, false))

	// One given back and another taken; the same handed over, in either order.
	accepted(claim(tenant, "acme", bob, true), claim(tenant, "apex", bob, false))
	f.held(tenant, "acme", uuid.Nil)
	f.held(tenant, "apex", bob)
	accepted(claim(tenant, "apex", bob, true), claim(tenant, "apex", ann, false))
	f.held(tenant, "apex", ann)
	accepted(claim(tenant, "apex", bob, false), claim(tenant, "apex", ann, true))
	f.held(tenant, "apex", bob)
	taken("apex", bob, claim(tenant, "apex", ann, true), claim(tenant, "apex", ann, false))
}

// held fails unless this holder has the claim. A nil holder means that the claim is free.
func (f *fixture) held(tenant domain.TenantID, value string, by uuid.UUID) {
	f.T.Helper()
	holder, found, err := f.Store.Claimant(f.T.Context(), tenant, eventstore.ClaimSlug, value)
	if err != nil {
		f.T.Fatal(err)
	}
	if holder != by || found != (by != uuid.Nil) {
		f.T.Errorf("claim %q is held by %s (%v), want %s", value, holder, found, by)
	}
}

func TestClaimantsBut(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	holders := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	c := commit(t, part(tenant, newStream(t), 0, 1))
	for _, h := range holders {
		c.Claims = append(c.Claims, eventstore.Claim{Tenant: tenant, Kind: eventstore.ClaimOwner, Value: h.String(), Holder: h})
	}
	f.Append(f.Store, c)
	for limit, want := range map[int]int{1: 1, 10: 2} {
		got, err := f.Store.ClaimantsBut(t.Context(), tenant, eventstore.ClaimOwner, holders[0], limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != want {
			t.Errorf("limit %d: got %d, want %d", limit, len(got), want)
		}
		for _, h := range got {
			if h == holders[0] {
				t.Error("the one to leave out is in the list")
			}
		}
	}
}

// Many want the same claim, on two replicas: one gets it.
func TestClaimIsExclusiveUnderConcurrency(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	stores := []*eventstore.Store{f.Store, f.another()}
	for _, value := range []string{"a", "b", "c", "d", "e"} {
		var won atomic.Int32
		var wait sync.WaitGroup
		for i := range 8 {
			c := commit(t, part(tenant, newStream(t), 0, 1))
			c.Claims = []eventstore.Claim{{Tenant: tenant, Kind: eventstore.ClaimSlug, Value: value, Holder: uuid.New()}}
			wait.Go(func() {
				_, err := stores[i%2].Append(t.Context(), c)
				var claimed *eventstore.ClaimedError
				switch {
				case err == nil:
					won.Add(1)
				case !errors.As(err, &claimed):
					t.Errorf("got %v, want a ClaimedError", err)
				}
			})
		}
		wait.Wait()
		if won.Load() != 1 {
			t.Errorf("%q was given to %d", value, won.Load())
		}
	}
}

// Two replicas begin the same tenant at once, as at the first start: one does,
// the other hears that it is there.
func TestSameNewTenantAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	stores := []*eventstore.Store{f.Store, f.another()}
	for range 10 {
		tenant := tenanttest.NewID[domain.TenantID](t)
		var begun atomic.Int32
		var wait sync.WaitGroup
		for _, s := range stores {
			c := commit(t, tenantPart(tenant))
			c.NewTenants = []domain.TenantID{tenant}
			wait.Go(func() {
				_, err := s.Append(t.Context(), c)
				var there *eventstore.TenantError
				switch {
				case err == nil:
					begun.Add(1)
				case !errors.As(err, &there):
					t.Errorf("got %v, want a TenantError", err)
				}
			})
		}
		wait.Wait()
		if begun.Load() != 1 || len(f.Log(tenant)) != 1 {
			t.Errorf("%d began it, its log has %d events", begun.Load(), len(f.Log(tenant)))
		}
	}
}
