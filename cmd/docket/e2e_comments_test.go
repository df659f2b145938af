package main

import (
	"slices"
)

func (w *walk) comments() {
	t, bob, cem := w.t, w.bob, w.cem
	path := "/v1/tasks/" + w.tasked[2] + "/comments"
	comment := bob.post(path, object("body", "Done by Friday, @"+cem.email)).want(201)
	at := "/v1/comments/" + comment.text("id")
	taken := "/v1/comments/" + bob.post(path, object("body", "Never mind")).want(201).text("id")
	cem.patch(at, object("body", "x")).refused(403, "not-yours")
	bob.patch(at, object("body", "Done by Monday, @"+cem.email)).want(200)
	cem.delete(taken).want(204)
	w.in.awaitCheckpoints()
	if got := cem.get(path).column("body"); !slices.Equal(got, []string{"Done by Monday, @" + cem.email}) {
		t.Errorf("comments: %v", got)
	}
	if got := cem.get(at).want(200); got.text("version") != "2" || got.text("author_id") != bob.id {
		t.Errorf("comment: %s", got.body)
	}
	cem.get(taken).refused(404, "not-found")
	if got := cem.get("/v1/notifications?unread=true").column("kind"); !slices.Equal(got, []string{"mention"}) {
		t.Errorf("Cem was notified of %v", got)
	}
}
