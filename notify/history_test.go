package notify_test

import (
	"slices"
	"testing"

	"docket/domain"
	"docket/notify"

	"pgregory.net/rapid"
)

// line is a notification that a user should have of one event.
type line struct {
	user   domain.UserID
	seq    int64
	kind   notify.Kind
	entity domain.StreamID
}

// Over random histories the inboxes are those that follow from owners and assignees.
func TestRowsFollowFromTheHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.replica(nil)
	w.replica(nil)
	rapid.Check(t, func(rt *rapid.T) {
		users := []domain.UserID{newID[domain.UserID](t), newID[domain.UserID](t), newID[domain.UserID](t)}
		tenant, scopes := w.tenant(users...)
		anyone := rapid.SampledFrom(append(slices.Clone(users), domain.UserID{})) // and the system
		someone := rapid.SampledFrom(users)
		projects := []project{{newID[domain.ProjectID](t), users[0]}, {newID[domain.ProjectID](t), users[1]}}
		held := map[domain.TaskID]*domain.UserID{}
		var tasks []task
		var want []line
		var last int64
		expect := func(to, by domain.UserID, k notify.Kind, r domain.Recorded) {
			if to != by && !to.IsZero() {
				want = append(want, line{to, r.Seq, k, r.Stream})
			}
		}
		assignee := func() *domain.UserID {
			if u := anyone.Draw(rt, "assignee"); !u.IsZero() {
				return &u
			}
			return nil
		}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			by := anyone.Draw(rt, "actor")
			n := rapid.IntRange(0, len(projects)-1).Draw(rt, "project")
			p := &projects[n]
			step := rapid.SampledFrom([]string{"create", "assign", "edit", "delete", "move", "hand over"}).Draw(rt, "step")
			if len(tasks) == 0 && slices.Contains([]string{"assign", "edit", "delete"}, step) {
				step = "create"
			}
			var r domain.Recorded
			switch step {
			case "create":
				k, to := task{newID[domain.TaskID](t), *p}, assignee()
				r = w.act(tenant, by, k.stream(), k.created(to))
				tasks, held[k.id] = append(tasks, k), to
				if to != nil {
					expect(*to, by, notify.TaskAssigned, r)
				}
			case "assign":
				k, to := rapid.SampledFrom(tasks).Draw(rt, "task"), assignee()
				r = w.act(tenant, by, k.stream(), k.updated("assignee_id", to))
				held[k.id] = to
				if to != nil {
					expect(*to, by, notify.TaskAssigned, r)
				}
			case "edit":
				k := rapid.SampledFrom(tasks).Draw(rt, "task")
				r = w.act(tenant, by, k.stream(), k.updated("title", held[k.id]))
			case "delete":
				k := rapid.SampledFrom(tasks).Draw(rt, "task")
				r = w.act(tenant, by, k.stream(), domain.TaskDeleted{TaskID: k.id, AssigneeID: held[k.id]})
			case "move":
				r = w.act(tenant, by, p.stream(), p.moved())
				expect(p.owner, by, notify.ProjectStatusChanged, r)
			case "hand over":
				p.owner = someone.Draw(rt, "owner")
				r = w.act(tenant, by, p.stream(), domain.ProjectUpdated{ProjectID: p.id, OwnerID: p.owner})
			}
			last = r.Seq
		}
		w.caught(tenant, last)
		for _, u := range users {
			var got []line
			for _, n := range w.list(scopes[u], notify.Filter{}) {
				got = append(got, line{n.User, n.Seq, n.Kind, domain.StreamID{Type: n.EntityType, ID: n.EntityID}})
			}
			var mine []line
			for _, l := range slices.Backward(want) {
				if l.user == u {
					mine = append(mine, l)
				}
			}
			if !slices.Equal(got, mine) {
				rt.Fatalf("got  %v\nwant %v", got, mine)
			}
		}
	})
}
