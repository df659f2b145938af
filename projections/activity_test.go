package projections

import (
	"slices"
	"testing"
	"time"

	"docket/domain"

	"github.com/google/uuid"
)

func TestActivity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 5)
	c, ann := w.Company(t, 4)
	bob := c.UserIDs[1]
	if err := c.ChangeProject(t, ann, c.ProjectIDs[0], domain.MoveProject{To: domain.Submitted}); err != nil {
		t.Fatal(err)
	}
	if err := c.ChangeProject(t, ann, c.ProjectIDs[1], domain.DeleteProject{}); err != nil {
		t.Fatal(err)
	}
	w.Caught(t, c)
	s := c.Scope(t, ann)

	want := []Activity{}
	for _, e := range c.Log {
		a, err := renderActivity(e)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, a)
	}
	last := want[len(want)-2]
	if last.Summary != `Ann moved project "Project 0" from draft to submitted` || last.Action != "project.status_changed" ||
		last.ActorName != "Ann" || *last.ActorID != ann || last.EntityID != c.ProjectIDs[0].UUID() || *last.ProjectID != c.ProjectIDs[0] ||
		last.EntityType != domain.ProjectStream || len(last.Changes) != 1 || last.Changes[0].Field != "status" || last.RequestID == "" {
		t.Errorf("got %+v", last)
	}

	project := domain.ProjectStream
	entity := c.ProjectIDs[0].UUID()
	from, to := want[5].At, want[8].At
	before, after := want[0].At.Add(-time.Hour), want[len(want)-1].At.Add(time.Hour)
	between := want[5].At.Add(-time.Nanosecond)
	stranger, ended, status := uuid.New(), c.TaskIDs[1].UUID(), "status"
	for name, f := range map[string]struct {
		filter ActivityFilter
		fits   func(Activity) bool
	}{
		"all":             {ActivityFilter{}, func(Activity) bool { return true }},
		"Bob":             {ActivityFilter{ActorID: &bob}, func(a Activity) bool { return *a.ActorID == bob }},
		"projects":        {ActivityFilter{EntityType: &project}, func(a Activity) bool { return a.EntityType == project }},
		"one project":     {ActivityFilter{EntityID: &entity}, func(a Activity) bool { return a.EntityID == entity }},
		"its moves":       {ActivityFilter{EntityID: &entity, ActorID: &ann, Span: Span{AfterSeq: 6}}, func(a Activity) bool { return a.EntityID == entity && a.Seq > 6 }},
		"new tasks":       {ActivityFilter{Actions: []string{"task.created"}}, func(a Activity) bool { return a.Action == "task.created" }},
		"after 3":         {ActivityFilter{Span: Span{AfterSeq: 3}}, func(a Activity) bool { return a.Seq > 3 }},
		"from":            {ActivityFilter{From: &from}, func(a Activity) bool { return a.Seq >= 6 }},
		"from between":    {ActivityFilter{From: &between}, func(a Activity) bool { return a.Seq >= 6 }},
		"to":              {ActivityFilter{To: &to}, func(a Activity) bool { return a.Seq < 9 }},
		"from to after 6": {ActivityFilter{From: &from, To: &to, Span: Span{AfterSeq: 6}}, func(a Activity) bool { return a.Seq == 7 || a.Seq == 8 }},
		"from before":     {ActivityFilter{From: &before, To: &after}, func(Activity) bool { return true }},
		"to before":       {ActivityFilter{To: &before}, func(Activity) bool { return false }},
		"from after":      {ActivityFilter{From: &after}, func(Activity) bool { return false }},
		"two actions":     {ActivityFilter{Actions: []string{"comment.created", "task.created"}}, func(a Activity) bool { return a.Action == "task.created" || a.Action == "comment.created" }},
		"a field":         {ActivityFilter{Field: &status}, func(a Activity) bool { return hasField(a, status) }},
		"a field, never":  {ActivityFilter{Field: &status, Actions: []string{"task.created"}}, func(Activity) bool { return false }},
		"by Ann in one project": {ActivityFilter{ProjectID: &c.ProjectIDs[0], ActorID: &ann}, func(a Activity) bool {
			return a.ProjectID != nil && *a.ProjectID == c.ProjectIDs[0] && *a.ActorID == ann
		}},
		"all of a project": {ActivityFilter{ProjectID: &c.ProjectIDs[1]}, func(a Activity) bool { return a.ProjectID != nil && *a.ProjectID == c.ProjectIDs[1] }},
		"a task whose project was deleted": {ActivityFilter{EntityID: &ended}, func(a Activity) bool {
			return a.EntityID == ended || a.Action == "project.deleted"
		}},
		"its deletion":      {ActivityFilter{EntityID: &ended, Actions: []string{"project.deleted"}}, func(a Activity) bool { return a.Action == "project.deleted" }},
		"its other changes": {ActivityFilter{EntityID: &ended, Field: &status}, func(Activity) bool { return false }},
		"nothing":           {ActivityFilter{EntityID: &stranger}, func(Activity) bool { return false }},
	} {
		expected := slices.DeleteFunc(slices.Clone(want), func(a Activity) bool { return !f.fits(a) })
		for _, descending := range []bool{false, true} {
			if descending {
				slices.Reverse(expected)
				f.filter.Descending = true
			}
			got := []Activity{}
			for filter, more := f.filter, true; more; {
				items, m, err := w.queries.Activity(t.Context(), s, filter, 2, Fresh{})
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				got, more = append(got, items...), m
				if more {
					filter.Span = filter.Next(items[len(items)-1].Seq)
				}
			}
			if !slices.EqualFunc(got, expected, func(a, b Activity) bool { return a.Seq == b.Seq }) {
				t.Errorf("%s: got %d items, want %d", name, len(got), len(expected))
			}
			same(t, got, expected)
		}
	}
}

func hasField(a Activity, name string) bool {
	return slices.ContainsFunc(a.Changes, func(c domain.Change) bool { return c.Field == name })
}

// A replica that doesn't know a newer one's event shows that it is there.
func TestActivityOfANewerVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 100)
	c, ann := w.Found(t, "acme")
	w.Caught(t, c)
	seq := w.Insert(t, c, c.Stream(), "tenant.moved", 1, `{}`, `{"request_id":"r","actor_name":{"u":"`+ann.String()+`","v":"Ann"}}`)
	if _, err := w.Engine.Exec(t.Context(), `insert into activity (tenant_id, generation, seq, action, entity_type)
values ($1, $2, $3, 'tenant.moved', 'tenant')`, c.ID.UUID(), w.Generation(t, c, activity.Name), seq); err != nil {
		t.Fatal(err)
	}
	entity := c.ID.UUID()
	for name, filter := range map[string]ActivityFilter{"all": {Span: Span{AfterSeq: seq - 1}}, "entity": {Span: Span{AfterSeq: seq - 1}, EntityID: &entity}} {
		items, more, err := w.queries.Activity(t.Context(), c.Scope(t, ann), filter, 0, Fresh{})
		if err != nil || more || len(items) != 1 {
			t.Fatalf("%s: %+v, %v, %v", name, items, more, err)
		}
		if a := items[0]; a.Seq != seq || a.Action != "tenant.moved" || a.Summary != "tenant.moved" || a.EntityID != entity || a.Changes == nil {
			t.Errorf("%s: %+v", name, a)
		}
	}
}
