package projections_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/tenanttest"
	"docket/projections"
	"docket/projections/rebuild"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// A log in which two schema versions of member.joined stand in any order, as in
// the time of an upgrade: live, rebuilt, folded in any split and in memory it
// gives the rows that the history says, and what is shown of the log is what was
// stored.
func TestLogsOfTwoSchemaVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 3)
	joins := map[int]int{}
	rapid.Check(t, func(t *rapid.T) {
		c, _ := w.Found(t, "mixed")
		m := &mixed{Tenant: c, queries: w.Queries(), want: map[domain.UserID]called{}}
		for _, u := range c.UserIDs {
			m.want[u] = called{Name: "Ann", Role: domain.Owner}
		}
		m.stored = append(m.stored, "", "") // the founding
		for range 3 {
			c.UserIDs = append(c.UserIDs, tenanttest.NewID[domain.UserID](t))
		}
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			m.step(t, rapid.SampledFrom(c.UserIDs[1:]).Draw(t, "user"), joins)
		}
		w.Caught(t, c)
		got := map[domain.UserID]called{}
		list, _, err := w.Queries().Members(context.Background(), domain.Operate(c.ID), projections.MemberFilter{}, projections.Page{}, projections.Fresh{})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range list {
			got[row.UserID] = called{row.Name, row.Role, row.UserVersion}
		}
		if d := cmp.Diff(m.want, got); d != "" {
			t.Fatalf("members -want +got:\n%s", d)
		}
		live := w.dump(t, c)
		projections.InMemory(t, w.Env, c)
		w.split(t, c, splitGeneration)
		equal(t, "split otherwise", w.dumpOf(t, c, splitGeneration), live)
		r := rebuild.New(w.Engine)
		r.FullSpeed = true
		r.PageSize = rapid.IntRange(1, 12).Draw(t, "pages of the rebuild")
		if err := r.Rebuild(context.Background(), []domain.TenantID{c.ID}, nil, nil); err != nil {
			t.Fatal(err)
		}
		equal(t, "rebuilt", w.dump(t, c), live)
		m.shown(t)
	})
	if joins[1] == 0 || joins[2] == 0 {
		t.Errorf("joins by schema version: %v", joins)
	}
}

// called is what the read model says of a member.
type called struct {
	Name        string
	Role        domain.Role
	UserVersion int
}

// mixed is a company that two versions of Docket write to.
type mixed struct {
	*tenanttest.Tenant
	queries *projections.Queries
	want    map[domain.UserID]called
	// stored is the data of each event by seq - 1, empty where nothing was noted.
	stored []string
}

// step has a user join, be renamed, get another role, or leave.
func (m *mixed) step(t *rapid.T, u domain.UserID, joins map[int]int) {
	t.Helper()
	stream := domain.Stream(domain.MemberStream, u)
	name := rapid.SampledFrom([]string{"Bob", "Rob", "Robert"}).Draw(t, "name")
	role := rapid.SampledFrom(domain.Roles()).Draw(t, "role")
	now, in := m.want[u]
	var e domain.Event
	switch what := rapid.SampledFrom([]string{"rename", "role", "leave"}).Draw(t, "what"); {
	case !in && rapid.Bool().Draw(t, "by the older version"):
		joins[1]++
		m.insert(t, stream, fmt.Sprintf(`{"user_id":"%s", "email":{"$p":{"subject":"%[1]s","key":"none","value":"b@example.org"}},
"name":{"$p":{"subject":"%[1]s","key":"none","value":%[2]q}},"role":%[3]q}`, u, name, role))
		m.want[u] = called{name, role, 0}
		return
	case !in:
		joins[2]++
		now = called{name, role, rapid.IntRange(1, 9).Draw(t, "user version")}
		e = domain.MemberJoined{UserID: u, Email: domain.About(u, "b@example.org"), Name: domain.About(u, name), Role: role, UserVersion: now.UserVersion}
	case what == "rename":
		now.Name, now.UserVersion = name, now.UserVersion+1
		e = domain.MemberRenamed{UserID: u, From: domain.About(u, "B"), Name: domain.About(u, name), UserVersion: now.UserVersion}
	case what == "role":
		e = domain.MemberRoleChanged{UserID: u, Name: domain.About(u, now.Name), From: now.Role, To: role}
		now.Role = role
	default:
		e = domain.MemberLeft{UserID: u, Name: domain.About(u, now.Name), Role: now.Role}
	}
	m.Append(t, m.ActorNamed(u, name), eventstore.Commit{}, stream, []domain.Event{e})
	m.stored = append(m.stored, "")
	if m.want[u] = now; e.EventType() == "member.left" {
		delete(m.want, u)
	}
}

// insert writes member.joined as the version of Docket before this one did.
func (m *mixed) insert(t tenanttest.TB, stream domain.StreamID, data string) {
	t.Helper()
	ctx, version := context.Background(), m.Version(stream)
	_, err := m.Env.Engine.Exec(ctx, `insert into events (tenant_id, seq, stream_type, stream_id, version, type, schema_version,
occurred_at, actor_id, command_id, data, meta)
select $1, $2::bigint, $3, $4::uuid, $5::int, 'member.joined', 1, e.occurred_at + interval '1 microsecond', $4, $6, $7, '{}'
from events e where e.tenant_id = $1 and e.seq = $2::bigint - 1`,
		m.ID.UUID(), m.Head()+1, string(stream.Type), stream.ID, version+1, uuid.New(), data)
	if err != nil {
		t.Fatal(err)
	}
	events, err := tenanttest.Load(ctx, m.Env.Store, m.ID, stream, version)
	if err != nil || len(events) != 1 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	m.Evolve(t, events[0])
	m.stored = append(m.stored, data)
}

// shown compares the raw log and the histories with what was stored.
func (m *mixed) shown(t tenanttest.TB) {
	t.Helper()
	ctx, s := context.Background(), domain.Operate(m.ID)
	events, _, err := m.queries.Events(ctx, s, projections.Span{}, projections.MaxLimit)
	if err != nil || int64(len(events)) != m.Head() {
		t.Fatalf("%d events of %d, %v", len(events), m.Head(), err)
	}
	for i, e := range events {
		schema, data := 1, m.stored[i]
		if data == "" {
			d, written, err := domain.Encode(m.Log[i].Event)
			if err != nil {
				t.Fatal(err)
			}
			schema, data = d.Version, string(written)
		}
		if e.SchemaVersion != schema || string(e.Data) != data {
			t.Fatalf("event %d is shown as %s in schema version %d, stored was %s in %d", e.Seq, e.Data, e.SchemaVersion, data, schema)
		}
	}
	for _, u := range m.UserIDs {
		stream := domain.Stream(domain.MemberStream, u)
		items, _, err := m.queries.History(ctx, s, stream, projections.Span{}, projections.MaxLimit)
		if domain.CodeOf(err) == domain.CodeNotFound && m.Version(stream) == 0 {
			continue
		}
		if err != nil || len(items) != m.Version(stream) {
			t.Fatalf("%d events of %d in the history, %v", len(items), m.Version(stream), err)
		}
		for _, item := range items {
			if !slices.Equal(item.Data, events[item.Seq-1].Data) || item.Summary == "" || item.Summary == item.Type {
				t.Fatalf("in the history: %+v", item)
			}
		}
	}
}
