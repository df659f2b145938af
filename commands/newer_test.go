package commands_test

import (
	"errors"
	"strings"
	"testing"

	"docket/commands"
	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"

	"github.com/google/uuid"
)

// newerEvents are events of a newer version of Docket, by what is new in them.
var newerEvents = map[string]struct {
	eventType string
	schema    int
	data      string
	meta      string
}{
	"a type":           {"project.frobbed", 1, `{}`, `{}`},
	"a schema version": {"project.updated", 99, `{}`, `{}`},
	"a field":          {"project.updated", 1, `{"changes":[{"field":"budget","from":null,"to":7}]}`, `{}`},
	"a key": {"project.updated", 1, `{}`,
		`{"actor_name":{"$p":{"subject":"01a2089e-4db8-7f7c-b258-421961d6e560","key":"k1","value":{"ct":"c2VjcmV0"}}}}`},
}

// A command on an aggregate that this version can't read fails with
// domain.ErrUnknownEvent and appends nothing.
func TestCommandsOnNewerEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	ann := w.register("ann@example.org")
	s := w.scope(w.one, ann)
	for name, e := range newerEvents {
		created, err := w.one.CreateProject(ctx, s, commands.Origin{}, domain.CreateProject{Name: "P", Visibility: domain.Private})
		if err != nil {
			t.Fatal(err)
		}
		p := created.State.ID
		// Replica one has the project in its cache, two hasn't.
		w.insert(w.def, domain.Stream(domain.ProjectStream, p), 2, e.eventType, e.schema, e.data, e.meta)
		head := w.head(w.def)
		for replica, c := range map[string]*commands.Commands{"one": w.one, "two": w.two} {
			for what, err := range map[string]error{
				"edit":    errorOf(c.EditProject(ctx, s, commands.Origin{}, p, domain.EditProject{Name: domain.To("Q")})),
				"nothing": errorOf(c.EditProject(ctx, s, commands.Origin{}, p, domain.EditProject{Name: domain.To("P")})),
				"wrong":   errorOf(c.EditProject(ctx, s, commands.Origin{}, p, domain.EditProject{IfMatch: domain.IfVersion(1), Name: domain.To("Q")})),
				"move":    errorOf(c.MoveProject(ctx, s, commands.Origin{}, p, domain.MoveProject{To: domain.Submitted})),
				"guard":   errorOf(c.CreateTask(ctx, s, commands.Origin{}, p, domain.CreateTask{Title: "T"})),
				"delete":  errorOf(c.DeleteProject(ctx, s, commands.Origin{}, p, domain.DeleteProject{})),
			} {
				if !errors.Is(err, domain.ErrUnknownEvent) || domain.CodeOf(err) != domain.CodeInternal {
					t.Errorf("%s new, replica %s, %s: error is %v, want ErrUnknownEvent and no refusal", name, replica, what, err)
				}
			}
		}
		if now := w.head(w.def); now != head {
			t.Errorf("%s new: %d events were appended", name, now-head)
		}
	}
	// Commands on other aggregates still work.
	if _, err := w.one.CreateProject(ctx, s, commands.Origin{}, domain.CreateProject{Name: "P", Visibility: domain.Private}); err != nil {
		t.Error(err)
	}
}

// A user whose membership this version can't read is neither admitted nor refused.
func TestMembershipWithNewerEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.register("ann@example.org")
	bob := w.register("bob@example.org")
	s := w.scope(w.one, bob)
	w.insert(w.def, domain.Stream(domain.MemberStream, bob), 2, "member.promoted", 1, `{}`, `{}`)
	for replica, c := range map[string]*commands.Commands{"one": w.one, "two": w.two} {
		if _, err := c.Admit(ctx, w.def, bob, true); !errors.Is(err, domain.ErrUnknownEvent) {
			t.Errorf("replica %s: Admit returns the error %v, want ErrUnknownEvent", replica, err)
		}
		_, err := c.CreateProject(ctx, s, commands.Origin{}, domain.CreateProject{Name: "P", Visibility: domain.Private})
		if !errors.Is(err, domain.ErrUnknownEvent) {
			t.Errorf("replica %s: CreateProject returns the error %v, want ErrUnknownEvent", replica, err)
		}
	}
	// A replica that can read the membership has to copy the new name.
	if _, err := w.one.Rename(ctx, bob, commands.Origin{}, domain.RenameUser{Name: domain.To("Rob")}); err != nil {
		t.Fatal(err)
	}
	events, err := tenanttest.Load(ctx, w.store, domain.Platform, domain.Stream(domain.UserStream, bob), 0)
	if err != nil {
		t.Fatal(err)
	}
	// The page doesn't fail, so the other users' names are copied; any replica that can makes
	// the copy later.
	tx, err := w.engine.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	page := &feed.Page{Subscription: commands.Renames, Tenant: domain.Platform, Events: events, Tx: tx}
	if err := w.one.CarryRenames(ctx, page); err != nil {
		t.Errorf("the page of Renames returns the error %v, want none", err)
	}
	if err := errors.Join(page.Flush(ctx), tx.Commit(ctx)); err != nil {
		t.Fatal(err)
	}
	var tenant uuid.UUID
	var why string
	if err := w.engine.QueryRow(ctx, `select tenant_id, error from postponed_copies`).Scan(&tenant, &why); err != nil {
		t.Fatal(err)
	}
	if domain.TenantID(tenant) != w.def || !strings.Contains(why, domain.ErrUnknownEvent.Error()) {
		t.Errorf("postponed is the copy into %s because of %q, want into %s because of %q", tenant, why, w.def, domain.ErrUnknownEvent)
	}
}

// errorOf drops the result of a command.
func errorOf[T any](_ T, err error) error { return err }

// head is a tenant's last seq.
func (w *world) head(t domain.TenantID) (seq int64) {
	w.t.Helper()
	if err := w.engine.QueryRow(w.t.Context(), `select max(seq) from events where tenant_id = $1`, t.UUID()).Scan(&seq); err != nil {
		w.t.Fatal(err)
	}
	return seq
}

// insert inserts an event at the end of a tenant's log, as another version of Docket
// would.
func (w *world) insert(t domain.TenantID, stream domain.StreamID, version int, eventType string, schema int, data, meta string) {
	w.t.Helper()
	_, err := w.engine.Exec(w.t.Context(), `insert into events (tenant_id, seq, stream_type, stream_id, version, type, schema_version,
occurred_at, command_id, data, meta) values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp(), $8, $9, $10)`,
		t.UUID(), w.head(t)+1, string(stream.Type), stream.ID, version, eventType, schema, uuid.New(), data, meta)
	if err != nil {
		w.t.Fatal(err)
	}
}
