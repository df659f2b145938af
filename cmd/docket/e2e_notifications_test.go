package main

func (w *walk) notifications() {
	t, bob, cem := w.t, w.bob, w.cem
	w.in.awaitCheckpoints()
	// Cem created five tasks for Bob, and moved his two projects twice and three times.
	unread := bob.get("/v1/notifications?unread=true&limit=200")
	kinds := map[string]int{}
	for _, kind := range unread.column("kind") {
		kinds[kind]++
	}
	if len(kinds) != 2 || len(unread.items()) != 5+2+3 {
		t.Errorf("Bob has %v", kinds)
	}
	for _, item := range cem.get("/v1/notifications").items() {
		t.Errorf("Cem got a notification of another: %v", item)
	}
	newest := unread.column("id")[0]
	bob.post("/v1/notifications/"+newest+"/read", "").want(204)
	cem.post("/v1/notifications/"+newest+"/read", "").refused(404, "not-found")
	if got := bob.get("/v1/notifications?unread=true").items(); len(got) != 9 {
		t.Errorf("%d are unread, want 9", len(got))
	}
	bob.post("/v1/notifications/read-all", "").want(204)
	if got := bob.get("/v1/notifications?unread=true").items(); len(got) != 0 {
		t.Errorf("%d are unread, want none", len(got))
	}
}
