package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"
)

// Live, rebuilt, folded in memory, and folded in any other split into pages:
// the same rows, for random histories of several tenants at once.
func TestAnyWayOfFoldingGivesTheSameRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, 4, Subscriptions())
	rapid.Check(t, func(t *rapid.T) {
		var companies []*company
		for i := range rapid.IntRange(1, 3).Draw(t, "tenants") {
			c, _ := w.found(t, fmt.Sprintf("c%d", i))
			companies = append(companies, c)
		}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			companies[rapid.IntRange(0, len(companies)-1).Draw(t, "tenant")].anything(t)
		}
		for _, c := range companies {
			w.caught(t, c)
			live := w.dump(t, c)
			inMemory(t, w, tenants, c)
			inMemory(t, w, members, c)
			inMemory(t, w, projects, c)
			inMemory(t, w, tasks, c)
			inMemory(t, w, comments, c)
			inMemory(t, w, search, c)
			inMemory(t, w, summaries, c)
			inMemory(t, w, cycles, c)
			inMemory(t, w, activity, c)

			w.split(t, c, splitGeneration)
			equal(t, "split otherwise", w.dumpOf(t, c, splitGeneration), live)

			before := w.answers(t, c)
			r := &Rebuilder{engine: w.engine, pageSize: rapid.IntRange(1, 12).Draw(t, "pages of the rebuild")}
			if err := r.Rebuild(context.Background(), []domain.TenantID{c.id}, nil, nil); err != nil {
				t.Fatal(err)
			}
			equal(t, "rebuilt", w.dump(t, c), live)
			equal(t, "answers after the rebuild", w.answers(t, c), before)
		}
	})
}

func equal(t fatalist, what, got, want string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s: -want +got:\n%s", what, d)
	}
}

// foldEvents is the fold of events in memory, and nothing before them.
func foldEvents[K comparable, R any](m *model[K, R], events []domain.Recorded) (*work[K, R], error) {
	w, err := m.plan(events)
	if err == nil {
		err = m.foldAll(w, events)
	}
	return w, err
}

// inMemory compares the rows that a tenant reads with the fold of its log in memory.
func inMemory[K comparable, R any](t fatalist, w *world, m *model[K, R], c *company) {
	t.Helper()
	memory, err := foldEvents(m, c.log)
	if err != nil {
		t.Fatal(err)
	}
	want := map[K]R{}
	wantSeq := map[K]int64{}
	for _, at := range memory.rows {
		if at.row != nil {
			want[at.key], wantSeq[at.key] = *at.row, at.seq
		}
	}
	rows, err := w.engine.Query(context.Background(), `select seq, `+m.columns("")+` from `+m.Table+` where tenant_id = $1 and generation = $2`,
		c.id.UUID(), w.generation(t, c, m.Name))
	if err != nil {
		t.Fatal(err)
	}
	got := map[K]R{}
	gotSeq := map[K]int64{}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
		var (
			r   R
			seq int64
		)
		targets := []any{&seq}
		for _, col := range m.Columns {
			targets = append(targets, col.target(&r))
		}
		err := row.Scan(targets...)
		if m.Complete != nil {
			m.Complete(&r, c.id)
		}
		if a, ok := any(&r).(*logged); ok {
			a.Seq = seq
		}
		got[m.KeyOf(&r)], gotSeq[m.KeyOf(&r)] = r, seq
		return struct{}{}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s in memory and live: -memory +live:\n%s", m.Name, d)
	}
	if d := cmp.Diff(wantSeq, gotSeq); d != "" {
		t.Fatalf("%s: seqs in memory and live: -memory +live:\n%s", m.Name, d)
	}
	for _, e := range c.log {
		if !slices.Contains(m.Begins, e.Event.EventType()) {
			continue
		}
		anew, err := m.Fold(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range got {
			if over, err := m.Fold(&row, e); err != nil || cmp.Diff(anew, over) != "" {
				t.Fatalf("%s: %s doesn't begin a row: %v -anew +over another:\n%s", m.Name, e.Event.EventType(), err, cmp.Diff(anew, over))
			}
		}
	}
}

// splitGeneration is one that no checkpoint stands for.
const splitGeneration = 1000

// split folds the company's log into a generation, in random pages.
func (w *world) split(t *rapid.T, c *company, generation int) {
	t.Helper()
	for _, m := range readModels() {
		for rest := c.log; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "page of "+m.name)
			err := pgx.BeginFunc(context.Background(), w.engine, func(tx pgx.Tx) error {
				p := &feed.Page{Subscription: m.name, Tenant: c.id, Generation: generation, Events: rest[:n], Tx: tx}
				return errors.Join(m.fill(context.Background(), p), p.Flush(context.Background()))
			})
			if err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
	}
}

// dump is all rows that a tenant reads, as text, but for the generation.
func (w *world) dump(t fatalist, c *company) string {
	t.Helper()
	var b strings.Builder
	for _, m := range readModels() {
		b.WriteString(w.rows(t, c, m.table, w.generation(t, c, m.name)))
	}
	return b.String()
}

// dumpOf is dump of one generation of all models.
func (w *world) dumpOf(t fatalist, c *company, generation int) string {
	t.Helper()
	var b strings.Builder
	for _, m := range readModels() {
		b.WriteString(w.rows(t, c, m.table, generation))
	}
	return b.String()
}

func (w *world) rows(t fatalist, c *company, table string, generation int) string {
	t.Helper()
	rows, err := w.engine.Query(context.Background(), `select (to_jsonb(x) - 'generation')::text from `+table+` x
where tenant_id = $1 and generation = $2 order by 1`, c.id.UUID(), generation)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return table + "\n" + strings.Join(lines, "\n") + "\n"
}

// generation is the one that the tenant reads.
func (w *world) generation(t fatalist, c *company, name string) int {
	t.Helper()
	var g int
	err := w.engine.QueryRow(context.Background(),
		`select coalesce(max(current), 1) from generations where tenant_id = $1 and subscription = $2`, c.id.UUID(), name).Scan(&g)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// answers is what the queries answer, all pages of all lists.
func (w *world) answers(t fatalist, c *company) string {
	t.Helper()
	var b strings.Builder
	say := func(v any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	}
	ctx, s := context.Background(), domain.Operate(c.id)
	for _, order := range []ProjectOrder{{ByCreated, false}, {ByCreated, true}, {ByUpdated, false}, {ByUpdated, true}, {ByName, false}, {ByName, true}} {
		for p := (Page{Limit: 3}); ; {
			items, next, err := w.queries.Projects(ctx, s, ProjectFilter{}, order, p, Fresh{})
			say(items, err)
			if next == nil {
				break
			}
			p.After = next
		}
	}
	for p := (Page{Limit: 3}); ; {
		items, next, err := w.queries.Tasks(ctx, s, TaskFilter{}, p, Fresh{})
		say(items, err)
		if next == nil {
			break
		}
		p.After = next
	}
	for _, text := range []string{"web", "zoë or x", "a -b", `"x 🎄"`} {
		for p := (Page{Limit: 3}); ; {
			items, next, err := w.queries.Tasks(ctx, s, TaskFilter{Query: &text}, p, Fresh{})
			say(items, err)
			if next == nil {
				break
			}
			p.After = next
		}
		items, _, err := w.queries.Projects(ctx, s, ProjectFilter{Query: &text}, ProjectOrder{}, Page{}, Fresh{})
		say(items, err)
	}
	for _, id := range c.taskIDs {
		if k := c.tasks[id]; !k.Exists(c.projects[k.ProjectID]) {
			continue
		}
		said, _, err := w.queries.Comments(ctx, s, id, Page{}, Fresh{})
		say(said, err)
	}
	for _, id := range c.projectIDs {
		if !c.projects[id].Exists() {
			continue
		}
		sum, err := w.queries.ProjectSummary(ctx, s, id, Fresh{})
		// What goes on while it is read.
		sum.Spent[sum.Status] -= sum.Now.Sub(sum.Since)
		sum.Now = time.Time{}
		say(sum, err)
	}
	cycled, _, err := w.queries.CycleTimes(ctx, s, Weeks{First: Monday(c.log[0].At), Count: 2}, nil, Page{Limit: MaxLimit}, Fresh{})
	say(cycled, err)
	stats, err := w.queries.Stats(ctx, s, Fresh{})
	say(stats, err)
	items, _, err := w.queries.Members(ctx, s, Page{}, Fresh{})
	say(items, err)
	tenant, err := w.queries.Tenant(ctx, s, Fresh{})
	say(tenant, err)
	told, _, err := w.queries.Activity(ctx, s, ActivityFilter{}, MaxLimit, Fresh{})
	say(told, err)
	return b.String()
}

// anything does something that may be refused.
func (c *company) anything(t *rapid.T) {
	t.Helper()
	by := rapid.SampledFrom(c.userIDs).Draw(t, "by")
	if !c.members[by].Active {
		c.join(t, by, c.members[by].Name, rapid.SampledFrom(domain.Roles()).Draw(t, "role"))
		return
	}
	text := rapid.SampledFrom([]string{"a", "Website", "é \"x\" <&>\n🎄", "Zoë", "b"})
	switch rapid.IntRange(0, 13).Draw(t, "what") {
	case 0:
		c.join(t, newID[domain.UserID](t), text.Draw(t, "name"), rapid.SampledFrom(domain.Roles()).Draw(t, "role"))
	case 1:
		u := rapid.SampledFrom(c.userIDs).Draw(t, "member")
		if rapid.Bool().Draw(t, "leaves") {
			_ = c.member(t, by, u, domain.RemoveMember{OwnerStays: true})
		} else {
			_ = c.member(t, by, u, domain.ChangeRole{Role: domain.To(rapid.SampledFrom(domain.Roles()).Draw(t, "role")), OwnerStays: true})
		}
	case 2:
		c.configure(t, by, text.Draw(t, "name"))
	case 3, 4:
		c.anyProject(t, by, text)
	case 5, 6:
		c.changeProject(t, by, text)
	case 7:
		u := rapid.SampledFrom(c.userIDs).Draw(t, "renamed")
		_ = c.member(t, u, u, domain.RenameMember{Name: text.Draw(t, "name"), UserVersion: c.members[u].UserVersion + 1})
	case 8, 9, 10:
		c.anyComment(t, by, text)
	default:
		c.anyTask(t, by, text)
	}
}

func (c *company) configure(t *rapid.T, by domain.UserID, name string) {
	t.Helper()
	webhook := newID[domain.SecretID](t)
	events, err := domain.DecideTenant(c.tenant, c.by(by), domain.EditTenant{
		Name: domain.To(name), Registration: domain.To(domain.RegistrationOpen), DefaultRole: domain.To(domain.Viewer),
		FourEyes:     domain.To(rapid.Bool().Draw(t, "four eyes")),
		SlackWebhook: domain.To(rapid.SampledFrom([]*domain.SecretID{nil, &webhook}).Draw(t, "webhook")),
		EmailFrom:    domain.To(rapid.SampledFrom([]*string{nil, new("a@example.org")}).Draw(t, "e-mail from")),
	})
	if err == nil {
		c.append(t, c.by(by), eventstore.Commit{}, c.stream(), events)
	}
}

func (c *company) anyProject(t *rapid.T, by domain.UserID, text *rapid.Generator[string]) {
	t.Helper()
	id := newID[domain.ProjectID](t)
	due := domain.Date("2026-12-24")
	description := text.Draw(t, "description")
	command := domain.CreateProject{ID: id, Name: text.Draw(t, "name"), Visibility: domain.Public}
	if rapid.Bool().Draw(t, "described") {
		command.DueDate, command.Description, command.Visibility = &due, &description, domain.Private
	}
	if c.project(t, by, id, command) == nil {
		c.projectIDs = append(c.projectIDs, id)
	}
}

func (c *company) changeProject(t *rapid.T, by domain.UserID, text *rapid.Generator[string]) {
	t.Helper()
	if len(c.projectIDs) == 0 {
		return
	}
	id := rapid.SampledFrom(c.projectIDs).Draw(t, "project")
	p := c.projects[id]
	switch rapid.IntRange(0, 5).Draw(t, "change") {
	case 0:
		_ = c.project(t, by, id, domain.DeleteProject{})
	case 1, 2:
		var noDate *domain.Date
		owner := rapid.SampledFrom(c.userIDs).Draw(t, "owner")
		_ = c.project(t, by, id, domain.EditProject{
			Name: domain.To(text.Draw(t, "name")), DueDate: domain.To(noDate),
			OwnerID: domain.To(owner), NewOwner: c.members[owner],
		})
	default:
		if moves := domain.TransitionsFrom(p.Status); len(moves) > 0 {
			_ = c.project(t, by, id, domain.MoveProject{To: rapid.SampledFrom(moves).Draw(t, "move").To})
		}
	}
}

func (c *company) anyTask(t *rapid.T, by domain.UserID, text *rapid.Generator[string]) {
	t.Helper()
	if len(c.projectIDs) == 0 {
		return
	}
	assignee := rapid.SampledFrom(c.userIDs).Draw(t, "assignee")
	labels := rapid.SliceOfNDistinct(text, 0, 3, rapid.ID).Draw(t, "labels")
	if len(c.taskIDs) == 0 || rapid.IntRange(0, 2).Draw(t, "new") == 0 {
		p := c.projects[rapid.SampledFrom(c.projectIDs).Draw(t, "project")]
		id := newID[domain.TaskID](t)
		if c.task(t, by, id, domain.CreateTask{
			ID: id, Project: p, Title: text.Draw(t, "title"), Priority: domain.High,
			AssigneeID: &assignee, Assignee: c.members[assignee], Labels: labels,
		}) == nil {
			c.taskIDs = append(c.taskIDs, id)
		}
		return
	}
	id := rapid.SampledFrom(c.taskIDs).Draw(t, "task")
	p := c.projects[c.tasks[id].ProjectID]
	if rapid.IntRange(0, 4).Draw(t, "delete") == 0 {
		_ = c.task(t, by, id, domain.DeleteTask{Project: p})
		return
	}
	var nobody *domain.UserID
	_ = c.task(t, by, id, domain.EditTask{
		Project: p, Title: domain.To(text.Draw(t, "title")), Labels: domain.To(labels), AssigneeID: domain.To(nobody),
		Status: domain.To(rapid.SampledFrom([]domain.TaskStatus{domain.Todo, domain.InProgress, domain.Done}).Draw(t, "status")),
	})
}

func (c *company) anyComment(t *rapid.T, by domain.UserID, text *rapid.Generator[string]) {
	t.Helper()
	if len(c.taskIDs) == 0 {
		return
	}
	mentioned := []domain.Membership{c.members[rapid.SampledFrom(c.userIDs).Draw(t, "mentioned")]}
	if len(c.commentIDs) == 0 || rapid.IntRange(0, 2).Draw(t, "new") == 0 {
		k := c.tasks[rapid.SampledFrom(c.taskIDs).Draw(t, "task")]
		id := newID[domain.CommentID](t)
		if c.comment(t, by, id, domain.CreateComment{
			ID: id, Task: k, Project: c.projects[k.ProjectID], Body: text.Draw(t, "body"), Mentioned: mentioned,
		}) == nil {
			c.commentIDs = append(c.commentIDs, id)
		}
		return
	}
	id := rapid.SampledFrom(c.commentIDs).Draw(t, "comment")
	k := c.tasks[c.comments[id].TaskID]
	if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
		_ = c.comment(t, by, id, domain.DeleteComment{Task: k, Project: c.projects[k.ProjectID]})
		return
	}
	author := c.comments[id].AuthorID
	_ = c.comment(t, author, id, domain.EditComment{
		Task: k, Project: c.projects[k.ProjectID], Body: domain.To(text.Draw(t, "body")), Mentioned: mentioned,
	})
}
