package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"docket/domain"
)

// After a restore, what a client knows from before is refused: positions by their epoch,
// ETags and cursors by themselves. What it reads anew is of the new epoch, and works.
func TestEpochs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	member, auditor := c.as(domain.Member), c.as(domain.Auditor)
	made := member.post("/v1/projects", `{"name":"One"}`).want(201)
	member.post("/v1/projects", `{"name":"Two"}`).want(201)
	at, before := made.Header().Get("Location"), made.Header().Get("Docket-Epoch")
	if before == "" || made.Header().Get("ETag") != `"1"` {
		t.Fatalf("the first epoch is %q, and the first version's tag %s", before, made.Header().Get("ETag"))
	}
	member.get(at, "Docket-Epoch", before).want(200)
	page := member.get("/v1/projects?limit=1").want(200)
	cursor := "/v1/projects?limit=1&cursor=" + as[struct {
		Next string `json:"next_cursor"`
	}](page).Next
	member.get(cursor).want(200)

	key := []string{"Idempotency-Key", "before", "If-Match", `"1"`, "Docket-Epoch", before}
	kept := member.patch(at, `{"name":"Kept"}`, key...).want(200)

	w.beginEpoch(c.id)
	read := member.get(at).want(200)
	epoch, tag := read.Header().Get("Docket-Epoch"), read.Header().Get("ETag")
	if epoch == "" || epoch == before || tag != `"2.`+epoch[:8]+`"` {
		t.Errorf("after the restore the epoch is %q and the tag %s, before they were %q and \"1\"", epoch, tag, before)
	}
	member.get(at+"?min_seq=1", "Docket-Epoch", before).refused(domain.CodeEpochChanged)
	auditor.get("/v1/admin/events?after_seq=1", "Docket-Epoch", before).refused(domain.CodeEpochChanged)
	member.patch(at, `{"name":"Mine"}`, "If-Match", `"2"`).refused(domain.CodeVersionConflict, "current_version", "2")
	member.patch(at, `{"name":"Mine"}`, "If-Match", `W/"2", "2"`).refused(domain.CodeVersionConflict, "current_version", "2")
	member.patch(at, `{"name":"Mine"}`, "If-Match", `"1`).refused(domain.CodeMalformed)
	member.get(cursor).refused(domain.CodeCursorInvalid)
	// A repeated request has its answer, in whichever epoch it comes.
	if again := member.patch(at, `{"name":"Kept"}`, key...).want(200); again.Header().Get(replayedHeader) != "true" || again.Body.String() != kept.Body.String() {
		t.Errorf("repeated after the restore: %v %s, want %s", again.Header(), again.Body, kept.Body)
	}

	member.get(at+"?min_seq=1", "Docket-Epoch", strings.ToUpper(epoch)).want(200)
	edited := member.patch(at, `{"name":"Mine"}`, "If-Match", `"7", `+tag, "Docket-Epoch", epoch).want(200)
	if got := edited.Header().Get("ETag"); got != `"3.`+epoch[:8]+`"` {
		t.Errorf("the third version's tag is %s", got)
	}
	member.patch(at, `{"name":"Ours"}`, "If-Match", "*").want(200)
	log := auditor.get("/v1/admin/events?after_seq=1&limit=200", "Docket-Epoch", epoch).want(http.StatusOK)
	if body := log.Body.String(); !strings.Contains(body, `"tenant.epoch_begun"`) || !strings.Contains(body, epoch) {
		t.Errorf("the log doesn't have the epoch %s: %s", epoch, body)
	}
}
