package projections

import (
	"fmt"
	"slices"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/tenanttest"
)

// No subscription runs: a tenant is listed as soon as it is there.
func TestTenantsPagesThroughAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	operator := domain.Operate(domain.Platform)
	if none, more, err := w.queries.Tenants(t.Context(), operator, "", 2); err != nil || len(none) != 0 || more {
		t.Fatalf("of none: %v, %t, %v", none, more, err)
	}
	var want []string
	ids := map[string]domain.TenantID{}
	for i := range 5 {
		slug := fmt.Sprintf("t-%d", (i*3)%5) // not in the order of making
		c, _ := w.Found(t, slug)
		claimSlug(t, w, c.ID, slug)
		ids[slug] = c.ID
		want = append(want, slug)
	}
	slices.Sort(want)
	var got []string
	after, pages := "", 0
	for more := true; more; pages++ {
		var (
			page []Listed
			err  error
		)
		page, more, err = w.queries.Tenants(t.Context(), operator, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page {
			got = append(got, l.Tenant.Slug)
			if l.Tenant.ID != ids[l.Tenant.Slug] || l.Tenant.Name != "Company "+l.Tenant.Slug || l.Head != 2 {
				t.Errorf("%+v", l)
			}
		}
		after = page[len(page)-1].Tenant.Slug
	}
	if !slices.Equal(got, want) || pages != 3 {
		t.Errorf("got %v in %d pages, want %v in 3", got, pages, want)
	}
	one, err := w.queries.Listed(t.Context(), domain.Operate(ids["t-3"]))
	if err != nil || one.Tenant.Slug != "t-3" {
		t.Errorf("one: %+v, %v", one, err)
	}
	_, err = w.queries.Listed(t.Context(), domain.Operate(tenanttest.NewID[domain.TenantID](t)))
	isNotFound(t, err)
}

func TestSlugsByTheirBeginning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, slug := range []string{"acme", "acme-2", "ac_me", "bolt"} {
		c, _ := w.Found(t, "company") // what it is called in its own log doesn't matter
		claimSlug(t, w, c.ID, slug)
	}
	for start, want := range map[string][]string{
		"": {"ac_me", "acme", "acme-2", "bolt"}, "acme": {"acme", "acme-2"}, "b": {"bolt"}, "c": nil, "%": nil, "ac_": {"ac_me"},
	} {
		got, err := w.queries.Slugs(t.Context(), domain.Operate(domain.Platform), start, 10)
		slices.Sort(got)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v; want %v", start, got, err, want)
		}
	}
	if got, err := w.queries.Slugs(t.Context(), domain.Operate(domain.Platform), "", 1); err != nil || len(got) != 1 {
		t.Errorf("one: %v, %v", got, err)
	}
}

// Whoever is no operator, and an operator of one tenant, learns of no other.
func TestTheDirectoryIsForOperators(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ann := w.Found(t, "acme")
	claimSlug(t, w, c.ID, "acme")
	member, err := domain.Admit(c.Members[ann])
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]domain.Scope{"the zero scope": {}, "a member": member, "an operator of one": domain.Operate(c.ID)} {
		if _, _, err := w.queries.Tenants(t.Context(), s, "", 0); domain.CodeOf(err) != domain.CodeTenantAccessDenied {
			t.Errorf("%s: tenants: %v", name, err)
		}
		if _, err := w.queries.Slugs(t.Context(), s, "", 0); domain.CodeOf(err) != domain.CodeTenantAccessDenied {
			t.Errorf("%s: slugs: %v", name, err)
		}
	}
	if _, err := w.queries.Listed(t.Context(), member); domain.CodeOf(err) != domain.CodeTenantAccessDenied {
		t.Errorf("a member: %v", err)
	}
}

// claimSlug gives a tenant its slug, which in life is appended with its first event.
func claimSlug(t *testing.T, w *world, id domain.TenantID, slug string) {
	t.Helper()
	if _, err := w.Engine.Exec(t.Context(), `insert into claims (tenant_id, kind, value, holder) values ($1, $2, $3, $4)`,
		domain.Platform.UUID(), string(eventstore.ClaimSlug), slug, id.UUID()); err != nil {
		t.Fatal(err)
	}
}
