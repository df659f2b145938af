package httpapi

import (
	"strings"
	"testing"

	"docket/domain"
)

// How a tenant is notified: written member by member, and secrets never read back.
func TestSettingsWalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	owner := c.as(domain.Owner)
	const at, secret = "/v1/admin/tenant", "https://hooks.example.org/services/T0/B0/verysecret"
	owner.mustNotSee = "verysecret"

	config := func(body string) tenantConfigBody {
		t.Helper()
		made := owner.patch(at, body).want(200)
		if got := owner.get(at).want(200); got.Body.String() != made.Body.String() || got.Header().Get("ETag") != made.Header().Get("ETag") {
			t.Errorf("written and read differ:\n%s\n%s", made.Body, got.Body)
		}
		return as[tenantSettingsBody](made).Config
	}
	from := func(c tenantConfigBody) string {
		if c.Email.From == nil {
			return ""
		}
		return *c.Email.From
	}
	if got := owner.get(at).want(200).Body.String(); !strings.Contains(got,
		`"config":{"default_notification_channel":"in_app","email":{"from":null},"slack":{"set":false},"four_eyes":false,"require_verified_email":false}`) {
		t.Errorf("born %s", got)
	}
	owner.patch(at, `{"config":{"default_notification_channel":"slack"}}`).invalid("/config/default_notification_channel not_set_up")
	if got := config(`{"config":{"email":{"from":"post@acme.example"}}}`); from(got) != "post@acme.example" || got.Channel != domain.ChannelInApp {
		t.Errorf("%+v", got)
	}
	got := config(`{"config":{"default_notification_channel":"slack","slack":{"webhook_url":"` + secret + `"},"four_eyes":true}}`)
	if got.Channel != domain.ChannelSlack || !got.Slack.Set || !got.FourEyes || from(got) != "post@acme.example" {
		t.Errorf("%+v", got)
	}
	// What isn't named is left alone, at any depth.
	before := w.events()
	for _, nothing := range []string{`{}`, `{"config":{}}`, `{"config":{"email":{},"slack":{}}}`, `{"config":{"four_eyes":true,"email":{"from":"post@acme.example"}}}`,
		`{"config":{"slack":{"webhook_url":"` + secret + `"}}}`} {
		if same := config(nothing); same.Channel != domain.ChannelSlack || !same.Slack.Set || !same.FourEyes || from(same) != "post@acme.example" {
			t.Errorf("%s: %+v", nothing, same)
		}
	}
	if w.events() != before {
		t.Error("a change of nothing is an event")
	}
	owner.patch(at, `{"config":{"slack":null}}`).invalid("/config/default_notification_channel not_set_up")
	owner.patch(at, `{"config":{"slack":{"webhook_url":null}}}`).invalid("/config/default_notification_channel not_set_up")
	if got := config(`{"config":{"default_notification_channel":"email","slack":null,"email":{"from":null}}}`); got.Channel != domain.ChannelEmail || got.Slack.Set || from(got) != "" || !got.FourEyes {
		t.Errorf("%+v", got)
	}
	config(`{"config":{"email":{"from":"again@acme.example"},"slack":{"webhook_url":"` + secret + `"}}}`)
	if got := config(`{"config":{"email":null,"slack":{"webhook_url":null},"four_eyes":false}}`); got.Slack.Set || from(got) != "" || got.FourEyes {
		t.Errorf("%+v", got)
	}
	for body, pointer := range map[string]string{
		`{"config":null}`:                                                                  "/config type",
		`{"config":{"four_eyes":null}}`:                                                    "/config/four_eyes type",
		`{"config":{"default_notification_channel":"webhook"}}`:                            "/config/default_notification_channel enum",
		`{"config":{"webhook":{"url":"https://x.example"}}}`:                               "/config/webhook unknown",
		`{"config":{"email":{"from":"Acme <a@b.example>"}}}`:                               "/config/email/from format",
		`{"config":{"slack":{"set":true}}}`:                                                "/config/slack/set unknown",
		`{"config":{"slack":{"webhook_url":"http://hooks.example.org/verysecret"}}}`:       "/config/slack/webhook_url format",
		`{"config":{"slack":{"webhook_url":"https://127.0.0.1/verysecret"}}}`:              "/config/slack/webhook_url format",
		`{"config":{"slack":{"webhook_url":"https://u:verysecret@x.example/verysecret"}}}`: "/config/slack/webhook_url format",
	} {
		owner.patch(at, body).invalid(pointer)
	}
	// Neither the log nor the activity log has the secret (the owner mustNotSee it).
	w.caughtUp(c.id, owner.patch(at, `{"name":"Acme!"}`).want(200).seq())
	for _, target := range []string{"/v1/admin/events", "/v1/admin/activity"} {
		if got := owner.get(target).want(200).Body.String(); !strings.Contains(got, "slack_webhook") {
			t.Errorf("%s doesn't tell of the change: %s", target, got)
		}
	}
}

// With four eyes whoever submitted a project doesn't approve it, whatever their role.
func TestFourEyesWalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	owner, manager, member := c.as(domain.Owner), c.as(domain.Manager), c.as(domain.Member)
	submitted := func(by person) string {
		t.Helper()
		p := by.project("Site")
		by.move(p.ID, domain.Submitted)
		return "/v1/projects/" + p.ID.String() + "/transitions"
	}
	allowed := func(p person, at string) map[domain.Status]bool {
		t.Helper()
		out := map[domain.Status]bool{}
		for _, step := range items[availableTransitionBody](p.get(at)) {
			out[step.To] = step.Allowed
		}
		return out
	}
	approve := func(p person, at string, header ...string) *answer { return p.post(at, `{"to":"approved"}`, header...) }

	at := submitted(manager)
	if !allowed(manager, at)[domain.Approved] {
		t.Error("without four eyes the manager may approve what they submitted")
	}
	approve(manager, at).want(200)

	owner.patch("/v1/admin/tenant", `{"config":{"four_eyes":true}}`).want(200)
	for _, by := range []person{manager, owner} {
		at := submitted(by)
		other := c.anotherThan(by)
		w.caughtUp(c.id, owner.patch("/v1/admin/tenant", `{"name":"`+random()+`"}`).want(200).seq())
		if mine, theirs := allowed(by, at), allowed(other, at); mine[domain.Approved] || !mine[domain.Rejected] || !mine[domain.Draft] || !theirs[domain.Approved] {
			t.Errorf("%s: %v, another: %v", by.name, mine, theirs)
		}
		approve(by, at).refused(domain.CodeNotYours)
		approve(by, at, "If-Match", `"9"`).refused(domain.CodeNotYours) // before 412
		approve(other, at).want(200)
		by.post(at, `{"to":"active"}`).want(200) // only the approval wants others
	}
	// Who submits last counts: not who owns it, or made it.
	at = submitted(member)
	member.post(at, `{"to":"draft"}`).want(200)
	manager.post(at, `{"to":"submitted"}`).want(200)
	approve(manager, at).refused(domain.CodeNotYours)
	approve(owner, at).want(200)

	at = submitted(manager)
	owner.patch("/v1/admin/tenant", `{"config":{"four_eyes":false}}`).want(200)
	approve(manager, at).want(200)
}

func TestStatsWalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	owner, manager := c.as(domain.Owner), c.as(domain.Manager)
	w.company("bolt", "Bolt").as(domain.Owner).project("Not ours")
	p := manager.project("Site")
	manager.project("Other")
	manager.move(p.ID, domain.Submitted)
	task := manager.task(p.ID, "Copy")
	manager.task(p.ID, "More")
	manager.patch("/v1/tasks/"+task.ID.String(), `{"status":"done"}`).want(200)
	manager.comment(task.ID, "Said")
	last := owner.patch("/v1/admin/tenant", `{"name":"Acme!"}`).want(200).seq()
	w.caughtUp(c.id, last)
	w.checkpointed()

	got := owner.get("/v1/admin/stats").want(200)
	stats := as[tenantStatsBody](got)
	if stats.Members != 5 || stats.Comments != 1 || stats.Head != last || stats.Events != last {
		t.Errorf("%+v", stats)
	}
	want := map[string]int64{
		"draft": 1, "submitted": 1, "rejected": 0, "approved": 0, "active": 0, "on_hold": 0, "completed": 0, "cancelled": 0, "archived": 0,
	}
	if jsonOf(stats.Projects) != jsonOf(want) || jsonOf(stats.Tasks) != `{"done":1,"in_progress":0,"todo":1}` {
		t.Errorf("%v, %v", stats.Projects, stats.Tasks)
	}
	lags := map[string]int64{}
	for _, s := range stats.Subscriptions {
		lags[s.Name] = s.Lag
	}
	if want := `{"activity":0,"comments":0,"cycles":0,"members":0,"notifications":0,"projects":0,"renames":0,"search":0,"summaries":0,"tasks":0,"tenants":0}`; jsonOf(lags) != want {
		t.Errorf("%v", lags)
	}
	// What the owner has just done counts.
	owner.project("New")
	if stats := as[tenantStatsBody](owner.get("/v1/admin/stats").want(200)); stats.Projects["draft"] != 2 || stats.Head != last+1 {
		t.Errorf("%+v", stats)
	}
	c.as(domain.Auditor).get("/v1/admin/stats").want(200)
	manager.get("/v1/admin/stats").refused(domain.CodeInsufficientRole, "required_role", `"owner"`, "your_role", `"manager"`)
}
