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
	ann.task(website.ID, "İstanbul ıssız")
	tasks := "/v1/projects/" + website.ID.String() + "/tasks"
	for target, want := range map[string]int{
		"/v1/projects?q=wall":                1,
		"/v1/projects?q=w":                   2,
		"/v1/projects?q=w&status=active":     0,
		"/v1/tasks?q=wall":                   2,
		"/v1/tasks?q=wall%20":                1,
		"/v1/tasks?q=wall&priority=normal":   2,
		"/v1/tasks?q=wall&assignee_id=me":    0,
		tasks + "?q=%22the+wall%22":          1,
		tasks + "?q=" + url.QueryEscape(`"`): 0,
		"/v1/tasks?q=wallp*":                 1,
		"/v1/tasks?q=wall+or":                1,
		"/v1/tasks?q=wall+or+istanbul":       2,
		"/v1/tasks?q=istanbul":               1,
		"/v1/tasks?q=ISTANBUL+ISSIZ":         1,
		"/v1/tasks?q=-":                      0,
		"/v1/tasks?q=%F0%9F%8E%84":           0,
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
		ann.get(target + "?q=x&as_of=1").refused(domain.CodeUnsupportedCombination)
		ann.get(target + "?q=x&min_seq=1").want(200)
	}
	ann.get("/v1/projects?q=x&sort=name").refused(domain.CodeUnsupportedCombination)
	ann.get("/v1/projects?q=x&sort=created_at").refused(domain.CodeUnsupportedCombination)
	ann.get("/v1/projects/" + random() + "/tasks?q=x").refused(domain.CodeNotFound)
}
