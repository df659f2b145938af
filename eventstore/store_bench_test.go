package eventstore_test

import (
	"strconv"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/pgtest"
	"docket/internal/tenanttest"

	"github.com/google/uuid"
)

// These run on a Postgres without durability, as tests do: they are for comparing
// one version of the code with another (benchstat). docketbench append measures a
// durable Postgres.

// benchStore is a Store with a tenant's log, whose member acts.
type benchStore struct {
	store  *eventstore.Store
	tenant domain.TenantID
	actor  domain.UserID
}

func newBenchStore(b *testing.B) *benchStore {
	db := pgtest.New(b)
	s := &benchStore{
		store:  eventstore.New(db.Engine(b), db.API(b), nil),
		tenant: benchID[domain.TenantID](), actor: benchID[domain.UserID](),
	}
	s.append(b, eventstore.Commit{NewTenants: []domain.TenantID{s.tenant}, Parts: []eventstore.Part{{
		Tenant: s.tenant, Stream: s.membership(), Events: []domain.Event{domain.MemberJoined{
			UserID: s.actor, Email: domain.About(s.actor, "ann@example.org"), Name: domain.About(s.actor, "Ann"), Role: domain.Member,
		}},
	}}})
	return s
}

func (s *benchStore) membership() domain.StreamID { return domain.Stream(domain.MemberStream, s.actor) }

// append reports what fails and doesn't end the benchmark: it may be in any goroutine.
func (s *benchStore) append(b *testing.B, c eventstore.Commit) {
	c.Command, c.Actor = benchID[domain.CommandID](), s.actor
	if _, err := s.store.Append(b.Context(), c); err != nil {
		b.Error(err)
	}
}

// grow appends n events to a new task, one Commit each, guarded by the membership.
func (s *benchStore) grow(b *testing.B, n int) domain.StreamID {
	task := benchID[domain.TaskID]()
	stream := domain.Stream(domain.TaskStream, task)
	for v := range n {
		s.append(b, eventstore.Commit{
			Parts: []eventstore.Part{{Tenant: s.tenant, Stream: stream, Expected: v, Events: []domain.Event{domain.TaskUpdated{
				TaskID: task, OwnerID: s.actor, ProjectName: "Quay", Title: "Survey the foundations",
				Changes: []domain.Change{{Field: "status", From: []byte(`"todo"`), To: []byte(`"done"`)}},
			}}}},
			Guards: []eventstore.Guard{{Tenant: s.tenant, Stream: s.membership(), Version: 1}},
		})
	}
	return stream
}

func benchID[I ~[16]byte]() I { return I(uuid.Must(uuid.NewV7())) }

// BenchmarkAppend is one event a Commit: from one caller after the other, and from
// many at once, in one tenant.
func BenchmarkAppend(b *testing.B) {
	b.Run("callers=1", func(b *testing.B) {
		s := newBenchStore(b)
		b.ReportAllocs()
		for b.Loop() {
			s.grow(b, 1)
		}
	})
	b.Run("callers=64", func(b *testing.B) {
		s := newBenchStore(b)
		b.ReportAllocs()
		b.SetParallelism(64)
		b.ResetTimer()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				s.grow(b, 1)
			}
		})
	})
}

// BenchmarkLoad is what a command costs whose aggregate isn't in the cache.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run("events="+strconv.Itoa(n), func(b *testing.B) {
			s := newBenchStore(b)
			stream := s.grow(b, n)
			b.ReportAllocs()
			for b.Loop() {
				if events, err := tenanttest.Load(b.Context(), s.store, s.tenant, stream, 0); err != nil || len(events) != n {
					b.Fatal(len(events), err)
				}
			}
		})
	}
}
