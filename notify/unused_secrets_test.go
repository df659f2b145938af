package notify_test

import (
	"testing"
	"time"

	"docket/domain"
	"docket/notify"
)

// A replaced secret goes after it was noted as unused for some time. One that the tenant's
// log names stays, whatever the subscription has folded.
func TestUnusedSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant, _ := w.tenant(newID[domain.UserID](t))
	put := func() domain.SecretID {
		t.Helper()
		id := newID[domain.SecretID](t)
		if err := w.secrets().Put(t.Context(), tenant, id, "https://hooks.example.org/x"); err != nil {
			t.Fatal(err)
		}
		return id
	}
	run := func(sql string, args ...any) {
		t.Helper()
		if _, err := w.engine.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	elapse := func() {
		run(`update tenant_secrets set created_at = created_at - interval '8 days', unused_since = unused_since - interval '8 days'`)
	}
	sweep := func() int {
		t.Helper()
		n, err := notify.DeleteUnusedSecrets(t.Context(), w.engine, w.store, 7*24*time.Hour, 100)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	left := func(want ...domain.SecretID) {
		t.Helper()
		var n, named int
		ids := make([]string, len(want))
		for i, id := range want {
			ids[i] = id.String()
		}
		if err := w.engine.QueryRow(t.Context(), `select count(*), count(*) filter (where id = any($1::uuid[])) from tenant_secrets`, ids).Scan(&n, &named); err != nil {
			t.Fatal(err)
		}
		if n != len(want) || named != n {
			t.Errorf("%d secrets are left, %d of the %d expected", n, named, len(want))
		}
	}

	replaced, present := put(), put()
	for _, id := range []domain.SecretID{replaced, present} {
		w.configure(tenant, map[string]string{"slack_webhook": `"` + id.String() + `"`})
	}
	young := put() // of a command that has not been appended yet
	sweep()
	left(replaced, present, young)
	elapse()
	sweep() // notes the three: the subscription has folded nothing
	left(replaced, present, young)
	w.configure(tenant, map[string]string{"slack_webhook": `"` + young.String() + `"`})
	elapse()
	if sweep() != 3 {
		t.Error("not all that were noted were looked at")
	}
	left(young)
}
