package eventstore_test

import (
	"testing"

	"docket/eventstore"
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
