package main

import (
	"fmt"
	"slices"
)

func (w *walk) tasks() {
	t, bob, cem := w.t, w.bob, w.cem
	path := "/v1/projects/" + w.project + "/tasks"
	for i := range 5 {
		created := cem.post(path, object("title", fmt.Sprintf("Task %d", i), "assignee_id", bob.id, "priority", "high",
			"labels", []string{"web", "front"}, "due_date", "2027-01-15")).want(201)
		w.tasked = append(w.tasked, created.text("id"))
	}
	cem.post(path, object("title", "x", "assignee_id", "01a208ac-415d-779f-9bb8-a68a1dcb19e5")).refused(422, "validation-failed")
	bob.patch("/v1/tasks/"+w.tasked[1], object("status", "in_progress")).want(200)
	cem.delete("/v1/tasks/" + w.tasked[4]).want(204)
	w.in.awaitCheckpoints()
	cem.get("/v1/tasks/"+w.tasked[4]).refused(404, "not-found")
	if got := bob.get(path + "?status=in_progress&priority=high&label=web&assignee_id=" + bob.id).column("title"); !slices.Equal(got, []string{"Task 1"}) {
		t.Errorf("filtered: %v", got)
	}
	var paged []string
	for cursor := "first"; cursor != ""; {
		target := path + "?limit=3"
		if cursor != "first" {
			target += "&cursor=" + cursor
		}
		page := bob.get(target)
		paged = append(paged, page.column("id")...)
		cursor = page.text("next_cursor")
	}
	if !slices.Equal(paged, w.tasked[:4]) {
		t.Errorf("paged %v, want %v", paged, w.tasked[:4])
	}
	bob.get(path+"?lable=web").refused(400, "unknown-parameter")
	bob.get("/v1/tasks?assignee_id=me&due_before=2027-01-15").want(200)
	if got := bob.get("/v1/tasks?assignee_id=me&due_before=2027-01-16").column("id"); !slices.Equal(got, w.tasked[:4]) {
		t.Errorf("Bob's tasks: %v, want %v", got, w.tasked[:4])
	}
	if got := cem.get("/v1/tasks?assignee_id=me").items(); len(got) != 0 {
		t.Errorf("Cem's tasks: %v", got)
	}
}
