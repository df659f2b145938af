package httpapi

import (
	"net/url"
	"strings"
	"testing"

	"docket/domain"
)

func TestSearchParameter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("Ann")
	website := ann.project("Website")
	ann.project("Wall")
	ann.task(website.ID, "Paint the wall")
	ann.task(website.ID, "Wallpaper")
	istanbul := ann.task(website.ID, "İstanbul ıssız")
	ann.task(website.ID, "Fix AUTH-123 in C++")
	ann.post("/v1/tasks/"+istanbul.ID.String()+"/comments", `{"body":"A wall in the Café"}`).want(201)
	tasks := "/v1/projects/" + website.ID.String() + "/tasks"
	for target, want := range map[string]int{
		"/v1/projects?q=wall":              1,
		"/v1/projects?q=w":                 2,
		"/v1/projects?q=w&status=active":   0,
		"/v1/tasks?q=wall":                 3,
		"/v1/tasks?q=wall%20":              2,
		"/v1/tasks?q=wall&priority=normal": 3,
		"/v1/tasks?q=wall&assignee_id=me":  0,
		tasks + "?q=%22the+wall%22":        1,
		"/v1/tasks?q=wallp*":               1,
		"/v1/tasks?q=wall+or":              2,
		"/v1/tasks?q=wall+or+istanbul":     2,
		"/v1/tasks?q=istanbul":             1,
		"/v1/tasks?q=ISTANBUL+ISSIZ":       1,
		"/v1/tasks?q=%F0%9F%8E%84":         0,
		"/v1/tasks?q=-wall":                3,
		"/v1/tasks?q=-123":                 1,
		"/v1/tasks?q=paint+-wall":          0,
		"/v1/tasks?q=cafe":                 1,
		"/v1/tasks?q=C%2B%2B":              1,
		"/v1/tasks?q=C%23":                 0,
		"/v1/tasks?q=auth123":              1,
	} {
		if got := items[any](ann.get(target)); len(got) != want {
			t.Errorf("%s: %d items, want %d", target, len(got), want)
		}
	}
	long := strings.Repeat("é", 200)
	for _, target := range []string{"/v1/projects", "/v1/tasks", tasks} {
		ann.get(target + "?q=" + url.QueryEscape(long)).want(200)
		ann.get(target + "?q=" + url.QueryEscape(long+"x")).invalid("/q too_long")
		ann.get(target + "?q=" + strings.Repeat("x", 10_000)).invalid("/q too_long")
		ann.get(target + "?q=").invalid("/q too_short")
		ann.get(target + "?q=%00").invalid("/q characters")
		for _, nothing := range []string{"-", `"`, "!?", "…", "€ %", " ", "- -", "\u200b"} {
			ann.get(target + "?q=" + url.QueryEscape(nothing)).invalid("/q format")
		}
		ann.get(target + "?q=x&as_of=1").refused(domain.CodeUnsupportedCombination)
		ann.get(target + "?q=x&min_seq=1").want(200)
	}
	ann.get("/v1/projects?q=x&sort=name").refused(domain.CodeUnsupportedCombination)
	ann.get("/v1/projects?q=x&sort=created_at").refused(domain.CodeUnsupportedCombination)
	ann.get("/v1/projects/" + random() + "/tasks?q=x").refused(domain.CodeNotFound)
}
