package commands_test

import (
	"testing"

	"docket/domain"
)

// Users whose addresses were claimed by the form of before are found by them, before the
// claims are moved and after; what isn't theirs is free then.
func TestRefoldEmails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	strauss, munich := w.register("Strauß@example.org"), w.register("a@münchen.example")
	plain := w.register("ann@example.org")
	legacy := func(email string, u domain.UserID) {
		t.Helper()
		tag, err := w.engine.Exec(ctx, `with old as (delete from claims where tenant_id = $1 and kind = 'email' and holder = $2 returning *)
			insert into claims (tenant_id, kind, value, holder) select tenant_id, kind, $3, holder from old`, domain.Platform.UUID(), u.UUID(), domain.Caseless(email))
		if err != nil || tag.RowsAffected() != 1 {
			t.Fatal(tag, err)
		}
	}
	finds := func(email string, want domain.UserID) {
		t.Helper()
		got, found, err := w.one.UserByEmail(ctx, email)
		if err != nil || found != !want.IsZero() || got != want {
			t.Errorf("%s is %v %t %v, want %v", email, got, found, err, want)
		}
	}
	legacy("Strauß@example.org", strauss)
	legacy("a@münchen.example", munich)
	other := w.register("a@xn--mnchen-3ya.example") // which was another address
	finds("strauß@example.org", strauss)
	finds("a@MÜNCHEN.example", munich)

	moved, collisions, err := w.store.RefoldEmails(ctx)
	if err != nil || moved != 1 || len(collisions) != 1 || collisions[0] != munich {
		t.Fatal(moved, collisions, err)
	}
	finds("STRAUẞ@example.org", strauss)
	finds("strauss@example.org", domain.UserID{})
	finds("ann@example.org", plain)
	// Both have kept their way in.
	finds("a@münchen.example", munich)
	finds("a@xn--mnchen-3ya.example", other)
	if u := w.register("strauss@example.org"); u == strauss {
		t.Error("strauss is strauß")
	}
	if moved, collisions, err := w.store.RefoldEmails(ctx); err != nil || moved != 0 || collisions != nil {
		t.Error("the second time:", moved, collisions, err)
	}
}
