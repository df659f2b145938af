package main

import (
	"regexp"

	"docket/internal/cli"
)

// rebuild rebuilds all read models while the API is read without a pause.
func (w *walk) rebuild() {
	t := w.t
	rebuilt := w.in.start("projections", "rebuild")
	var o outcome
	for rounds, done := 0, false; !done; rounds++ {
		select {
		case o = <-rebuilt:
			done = true
			if rounds == 0 {
				t.Error("nothing was read during the rebuild")
			}
		default:
			w.compare(w.known, w.readAll(), "during a rebuild")
		}
	}
	for _, model := range []string{"projects", "tasks", "members", "tenants", "summaries", "cycles", "activity"} {
		if !regexp.MustCompile(`(?m)^default  ` + model + `  done: \d+ events$`).MatchString(o.stdout) {
			t.Errorf("rebuild said nothing of %s: %s", model, o.stdout)
		}
	}
	if o.status != cli.StatusDone {
		t.Errorf("rebuild: status %d: %s", o.status, o.stderr)
	}
	w.compare(w.known, w.readAll(), "after a rebuild")
	// And they are kept up to date from then on.
	w.bob.patch("/v1/tasks/"+w.tasked[1], object("status", "done")).want(200)
	w.in.awaitCheckpoints()
	if got := w.bob.get("/v1/tasks/" + w.tasked[1]).text("status"); got != "done" {
		t.Errorf("after the rebuild a task is still %s", got)
	}
	w.known = w.readAll()
}
