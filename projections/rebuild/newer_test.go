package rebuild

import (
	"errors"
	"fmt"
	"testing"

	"docket/domain"
	"docket/internal/tenanttest"
	"docket/projections"
)

// beyond are events of a project that this version can't read, each in a way of
// its own.
var beyond = map[string]struct {
	eventType string
	schema    int
	data      string
	meta      string
}{
	"a type":           {"project.frobbed", 1, `{"x": 1}`, `{}`},
	"a schema version": {"project.updated", 99, `{"x": 1}`, `{}`},
	"a field":          {"project.updated", 1, `{"changes": [{"field":"budget","from":null,"to":7}]}`, `{}`},
	"a key": {"project.updated", 1, `{"changes": []}`,
		`{"actor_name":{"$p":{"subject":"01a2089e-4db8-7f7c-b258-421961d6e560","key":"k1","value":{"ct":"c2VjcmV0"}}}}`},
}

// What a newer version wrote stops no reader of the log, and no other tenant. An
// older replica's read models stop before it or go past it, but none is parked; a
// rebuild leaves the tenant's old rows and says why, and goes on with the others.
func TestReadModelsOfAnOlderReplica(t *testing.T) {
	t.Parallel()
	for name, e := range beyond {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c, ann := w.Company(t, 3)
			other, _ := w.Found(t, "other")
			stream := domain.Stream(domain.ProjectStream, c.ProjectIDs[0])
			seq := w.Insert(t, c, stream, e.eventType, e.schema, e.data, e.meta)
			w.RunAll(t, 5)
			w.Caught(t, c)
			w.Caught(t, other)
			live := w.dump(t, c)

			ended := map[domain.TenantID]map[bool]int{c.ID: {}, other.ID: {}}
			err := w.rebuild.Rebuild(t.Context(), []domain.TenantID{c.ID, other.ID}, nil, func(p Progress) {
				if p.Done || p.Err != nil {
					ended[p.Tenant][p.Done]++
				}
				if p.Err != nil && !errors.Is(p.Err, domain.ErrUnknownEvent) {
					t.Error(p.Err)
				}
			})
			stopped := errors.Is(err, domain.ErrUnknownEvent) && ended[c.ID][false] > 0
			if e.meta != `{}` { // which no fold reads
				stopped = err != nil || ended[c.ID][false] > 0
			}
			if stopped != (e.meta == `{}`) || ended[other.ID][true] != len(projections.Models()) {
				t.Errorf("rebuilt: %v, %v", ended, err)
			}
			// One that ignores the type goes past what is new in the event, but no newer version of it.
			err = w.rebuild.Rebuild(t.Context(), []domain.TenantID{c.ID}, []string{"members"}, nil)
			if past := name == "a field" || name == "a key"; past != (err == nil) || !past && !errors.Is(err, domain.ErrUnknownEvent) {
				t.Errorf("rebuilt alone: %v", err)
			}
			equal(t, "rows after the rebuild", w.dump(t, c), live)

			var parked int
			if err := w.Engine.QueryRow(t.Context(), `select count(*) from checkpoints
where failures > 0 or error is not null or retry_at is not null`).Scan(&parked); err != nil || parked > 0 {
				t.Errorf("%d checkpoints tell of failures, %v", parked, err)
			}
			w.shows(t, c, ann, stream, seq)
		})
	}
}

// shows fails unless the log, the history and a replay have the event as stored.
func (w *world) shows(t *testing.T, c *tenanttest.Tenant, ann domain.UserID, stream domain.StreamID, seq int64) {
	t.Helper()
	s := c.Scope(t, ann)
	var last projections.HistoryItem
	if err := w.queries.Replay(t.Context(), s, projections.Until{}, func(item projections.HistoryItem) error { last = item; return nil }); err != nil {
		t.Error(err)
	}
	history, _, err := w.queries.History(t.Context(), s, stream, projections.Span{AfterSeq: seq - 1}, 0)
	if err != nil || len(history) != 1 {
		t.Fatalf("history: %+v, %v; want one item", history, err)
	}
	for how, item := range map[string]projections.HistoryItem{"history": history[0], "replay": last} {
		if item.Summary == "" || item.Changes == nil {
			t.Errorf("%s: it is rendered as %+v, want a summary and changes", how, item.Line)
		}
	}
	events, _, err := w.queries.Events(t.Context(), s, projections.Span{AfterSeq: seq - 1}, 0)
	if err != nil || len(events) != 1 {
		t.Fatalf("log: %+v, %v; want one event", events, err)
	}
	for how, e := range map[string]projections.Event{"history": history[0].Event, "replay": last.Event, "log": events[0]} {
		var stored string
		if err := w.Engine.QueryRow(t.Context(), `select concat_ws(' ', seq, type, schema_version, data, meta) from events
where tenant_id = $1 and seq = $2`, c.ID.UUID(), seq).Scan(&stored); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(e.Seq, " ", e.Type, " ", e.SchemaVersion, " ", string(e.Data), " ", string(e.Meta)); got != stored {
			t.Errorf("%s: got %s, stored was %s", how, got, stored)
		}
	}
}
