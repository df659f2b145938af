package eventstore_test

import (
	"testing"

	"docket/eventstore"
	"docket/internal/tenanttest"
)

// A record whose stream ends before the answer is of a command whose events are lost: a
// restore brought back the table of records alone. The command is decided again.
func TestRecordOfLostEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant, stream := f.Tenant(), newStream(t)
	f.Append(f.Store, commit(t, part(tenant, stream, 0, 5)))
	for version, kept := range map[int]bool{5: true, 7: false} {
		c := commit(t)
		c.Entry = entry(tenant, string(rune('0'+version)))
		c.Entry.Answer = &eventstore.Version{Tenant: tenant, Stream: stream, Version: version}
		f.Append(f.Store, c)
		if _, found := f.remembered(c.Entry); found != kept {
			t.Errorf("the record of version %d of 5: found %v, want %v", version, found, kept)
		}
		again := commit(t, part(tenant, newStream(t), 0, 1))
		again.Entry = c.Entry
		if _, err := f.Store.Append(t.Context(), again); (err != nil) != kept {
			t.Errorf("the command with the key of version %d: %v", version, err)
		}
	}
}

// Two requests with the key of lost events at once: the one that doesn't delete the record
// decides again, too.
func TestRecordOfLostEventsGoesOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	c := commit(t)
	c.Entry = entry(tenant, "lost")
	c.Entry.Answer = &eventstore.Version{Tenant: tenant, Stream: newStream(t), Version: 7}
	f.Append(f.Store, c)
	first, err := f.DB.Engine(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Exec(t.Context(), `delete from commands where tenant_id = $1`, tenant.UUID()); err != nil {
		t.Fatal(err)
	}
	second := make(chan bool, 1)
	go func() {
		_, found := f.remembered(c.Entry)
		second <- found
	}()
	tenanttest.Until(t, first, `select exists (select from pg_locks where locktype = 'transactionid' and not granted
and transactionid = (select backend_xid from pg_stat_activity where pid = pg_backend_pid()))`)
	if err := first.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if tenanttest.Receive(t, "the second request still waits", second) {
		t.Error("the deleted record was found")
	}
}
