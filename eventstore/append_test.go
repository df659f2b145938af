package eventstore_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/tenanttest"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestAppendReturnsWhatLoadReads(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant, stream := f.Tenant(), newStream(t)
	actor := tenanttest.NewID[domain.UserID](t)
	name := domain.About(actor, "Ann")
	c := commit(t, part(tenant, stream, 0, 3))
	c.Actor, c.Meta = actor, domain.Meta{RequestID: "r-1", ActorName: &name}
	done := f.Append(f.Store, c)

	loaded, err := tenanttest.Load(t.Context(), f.Store, tenant, stream, 0)
	if err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(done.Events, loaded); d != "" {
		t.Errorf("-appended +loaded:\n%s", d)
	}
	for i, e := range loaded {
		if e.Seq != int64(i+2) || e.Version != i+1 {
			t.Errorf("event %d has seq %d and version %d", i, e.Seq, e.Version)
		}
	}
	if done.Seq(tenant) != 4 {
		t.Errorf("the Commit's seq is %d, want 4", done.Seq(tenant))
	}
	rest, err := tenanttest.Load(t.Context(), f.Store, tenant, stream, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(rest) != 1 || rest[0].Version != 3 {
		t.Errorf("after version 2 come %+v", rest)
	}
}

func TestAppendWithoutActor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	done := f.Append(f.Store, commit(t, part(tenant, newStream(t), 0, 1)))
	if log := f.Log(tenant); !log[1].Actor.IsZero() || !reflect.DeepEqual(log[1:], done.Events) {
		t.Errorf("got %+v", log)
	}
}

func TestAppendRefusesAnotherVersion(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant, stream, other := f.Tenant(), newStream(t), newStream(t)
	f.Append(f.Store, commit(t, part(tenant, stream, 0, 2)))
	guarded := func(v int) eventstore.Commit {
		c := commit(t, part(tenant, newStream(t), 0, 1))
		c.Guards = []eventstore.Guard{{Tenant: tenant, Stream: stream, Version: v}}
		return c
	}
	for name, c := range map[string]eventstore.Commit{
		"behind":                   commit(t, part(tenant, stream, 1, 1)),
		"ahead":                    commit(t, part(tenant, stream, 3, 1)),
		"new, but there":           commit(t, part(tenant, stream, 0, 1)),
		"guard behind":             guarded(1),
		"guard ahead":              guarded(3),
		"guard wants it not there": guarded(0),
		"one part of two":          commit(t, part(tenant, other, 0, 1), part(tenant, stream, 1, 1)),
	} {
		f.wantsUnchanged(func() {
			_, err := f.Store.Append(t.Context(), c)
			var conflict *eventstore.ConflictError
			if !errors.As(err, &conflict) {
				t.Fatalf("%s: got %v, want a ConflictError", name, err)
			}
			if conflict.Tenant != tenant || conflict.Stream != stream || conflict.Actual != 2 || conflict.Expected == 2 {
				t.Errorf("%s: got %+v", name, conflict)
			}
		})
	}
	f.Append(f.Store, guarded(2))
}

func TestAppendOnAGuardThatMustNotExist(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	c := commit(t, part(tenant, newStream(t), 0, 1))
	c.Guards = []eventstore.Guard{{Tenant: tenant, Stream: newStream(t), Version: 0}}
	f.Append(f.Store, c)
}

func TestAppendKnowsWhichTenantsHaveALog(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	there, absent := f.Tenant(), tenanttest.NewID[domain.TenantID](t)
	begun := commit(t, tenantPart(absent), part(there, newStream(t), 0, 1))
	begun.NewTenants = []domain.TenantID{there}
	claiming := commit(t, part(there, newStream(t), 0, 1))
	claiming.Claims = []eventstore.Claim{{Tenant: absent, Kind: eventstore.ClaimSlug, Value: "x"}}
	guarding := commit(t, part(there, newStream(t), 0, 1))
	guarding.Guards = []eventstore.Guard{{Tenant: absent, Stream: newStream(t)}}
	bornTwice := commit(t, part(there, newStream(t), 0, 1))
	bornTwice.NewTenants = []domain.TenantID{there}
	for name, c := range map[string]struct {
		commit eventstore.Commit
		tenant domain.TenantID
	}{
		"no log":                   {commit(t, part(absent, newStream(t), 0, 1)), absent},
		"one of two has no log":    {commit(t, part(there, newStream(t), 0, 1), part(absent, newStream(t), 0, 1)), absent},
		"a claim in no log":        {claiming, absent},
		"a guard in no log":        {guarding, absent},
		"new, but there":           {bornTwice, there},
		"new, but there, by parts": {commit: begun},
	} {
		f.wantsUnchanged(func() {
			_, err := f.Store.Append(t.Context(), c.commit)
			var unknown *eventstore.TenantError
			if !errors.As(err, &unknown) {
				t.Fatalf("%s: got %v, want a TenantError", name, err)
			}
			if !c.tenant.IsZero() && unknown.Tenant != c.tenant {
				t.Errorf("%s: it names %s, want %s", name, unknown.Tenant, c.tenant)
			}
		})
	}
}

func TestAppendOverTwoLogsIsAllOrNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	one, two := f.Tenant(), f.Tenant()
	a, b := newStream(t), newStream(t)
	done := f.Append(f.Store, commit(t, part(one, a, 0, 2), part(two, b, 0, 1)))
	if done.Seq(one) != 3 || done.Seq(two) != 2 || len(done.Of(one, a)) != 2 || len(done.Of(two, b)) != 1 {
		t.Errorf("got %+v", done)
	}
	f.wantsUnchanged(func() {
		_, err := f.Store.Append(t.Context(), commit(t, part(one, a, 2, 1), part(two, b, 0, 1)))
		var conflict *eventstore.ConflictError
		if !errors.As(err, &conflict) || conflict.Tenant != two {
			t.Errorf("got %v, want a conflict in the second log", err)
		}
	})
	f.wantsUnchanged(func() {
		three := commit(t, part(one, a, 2, 1), part(two, b, 1, 1), part(domain.Platform, newStream(t), 0, 1))
		if _, err := f.Store.Append(t.Context(), three); err == nil {
			t.Error("a Commit over three logs was accepted")
		}
	})
}

func TestAppendRefusesWhatCannotBeStored(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	// {"title":"…", …} just fits, and doesn't with one byte more.
	_, frame, err := domain.Encode(domain.TaskUpdated{})
	if err != nil {
		t.Fatal(err)
	}
	sized := func(n int) eventstore.Part {
		return eventstore.Part{Tenant: tenant, Stream: newStream(t), Events: []domain.Event{
			domain.TaskUpdated{Title: strings.Repeat("x", n-len(frame))},
		}}
	}
	f.Append(f.Store, commit(t, sized(eventstore.MaxEventSize)))
	f.wantsUnchanged(func() {
		_, err := f.Store.Append(t.Context(), commit(t, part(tenant, newStream(t), 0, 1), sized(eventstore.MaxEventSize+1)))
		var size *eventstore.SizeError
		if !errors.As(err, &size) || size.Size != eventstore.MaxEventSize+1 || size.Type != "task.updated" {
			t.Errorf("got %v, want a SizeError", err)
		}
		if _, err := f.Store.Append(t.Context(), commit(t)); err == nil {
			t.Error("a Commit without events was accepted")
		}
		strange := eventstore.Part{Tenant: tenant, Stream: newStream(t), Events: []domain.Event{domain.ProjectDeleted{}}}
		if _, err := f.Store.Append(t.Context(), commit(t, strange)); err == nil {
			t.Error("a project's event was accepted in a task's stream")
		}
	})
}

func TestAppendCancelledBeforeItStarts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.wantsUnchanged(func() {
		_, err := f.Store.Append(ctx, commit(t, part(tenant, newStream(t), 0, 1)))
		if !errors.Is(err, eventstore.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want unavailable because cancelled", err)
		}
	})
}

func TestLoadOfNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, tenant := range []domain.TenantID{f.Tenant(), tenanttest.NewID[domain.TenantID](t)} {
		events, err := tenanttest.Load(t.Context(), f.Store, tenant, newStream(t), 0)
		if err != nil || len(events) != 0 {
			t.Errorf("got %v and %v", events, err)
		}
	}
}

// A newer version of Docket has written.
func TestLoadOfAnEventThisVersionDoesNotKnow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for name, e := range map[string]tenanttest.RawEvent{
		"type":    {EventType: "task.archived"},
		"version": {EventType: "task.updated", Schema: 99},
		"key": {EventType: "task.updated",
			Meta: `{"actor_name":{"$p":{"subject":"01a2089e-4db8-7f7c-b258-421961d6e560","key":"k1","value":"x"}}}`},
	} {
		e.Tenant, e.Seq, e.Stream, e.Version = f.Tenant(), 2, newStream(t), 1
		f.Raw(e)
		if _, err := tenanttest.Load(t.Context(), f.Store, e.Tenant, e.Stream, 0); !errors.Is(err, domain.ErrUnknownEvent) {
			t.Errorf("%s: got %v, want ErrUnknownEvent", name, err)
		}
	}
}
