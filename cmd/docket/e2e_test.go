package main

import (
	"maps"
	"strings"
	"syscall"
	"testing"

	"docket/internal/apitest"
)

// TestTheWholeWay starts the real program on a private Postgres and calls every operation
// that it publishes with success, as root and as an ordinary user.
func TestTheWholeWay(t *testing.T) {
	t.Parallel()
	for _, by := range osUsers(t) {
		t.Run(by.name, func(t *testing.T) {
			t.Parallel()
			in := newInstall(t, by)
			p := in.serve()
			w := newWalk(t, in, p.url)
			w.users()
			w.tenants()
			w.projects()
			w.tasks()
			w.notifications()
			w.comments()
			w.sessions()
			w.keys()
			w.apiKeys()
			w.audit()
			w.rebuild()
			w.replay()
			w.service()
			w.deletions()
			if left := w.document.Unanswered(); len(left) > 0 {
				t.Errorf("published, but never called with success: %s", strings.Join(left, ", "))
			}

			before := w.readAll()
			// Ctrl-C in a terminal goes to the whole process group.
			p.stopped(p.stop(syscall.SIGINT, true))
			again := in.serve()
			w.ann, w.bob, w.cem = w.ann.at(again.url), w.bob.at(again.url), w.cem.at(again.url)
			w.compare(before, w.readAll(), "after a restart")
			w.ann.login()
			again.stopped(again.stop(syscall.SIGINT, true))
		})
	}
}

// walk is one way through the API, and its users.
type walk struct {
	t   *testing.T
	in  *install
	url string
	// anonymous has no token.
	anonymous caller
	// document is the one that the server publishes; every exchange must conform to it.
	document *apitest.Document

	ann, bob, cem     caller // owner, member, manager of the tenant default
	project, finished string
	tasked            []string
	// known are the answers that a rebuild and a restart must not change.
	known map[string]string
}

func newWalk(t *testing.T, in *install, url string) *walk {
	t.Helper()
	document, err := apitest.Read([]byte(anyone(t, url).get("/openapi.json").want(200).body))
	if err != nil {
		t.Fatal(err)
	}
	anonymous := anyone(t, url)
	anonymous.document = document
	return &walk{t: t, in: in, url: url, anonymous: anonymous, document: document}
}

// readAll reads from every read model.
func (w *walk) readAll() map[string]string {
	w.t.Helper()
	answers := map[string]string{}
	for _, target := range []string{
		"/v1/me", "/v1/tenants", "/v1/members", "/v1/projects", "/v1/projects?sort=-name", "/v1/projects/" + w.project,
		"/v1/projects/" + w.finished, "/v1/projects/" + w.project + "/tasks?limit=200", "/v1/tasks/" + w.tasked[1],
		"/v1/projects/" + w.project + "/history", "/v1/admin/tenant", "/v1/admin/activity?limit=200",
		"/v1/admin/events?limit=200", "/v1/catalog/projects", "/v1/reports/cycle-time",
	} {
		answers[target] = w.ann.get(target).want(200).body
	}
	answers["Bob's notifications"] = w.bob.get("/v1/notifications?limit=200").want(200).body
	return answers
}

func (w *walk) compare(before, after map[string]string, when string) {
	w.t.Helper()
	for target := range maps.Keys(before) {
		if before[target] != after[target] {
			w.t.Errorf("%s, %s\nbefore %s\nafter  %s", target, when, before[target], after[target])
		}
	}
}
