package projections

import (
	"testing"

	"docket/domain"
)

// A tenant that a newer version changed is listed as it was before.
func TestTenantsOfANewerVersionAreListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for slug, e := range map[string]struct{ eventType, data string }{
		"a-type":  {"tenant.moved", `{}`},
		"a-field": {"tenant.updated", `{"changes":[{"field":"budget","from":null,"to":7}]}`},
	} {
		c, _ := w.Found(t, slug)
		claimSlug(t, w, c.ID, slug)
		w.Insert(t, c, c.Stream(), e.eventType, 1, e.data, `{}`)
	}
	page, _, err := w.queries.Tenants(t.Context(), domain.Operate(domain.Platform), "", 0)
	if err != nil || len(page) != 2 {
		t.Fatalf("%+v, %v", page, err)
	}
	for _, l := range page {
		if l.Tenant.Name != "Company "+l.Tenant.Slug || l.Head != 3 {
			t.Errorf("%+v", l)
		}
	}
}
