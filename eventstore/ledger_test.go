package eventstore_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/tenanttest"

	"github.com/google/go-cmp/cmp"
)

func entry(t domain.TenantID, key string) *eventstore.Entry {
	return &eventstore.Entry{Tenant: t, Key: sha256.Sum256([]byte(key)), Fingerprint: sha256.Sum256([]byte("request"))}
}

func (f *fixture) remembered(e *eventstore.Entry) (eventstore.Entry, bool) {
	f.T.Helper()
	found, ok, err := f.Store.Remembered(f.T.Context(), e.Tenant, e.Key)
	if err != nil {
		f.T.Fatal(err)
	}
	return found, ok
}

// What is remembered is written with the events, and read back as it was.
func TestAppendRemembers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant, stream := f.Tenant(), newStream(t)
	c := commit(t, part(tenant, stream, 0, 2))
	c.Entry = entry(tenant, "1")
	c.Entry.Answer = &eventstore.Version{Tenant: tenant, Stream: stream, Version: 2}
	seq := f.Append(f.Store, c).Seq(tenant)
	want := *c.Entry
	want.Command, want.Seq = c.Command, &seq
	if got, _ := f.remembered(c.Entry); cmp.Diff(want, got) != "" {
		t.Errorf("-want +got:\n%s", cmp.Diff(want, got))
	}

	alone := commit(t)
	alone.Entry = entry(tenant, "2")
	alone.Entry.Refusal = json.RawMessage(`{"b": 1,  "a":"ü"}`)
	f.Append(f.Store, alone)
	want = *alone.Entry
	want.Command = alone.Command
	got, _ := f.remembered(alone.Entry)
	if got.Seq == nil || *got.Seq != seq {
		t.Errorf("without events the seq is %v, want the head's, %d", got.Seq, seq)
	}
	if got.Seq = nil; cmp.Diff(want, got) != "" {
		t.Errorf("-want +got:\n%s", cmp.Diff(want, got))
	}
	if _, found := f.remembered(entry(f.Tenant(), "1")); found {
		t.Error("another tenant has the key too")
	}
}

// A key that was answered lets nothing through, with whatever Commit it comes; a
// Commit that is refused for another reason leaves its key free.
func TestAppendUnderAKnownKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant, stream := f.Tenant(), newStream(t)
	with := func(c eventstore.Commit, key string) eventstore.Commit {
		c.Entry = entry(tenant, key)
		return c
	}
	var conflict *eventstore.ConflictError
	if _, err := f.Store.Append(t.Context(), with(commit(t, part(tenant, stream, 7, 1)), "1")); !errors.As(err, &conflict) {
		t.Fatalf("got %v, want a ConflictError", err)
	}
	f.Append(f.Store, with(commit(t, part(tenant, stream, 0, 1)), "1"))
	f.wantsUnchanged(func() {
		for _, c := range []eventstore.Commit{
			commit(t, part(tenant, stream, 0, 1)), commit(t, part(tenant, stream, 1, 1)), commit(t, part(tenant, newStream(t), 0, 1)), commit(t),
		} {
			_, err := f.Store.Append(t.Context(), with(c, "1"))
			var known *eventstore.RememberedError
			if !errors.As(err, &known) || known.Tenant != tenant || known.Key != sha256.Sum256([]byte("1")) {
				t.Errorf("got %v, want a RememberedError", err)
			}
		}
	})
}

// Of many at once with one key, on two replicas, one is written.
func TestManyAppendsUnderOneKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	stores := []*eventstore.Store{f.Store, f.another()}
	var all sync.WaitGroup
	var mu sync.Mutex
	written := 0
	for i := range 60 {
		c := commit(t, part(tenant, newStream(t), 0, 1))
		c.Entry = entry(tenant, "1")
		all.Go(func() {
			_, err := stores[i%2].Append(t.Context(), c)
			if err == nil {
				mu.Lock()
				written++
				mu.Unlock()
			} else if !errors.As(err, new(*eventstore.RememberedError)) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if written != 1 || len(f.Log(tenant)) != 2 {
		t.Errorf("%d of them were written, and the log has %d events, want 1 and 2", written, len(f.Log(tenant)))
	}
}

// The seq that is remembered is the Commit's own, whoever shares its batch.
func TestRememberedSeqInABatch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	one, two := f.Tenant(), f.Tenant()
	var commits []eventstore.Commit
	for i := range 20 {
		tenant := []domain.TenantID{one, two}[i%2]
		stream := newStream(t)
		c := commit(t, part(tenant, stream, 0, 1+i%3))
		if i%5 == 3 {
			c.Parts[0].Expected = 1 // refused
		}
		c.Entry = entry(tenant, string(rune('a'+i)))
		c.Entry.Answer = &eventstore.Version{Tenant: tenant, Stream: stream, Version: 1 + i%3}
		commits = append(commits, c)
	}
	outcomes, err := f.Store.CallEach(t.Context(), commits)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range commits {
		got, found := f.remembered(c.Entry)
		if refused := i%5 == 3; refused != (outcomes[i].Err != nil) || refused == found {
			t.Errorf("%d: remembered %t, and the outcome is %v", i, found, outcomes[i].Err)
			continue
		} else if refused {
			continue
		}
		if want := outcomes[i].Appended.Seq(c.Entry.Tenant); *got.Seq != want {
			t.Errorf("%d: seq %d is remembered, %d was written", i, *got.Seq, want)
		}
		if loaded, err := tenanttest.Load(t.Context(), f.Store, c.Entry.Tenant, c.Parts[0].Stream, 0); err != nil || !reflect.DeepEqual(loaded, outcomes[i].Appended.Events) {
			t.Errorf("%d: told %+v, stored %+v (%v)", i, outcomes[i].Appended.Events, loaded, err)
		}
	}
}

// The answer to a Commit that is nothing but an entry can be lost too.
func TestLostAnswerOfAnEntry(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	w := newWire(t, f.DB.EngineURL)
	s := f.behind(w, tenant)
	c := commit(t)
	c.Entry = entry(tenant, "1")
	w.dropOne.Store(true)
	if _, err := s.Append(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if w.dropOne.Load() {
		t.Fatal("no answer was dropped")
	}
	if e, found := f.remembered(c.Entry); !found || e.Command != c.Command {
		t.Errorf("remembered %t: %+v", found, e)
	}
}

// What is old is forgotten, some at a time; what is newer stays.
func TestForget(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	for _, key := range []string{"1", "2", "3"} {
		c := commit(t)
		c.Entry = entry(tenant, key)
		f.Append(f.Store, c)
	}
	// They are an hour old by Postgres' clock, which alone counts.
	if _, err := f.DB.Engine(t).Exec(t.Context(), `do $$ begin
		create temp table old on commit drop as table commands;
		delete from commands;
		update old set at = at - interval '1 hour';
		insert into commands table old;
	end $$`); err != nil {
		t.Fatal(err)
	}
	last := commit(t, part(tenant, newStream(t), 0, 1))
	last.Entry = entry(tenant, "last")
	f.Append(f.Store, last)
	for _, want := range []int{2, 1, 0} {
		if n, err := f.Store.Forget(t.Context(), time.Hour, 2); err != nil || n != want {
			t.Errorf("forgot %d (%v), want %d", n, err, want)
		}
	}
	if _, found := f.remembered(entry(tenant, "1")); found {
		t.Error("an old key is still known")
	}
	if _, found := f.remembered(last.Entry); !found {
		t.Error("a new key was forgotten")
	}
}

// After a loss the records of the lost commands are deleted, those under another log's key
// too. The log may have grown again before that: new records stay, also of commands that
// wrote nothing.
func TestForgetLost(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant, stream := f.Tenant(), newStream(t)
	engine := f.DB.Engine(t)
	head := f.Grow(f.Store, tenant, 1)
	lost := map[string]*eventstore.Entry{"of this log": entry(tenant, "lost"), "of the platform's key": entry(domain.Platform, "lost"), "beyond the end": entry(tenant, "far")}
	for name, e := range lost {
		seq := head + 1
		if name == "beyond the end" {
			seq += 9
		}
		var answer any
		if e.Tenant != tenant {
			answer = tenant.UUID()
		}
		if _, err := engine.Exec(t.Context(), `insert into commands (tenant_id, key_hash, fingerprint, command_id, seq, stream_tenant, stream_type, stream_id, version, at)
values ($1, $2, $3, gen_random_uuid(), $4, $5::uuid, case when $5 is not null then 'task' end, $5, case when $5 is not null then 1 end, now())`,
			e.Tenant.UUID(), e.Key[:], e.Fingerprint[:], seq, answer); err != nil {
			t.Fatal(err)
		}
	}
	written, refused, platform := commit(t, part(tenant, stream, 0, 1)), commit(t), commit(t)
	written.Entry, refused.Entry, platform.Entry = entry(tenant, "written"), entry(tenant, "refused"), entry(domain.Platform, "refused")
	refused.Entry.Refusal = json.RawMessage(`{}`)
	platform.Entry.Refusal = json.RawMessage(`{}`)
	far := head + 100
	platform.Entry.Seq = &far
	for _, c := range []eventstore.Commit{written, refused, platform} {
		f.Append(f.Store, c)
	}
	if _, err := engine.Exec(t.Context(), eventstore.ForgetLostSQL, tenant.UUID(), head); err != nil {
		t.Fatal(err)
	}
	for name, e := range lost {
		if _, found := f.remembered(e); found {
			t.Errorf("the lost record %s is still there", name)
		}
	}
	for _, c := range []eventstore.Commit{written, refused, platform} {
		if _, found := f.remembered(c.Entry); !found {
			t.Errorf("the record under tenant %s with the refusal %s was deleted", c.Entry.Tenant, c.Entry.Refusal)
		}
	}
}
