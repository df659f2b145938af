package projections

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"docket/domain"
	"docket/internal/tenanttest"
)

func TestEventsAreTheBytesOfTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ann := w.Company(t, 3)
	s := c.Scope(t, ann)
	var got []Event
	for span, more := (Span{}), true; more; {
		events, m, err := w.queries.Events(t.Context(), s, span, 2)
		if err != nil {
			t.Fatal(err)
		}
		got, more = append(got, events...), m
		span = span.Next(got[len(got)-1].Seq)
	}
	if len(got) != len(c.Log) {
		t.Fatalf("%d events of %d", len(got), len(c.Log))
	}
	for i, e := range got {
		r := c.Log[i]
		d, data, err := domain.Encode(r.Event)
		if err != nil {
			t.Fatal(err)
		}
		if e.Seq != r.Seq || !e.At.Equal(r.At) || e.Stream != r.Stream || e.Version != r.Version || e.Type != d.Type ||
			e.SchemaVersion != d.Version || *e.ActorID != r.Actor || e.CommandID != r.Command || !bytes.Equal(e.Data, data) {
			t.Errorf("got %+v, want %+v", e, r)
		}
		var meta domain.Meta
		if err := json.Unmarshal(e.Meta, &meta); err != nil || meta.RequestID != r.Meta.RequestID {
			t.Errorf("meta %s: %v", e.Meta, err)
		}
	}
	head, err := w.queries.SeqHead(t.Context(), s)
	if err != nil || head != c.Head() {
		t.Errorf("head %d, %v", head, err)
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ann := w.Company(t, 2)
	p := c.ProjectIDs[0]
	for _, command := range []domain.ProjectCommand{
		domain.EditProject{Name: domain.To("Renamed")}, domain.MoveProject{To: domain.Submitted},
		domain.MoveProject{To: domain.Draft}, domain.DeleteProject{},
	} {
		if err := c.ChangeProject(t, ann, p, command); err != nil {
			t.Fatal(err)
		}
	}
	s, stream := c.Scope(t, ann), domain.Stream(domain.ProjectStream, p)
	var got []HistoryItem
	for span, more := (Span{}), true; more; {
		items, m, err := w.queries.History(t.Context(), s, stream, span, 2)
		if err != nil {
			t.Fatal(err)
		}
		got, more = append(got, items...), m
		span = span.Next(got[len(got)-1].Seq)
	}
	var summaries []string
	for _, item := range got {
		summaries = append(summaries, item.Summary)
		if item.ActorName != "Ann" || item.Stream != stream || item.ProjectID == nil || item.Changes == nil || len(item.Data) == 0 {
			t.Errorf("got %+v", item)
		}
	}
	if want := []string{
		`Ann created project "Project 0"`, `Ann changed the name of project "Renamed"`,
		`Ann moved project "Renamed" from draft to submitted`, `Ann moved project "Renamed" from submitted to draft`,
		`Ann deleted project "Renamed"`,
	}; !slices.Equal(summaries, want) {
		t.Errorf("got %q", summaries)
	}
	beyond, more, err := w.queries.History(t.Context(), s, stream, Span{AfterSeq: got[len(got)-1].Seq}, 2)
	if err != nil || more || len(beyond) != 0 {
		t.Errorf("after the last: %v, %v, %v", beyond, more, err)
	}
	for name, strange := range map[string]domain.StreamID{
		"no project":          domain.Stream(domain.ProjectStream, tenanttest.NewID[domain.ProjectID](t)),
		"a task as a project": {Type: domain.ProjectStream, ID: c.TaskIDs[0].UUID()},
	} {
		if _, _, err := w.queries.History(t.Context(), s, strange, Span{}, 0); err == nil {
			t.Errorf("%s has a history", name)
		} else {
			isNotFound(t, err)
		}
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.Company(t, 300) // more than a page
	operator := domain.Operate(c.ID)
	at := func(seq int64) time.Time { return c.Log[seq-1].At }
	for name, r := range map[string]struct {
		until Until
		last  int64
	}{
		"all":               {Until{}, c.Head()},
		"seq 1":             {Until{Seq: 1}, 1},
		"a page":            {Until{Seq: replayPage}, replayPage},
		"a page and 1":      {Until{Seq: replayPage + 1}, replayPage + 1},
		"seq beyond":        {Until{Seq: c.Head() + 10}, c.Head()},
		"time of 7":         {Until{Time: at(7)}, 7},
		"just before 7":     {Until{Time: at(7).Add(-time.Microsecond)}, 6},
		"just after 7":      {Until{Time: at(7).Add(time.Nanosecond)}, 7},
		"before everything": {Until{Time: at(1).Add(-time.Second)}, 0},
		"after everything":  {Until{Time: at(c.Head()).Add(time.Hour)}, c.Head()},
		"both":              {Until{Seq: 5, Time: at(7)}, 5},
	} {
		var seqs []int64
		err := w.queries.Replay(t.Context(), operator, r.until, func(item HistoryItem) error {
			seqs = append(seqs, item.Seq)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(seqs)) != r.last {
			t.Errorf("%s: %d events, want %d", name, len(seqs), r.last)
		}
		for i, seq := range seqs {
			if seq != int64(i)+1 {
				t.Fatalf("%s: event %d is seq %d", name, i, seq)
			}
		}
	}
	full := errors.New("disk full")
	if err := w.queries.Replay(t.Context(), operator, Until{}, func(HistoryItem) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

// A history shows an event that no version can read by its type and as it is stored. The
// events after it follow.
func TestHistoryOfDamagedEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ann := w.Company(t, 1)
	stream := domain.Stream(domain.TaskStream, c.TaskIDs[0])
	damaged := w.Insert(t, c, stream, "task.updated", 1, `{"title": 7}`, `{}`)
	if err := c.ChangeTask(t, ann, c.TaskIDs[0], domain.DeleteTask{}); err == nil {
		t.Error("something was decided from a damaged stream")
	}
	w.Insert(t, c, stream, "task.frobbed", 1, `{}`, `{}`)
	wants := func(items []HistoryItem) {
		t.Helper()
		if len(items) < 3 {
			t.Fatalf("%d items", len(items))
		}
		items = items[len(items)-2:]
		if is := items[0]; is.Seq != damaged || is.Summary != "task.updated, whose stored data makes no sense" || string(is.Data) != `{"title": 7}` || is.Changes == nil {
			t.Errorf("got %+v", is)
		}
		if is := items[1]; is.Seq != damaged+1 || is.Summary != "task.frobbed" {
			t.Errorf("after it: %+v", is)
		}
	}
	items, _, err := w.queries.History(t.Context(), c.Scope(t, ann), stream, Span{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	wants(items)
	items = nil
	if err := w.queries.Replay(t.Context(), domain.Operate(c.ID), Until{}, func(item HistoryItem) error {
		items = append(items, item)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	wants(items)
}

// At every time between any two events, the same seq as by counting.
func TestSeqAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ann := w.Company(t, 9)
	s := c.Scope(t, ann)
	for i, e := range c.Log {
		for shift, want := range map[time.Duration]int64{-time.Microsecond: int64(i), 0: int64(i) + 1, time.Microsecond: int64(i) + 1} {
			at := e.At.Add(shift)
			if shift > 0 && i+1 < len(c.Log) && !c.Log[i+1].At.After(at) {
				want++
			}
			if shift < 0 && i > 0 && c.Log[i-1].At.After(at) {
				want--
			}
			if got, err := w.queries.SeqAt(t.Context(), s, at); err != nil || got != want {
				t.Errorf("seq at event %d %+d ns: %d, want %d (%v)", i+1, shift, got, want, err)
			}
		}
	}
	empty, err := w.queries.SeqAt(t.Context(), domain.Operate(tenanttest.NewID[domain.TenantID](t)), time.Now())
	if err != nil || empty != 0 {
		t.Errorf("in no log: %d, %v", empty, err)
	}
}
