package commands_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"docket/accounts"
	"docket/commands"
	"docket/domain"
	"docket/eventstore"
	"docket/internal/pgtest"
	"docket/internal/tenanttest"

	"github.com/jackc/pgx/v5/pgxpool"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

const password = "correct horse battery"

// world is one database with the commands of two replicas, each with its own cache.
type world struct {
	t        *testing.T
	engine   *pgxpool.Pool
	store    *eventstore.Store
	one, two *commands.Commands
	def      domain.TenantID
	session  *accounts.Sessions

	passwords *accounts.Passwords
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := pgtest.New(t)
	engine, api := db.Engine(t), db.API(t)
	store := eventstore.New(engine, api, nil)
	passwords, err := accounts.NewPasswords(engine)
	if err != nil {
		t.Fatal(err)
	}
	replica := func() *commands.Commands {
		c, err := commands.New(commands.Config{Store: store, Passwords: passwords, SetupCode: "let-me-in", Registration: commands.RegisterAnyone})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	w := &world{t: t, engine: engine, store: store, one: replica(), two: replica(), passwords: passwords}
	w.session = accounts.NewSessions(engine, passwords, w.one, nil, []byte("a master key of at least 32 bytes"))
	w.def, err = w.one.EnsureDefaultTenant(t.Context(), commands.NewTenant{Name: "Default Org", Slug: "default"})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) register(email string) domain.UserID {
	w.t.Helper()
	done, err := w.one.Register(w.t.Context(), w.def, commands.Origin{}, commands.Registration{
		Email: email, Password: password, Name: email, Registrant: commands.Registrant{Local: true},
	})
	if err != nil {
		w.t.Fatalf("register %s: %v", email, err)
	}
	return done.State.ID
}

func (w *world) scope(c *commands.Commands, u domain.UserID) domain.Scope {
	w.t.Helper()
	s, err := c.Admit(w.t.Context(), w.def, u, false)
	if err != nil {
		w.t.Fatalf("admit: %v", err)
	}
	return s
}

// bounded is a context that outlives a failed assertion and ends after a minute.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// wantCode fails the test unless err is a refusal with the code.
func (w *world) wantCode(err error, code domain.Code) {
	w.t.Helper()
	if domain.CodeOf(err) != code || err == nil {
		w.t.Fatalf("error is %v, want code %s", err, code)
	}
}

func TestRegistration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	far := commands.Registration{Email: "ann@example.org", Password: password, Name: "Ann"}

	_, err := w.one.Register(ctx, w.def, commands.Origin{}, far)
	w.wantCode(err, domain.CodeSetupCodeRequired)
	far.Registrant.SetupCode = "let-me-i"
	_, err = w.one.Register(ctx, w.def, commands.Origin{}, far)
	w.wantCode(err, domain.CodeSetupCodeRequired)
	far.Registrant.SetupCode = "let-me-in"
	ann, err := w.one.Register(ctx, w.def, commands.Origin{}, far)
	if err != nil {
		t.Fatal(err)
	}
	if s := w.scope(w.two, ann.State.ID); s.Actor().Role != domain.Owner {
		t.Fatalf("the first user has the role %s, want owner", s.Actor().Role)
	}
	bob := w.register("bob@example.org")
	if s := w.scope(w.two, bob); s.Actor().Role != domain.Member {
		t.Fatalf("the second user has the role %s, want member", s.Actor().Role)
	}
	far.Email = "ANN@example.org"
	_, err = w.one.Register(ctx, w.def, commands.Origin{}, far)
	w.wantCode(err, domain.CodeEmailTaken)
	far.Email, far.Password = "new@example.org", "short"
	_, err = w.one.Register(ctx, w.def, commands.Origin{}, far)
	w.wantCode(err, domain.CodeValidationFailed)
	_, err = w.one.Register(ctx, domain.Platform, commands.Origin{}, commands.Registration{Email: "x@example.org", Password: password, Name: "X"})
	w.wantCode(err, domain.CodeRegistrationClosed)

	if _, err := w.session.Login(ctx, "aNN@example.org", password, netip.Prefix{}, ann.State.CreatedAt); err != nil {
		t.Fatalf("login: %v", err)
	}
	for _, c := range [][2]string{{"ann@example.org", password + "x"}, {"unknown@example.org", password}} {
		_, err := w.session.Login(ctx, c[0], c[1], netip.Prefix{}, ann.State.CreatedAt)
		w.wantCode(err, domain.CodeUnauthenticated)
	}
}

// Of several concurrent registrations exactly one founds the tenant.
func TestConcurrentFounders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := bounded(t)
	const n = 6
	ids := make(chan domain.UserID, n)
	for i := range n {
		c := []*commands.Commands{w.one, w.two}[i%2]
		go func() {
			done, err := c.Register(ctx, w.def, commands.Origin{}, commands.Registration{
				Email: string(rune('a'+i)) + "@example.org", Password: password, Name: "N", Registrant: commands.Registrant{Local: true},
			})
			if err != nil {
				t.Errorf("register user %d: %v", i, err)
			}
			ids <- done.State.ID
		}()
	}
	owners := 0
	for range n {
		if w.scope(w.one, <-ids).Actor().Role == domain.Owner {
			owners++
		}
	}
	if owners != 1 {
		t.Fatalf("%d owners, want 1", owners)
	}
}

func TestTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	ann, bob := w.register("ann@example.org"), w.register("bob@example.org")

	acme, err := w.one.CreateTenant(ctx, ann, commands.Origin{}, commands.NewTenant{Name: "Acme", Slug: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	if acme.State.Version != 1 || acme.Seq != 2 {
		t.Fatalf("created at version %d, seq %d, want version 1, seq 2", acme.State.Version, acme.Seq)
	}
	_, err = w.two.CreateTenant(ctx, bob, commands.Origin{}, commands.NewTenant{Name: "Acme 2", Slug: "acme"})
	w.wantCode(err, domain.CodeSlugTaken)
	if id, found, err := w.two.TenantBySlug(ctx, "acme"); err != nil || !found || id != acme.State.ID {
		t.Fatalf("tenant by slug is %s (found: %t, error %v), want %s", id, found, err, acme.State.ID)
	}
	_, err = w.two.Join(ctx, acme.State.ID, bob, commands.Origin{}, commands.Registrant{})
	w.wantCode(err, domain.CodeRegistrationClosed)
	scope, err := w.one.Admit(ctx, acme.State.ID, ann, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.one.EditTenant(ctx, scope, commands.Origin{}, domain.EditTenant{
		Registration: domain.To(domain.RegistrationOpen), DefaultRole: domain.To(domain.Viewer),
	}, domain.Edit[*string]{}); err != nil {
		t.Fatal(err)
	}
	// Replica two has the closed tenant in its cache and must not refuse because of it.
	m, err := w.two.Join(ctx, acme.State.ID, bob, commands.Origin{}, commands.Registrant{})
	if err != nil || m.State.Role != domain.Viewer {
		t.Fatalf("join with role %q, error %v, want %q", m.State.Role, err, domain.Viewer)
	}
	_, err = w.one.Join(ctx, acme.State.ID, bob, commands.Origin{}, commands.Registrant{})
	w.wantCode(err, domain.CodeAlreadyMember)
	_, err = w.one.Admit(ctx, domain.TenantID(acme.State.ID.UUID()), domain.UserID{9}, false)
	w.wantCode(err, domain.CodeTenantAccessDenied)
}

// When two owners leave, or demote each other, concurrently on two replicas, one
// remains.
func TestOneOwnerRemains(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := bounded(t)
	ann, bob := w.register("ann@example.org"), w.register("bob@example.org")
	promote := func(by, who domain.UserID) {
		t.Helper()
		if _, err := w.one.ChangeRole(ctx, w.scope(w.one, by), commands.Origin{}, who, domain.ChangeRole{Role: domain.To(domain.Owner)}); err != nil {
			t.Fatal(err)
		}
	}
	role := func(u domain.UserID) domain.Role {
		s, err := w.one.Admit(ctx, w.def, u, true)
		if errors.Is(err, domain.TenantAccessDenied()) {
			return ""
		}
		if err != nil {
			t.Fatal(err)
		}
		return s.Actor().Role
	}
	_, err := w.one.RemoveMember(ctx, w.scope(w.one, ann), commands.Origin{}, ann, domain.RemoveMember{})
	w.wantCode(err, domain.CodeLastOwner)
	promote(ann, bob)
	for round := range 20 {
		annScope, bobScope := w.scope(w.one, ann), w.scope(w.two, bob)
		errs := make(chan error, 2)
		go func() {
			if round%2 == 0 {
				_, err := w.one.ChangeRole(ctx, annScope, commands.Origin{}, bob, domain.ChangeRole{Role: domain.To(domain.Member)})
				errs <- err
				return
			}
			_, err := w.one.RemoveMember(ctx, annScope, commands.Origin{}, ann, domain.RemoveMember{})
			errs <- err
		}()
		go func() {
			if round%2 == 0 {
				_, err := w.two.ChangeRole(ctx, bobScope, commands.Origin{}, ann, domain.ChangeRole{Role: domain.To(domain.Member)})
				errs <- err
				return
			}
			_, err := w.two.RemoveMember(ctx, bobScope, commands.Origin{}, bob, domain.RemoveMember{})
			errs <- err
		}()
		refused := 0
		for range 2 {
			switch err := <-errs; {
			case err == nil:
			case domain.CodeOf(err) == domain.CodeLastOwner, domain.CodeOf(err) == domain.CodeInsufficientRole:
				refused++
			default:
				t.Fatalf("round %d: error is %v, want last-owner or insufficient-role", round, err)
			}
		}
		if refused != 1 {
			t.Fatalf("round %d: %d of 2 commands refused, want 1", round, refused)
		}
		stays, goes := ann, bob
		if role(ann) != domain.Owner {
			stays, goes = bob, ann
		}
		if role(stays) != domain.Owner || role(goes) == domain.Owner {
			t.Fatalf("round %d: the roles are %q and %q, want one owner", round, role(stays), role(goes))
		}
		if role(goes) == "" {
			if _, err := w.one.Join(ctx, w.def, goes, commands.Origin{}, commands.Registrant{}); err != nil {
				t.Fatal(err)
			}
		}
		promote(stays, goes)
	}
}

// A role that was revoked on one replica has no effect on another, whose cache still
// has it.
func TestRevokedRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	ann, bob := w.register("ann@example.org"), w.register("bob@example.org")
	scope := w.scope(w.two, bob)
	if _, err := w.two.CreateProject(ctx, scope, commands.Origin{}, domain.CreateProject{Name: "P", Visibility: domain.Private}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.one.ChangeRole(ctx, w.scope(w.one, ann), commands.Origin{}, bob, domain.ChangeRole{Role: domain.To(domain.Viewer)}); err != nil {
		t.Fatal(err)
	}
	_, err := w.two.CreateProject(ctx, scope, commands.Origin{}, domain.CreateProject{Name: "P", Visibility: domain.Private})
	w.wantCode(err, domain.CodeInsufficientRole)
	if _, err := w.one.RemoveMember(ctx, w.scope(w.one, ann), commands.Origin{}, bob, domain.RemoveMember{}); err != nil {
		t.Fatal(err)
	}
	_, err = w.two.CreateProject(ctx, scope, commands.Origin{}, domain.CreateProject{Name: "P", Visibility: domain.Private})
	w.wantCode(err, domain.CodeTenantAccessDenied)
}

func TestProjectsAndTasks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	ann, bob := w.register("ann@example.org"), w.register("bob@example.org")
	a, b := w.scope(w.one, ann), w.scope(w.two, bob)

	p, err := w.two.CreateProject(ctx, b, commands.Origin{RequestID: "r1"}, domain.CreateProject{Name: "Site", Visibility: domain.Private})
	if err != nil {
		t.Fatal(err)
	}
	task, err := w.one.CreateTask(ctx, a, commands.Origin{}, p.State.ID, domain.CreateTask{Title: "T", Priority: domain.Normal, AssigneeID: &bob})
	if err != nil {
		t.Fatal(err)
	}
	if task.Seq != p.Seq+1 {
		t.Fatalf("the task has seq %d, want %d", task.Seq, p.Seq+1)
	}
	stranger := domain.UserID{7}
	_, err = w.one.CreateTask(ctx, a, commands.Origin{}, p.State.ID, domain.CreateTask{Title: "T", Priority: domain.Normal, AssigneeID: &stranger})
	w.wantCode(err, domain.CodeValidationFailed)

	// An edit without a change appends nothing and returns the stream's last seq.
	same, err := w.two.EditTask(ctx, b, commands.Origin{}, task.State.ID, domain.EditTask{Title: domain.To("T")})
	if err != nil || same.Seq != task.Seq || same.State.Version != 1 {
		t.Fatalf("edit without a change: seq %d, version %d, error %v, want seq %d, version 1", same.Seq, same.State.Version, err, task.Seq)
	}
	if _, err := w.one.EditTask(ctx, a, commands.Origin{}, task.State.ID, domain.EditTask{Title: domain.To("U")}); err != nil {
		t.Fatal(err)
	}
	// Replica two has version 1 in its cache: it conflicts, loads the new event and retries.
	both, err := w.two.EditTask(ctx, b, commands.Origin{}, task.State.ID, domain.EditTask{Status: domain.To(domain.Done)})
	if err != nil || both.State.Title != "U" || both.State.Version != 3 {
		t.Fatalf("after a conflict: title %q, version %d, error %v, want title U, version 3", both.State.Title, both.State.Version, err)
	}
	_, err = w.one.EditTask(ctx, a, commands.Origin{}, task.State.ID, domain.EditTask{IfMatch: domain.IfVersion(1), Title: domain.To("V")})
	w.wantCode(err, domain.CodeVersionConflict)

	if _, err := w.one.MoveProject(ctx, a, commands.Origin{}, p.State.ID, domain.MoveProject{To: domain.Cancelled}); err != nil {
		t.Fatal(err)
	}
	_, err = w.two.CreateTask(ctx, b, commands.Origin{}, p.State.ID, domain.CreateTask{Title: "T", Priority: domain.Normal})
	w.wantCode(err, domain.CodeProjectClosed)
	if _, err := w.one.DeleteProject(ctx, a, commands.Origin{}, p.State.ID, domain.DeleteProject{}); err != nil {
		t.Fatal(err)
	}
	_, err = w.two.EditTask(ctx, b, commands.Origin{}, task.State.ID, domain.EditTask{Title: domain.To("V")})
	w.wantCode(err, domain.CodeNotFound)

	events, err := tenanttest.Load(ctx, w.store, w.def, domain.Stream(domain.ProjectStream, p.State.ID), 0)
	if err != nil || len(events) != 3 || events[0].Meta.RequestID != "r1" || events[0].ActorName() != "bob@example.org" {
		t.Fatalf("the project's stream has %d events, error %v, want 3, the first of request r1 by bob: %+v", len(events), err, events)
	}
}
