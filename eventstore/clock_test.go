package eventstore_test

import (
	"testing"
	"time"

	"docket/eventstore"
)

// A log's times increase though the clock was turned back, whether a Commit is sent
// alone or in a batch.
func TestTimesGoForwardThoughTheClockDoesNot(t *testing.T) {
	t.Parallel()
	for name, commits := range map[string]int{"alone": 1, "few": 2, "many": 40} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			tenant := f.Tenant()
			var last time.Time
			if err := f.Engine.QueryRow(t.Context(), `insert into events
select tenant_id, 2, 'task', gen_random_uuid(), 1, 'task.updated', 1, now() + interval '1 hour', null, command_id, '{}', '{}'
from events where tenant_id = $1 returning occurred_at`, tenant.UUID()).Scan(&last); err != nil {
				t.Fatal(err)
			}
			var batch []eventstore.Commit
			for range commits {
				batch = append(batch, commit(t, part(tenant, newStream(t), 0, 1)))
			}
			outcomes, err := f.Store.CallEach(t.Context(), batch)
			if err != nil {
				t.Fatal(err)
			}
			for i, o := range outcomes {
				want := last.Add(time.Duration(i+1) * time.Microsecond)
				if o.Err != nil || !o.Appended.Events[0].At.Equal(want) {
					t.Fatalf("event %d: got %+v (%v), want it at %s", i, o.Appended.Events, o.Err, want)
				}
			}
		})
	}
}
