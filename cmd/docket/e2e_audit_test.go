package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"docket/internal/cli"
)

func (w *walk) audit() {
	t, ann, bob := w.t, w.ann, w.bob
	w.in.awaitCheckpoints()
	activity := ann.get("/v1/admin/activity?limit=200&entity_type=project")
	var lines []string
	for _, item := range activity.items() {
		if item["entity_id"] == w.project {
			lines = append(lines, text(item["actor_name"])+" "+text(item["action"]))
		}
	}
	want := []string{"Bob project.created", "Bob project.updated", "Bob project.status_changed",
		"Cem project.status_changed", "Cem project.status_changed"}
	if !slices.Equal(lines, want) {
		t.Errorf("activity: %v\nwant %v", lines, want)
	}
	bob.get("/v1/admin/activity").refused(403, "insufficient-role")
	seqs := ann.get("/v1/admin/events?limit=200").column("seq")
	for i, seq := range seqs {
		if seq != fmt.Sprint(i+1) {
			t.Fatalf("event %d has the seq %s", i+1, seq)
		}
	}
	history := bob.get("/v1/projects/" + w.project + "/history")
	if got := history.column("type"); len(got) != 5 || got[0] != "project.created" {
		t.Errorf("history: %v", got)
	}
	if changes := text(history.items()[2]["changes"]); changes != `[{"field":"status","from":"draft","to":"submitted"}]` {
		t.Errorf("changes: %s", changes)
	}
	if got := bob.get("/v1/tasks/" + w.tasked[1] + "/history").column("type"); !slices.Equal(got, []string{"task.created", "task.updated"}) {
		t.Errorf("history of a task: %v", got)
	}
	stats := ann.get("/v1/admin/stats").want(200)
	if got := stats.text("tasks"); got != `{"done":0,"in_progress":1,"todo":3}` || stats.text("comments") != "1" || stats.text("head") != fmt.Sprint(len(seqs)) {
		t.Errorf("stats: %s", stats.body)
	}
	w.lines()
	w.known = w.readAll()
}

// lines reads the raw log as NDJSON: the same events, one a line.
func (w *walk) lines() {
	list := w.ann.get("/v1/admin/events?limit=200").column("seq")
	req := w.ann.request("GET", "/v1/admin/events?limit=200", "")
	req.Header.Set("Accept", "application/x-ndjson")
	got := w.ann.do(req).want(200)
	if n := strings.Count(got.body, "\n"); n != len(list) || !strings.HasPrefix(got.body, `{"seq":1,`) {
		w.t.Errorf("%d lines of %d events: %s", n, len(list), got.body)
	}
}

func (w *walk) replay() {
	t := w.t
	events := w.ann.get("/v1/admin/events?limit=200").items()
	for _, tc := range []struct {
		until string
		want  int
	}{
		{"", len(events)},
		{"7", 7},
		{text(events[6]["at"]), 7},
		{"999999", len(events)},
		{"2001-01-01T00:00:00Z", 0},
	} {
		args := []string{"audit", "replay", "--tenant", "default"}
		if tc.until != "" {
			args = append(args, "--until", tc.until)
		}
		o := w.in.run(args...)
		lines := strings.Split(strings.TrimSuffix(o.stdout, "\n"), "\n")
		if o.stdout == "" {
			lines = nil
		}
		if o.status != cli.StatusDone || len(lines) != tc.want {
			t.Errorf("%v: status %d, %d lines, want %d: %s", args, o.status, len(lines), tc.want, o.stderr)
		}
		for i, line := range lines {
			if !strings.Contains(line, text(events[i]["type"])) {
				t.Errorf("line %d is %q, the event %v", i, line, events[i])
			}
		}
	}
	o := w.in.run("audit", "replay", "--tenant", "default", "--json")
	for i, line := range strings.Split(strings.TrimSpace(o.stdout), "\n") {
		var event struct {
			Seq  json.Number
			Data json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil || event.Seq.String() != text(events[i]["seq"]) || event.Data == nil {
			t.Errorf("line %d: %v: %s", i, err, line)
		}
	}
}
