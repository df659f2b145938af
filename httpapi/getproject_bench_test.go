package httpapi

import (
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"

	"docket/domain"
	"docket/projections"

	jsonv2 "github.com/go-json-experiment/json"
)

// An authenticated get of a project, whole and by its layers. The query has what names the
// tenant to row-level security in its batch: they are one round trip. A known token is
// looked up, a new one is verified.
func BenchmarkGetProject(b *testing.B) {
	w := newWorld(b)
	c := w.company("acme", "Acme")
	owner := c.as(domain.Owner)
	p := owner.project("Website")
	w.checkpointed()
	ctx := b.Context()
	s := w.server
	identity, err := s.tokens.Verify(ctx, owner.token)
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	req := owner.request("GET", "/v1/projects/"+p.ID.String(), "")
	run("whole", func() error {
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, req)
		if rec.Code != 200 {
			b.Fatal(rec.Code, rec.Body)
		}
		return nil
	})
	b.Run("token, new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			token, _, err := s.tokens.Issue(owner.id, uuid.New())
			b.StartTimer()
			if _, err2 := s.tokens.Verify(ctx, token); err != nil || err2 != nil {
				b.Fatal(err, err2)
			}
		}
	})
	run("token, known", func() error {
		_, err := s.tokens.Verify(ctx, owner.token)
		return err
	})
	run("session", func() error { return s.sessions.Check(ctx, identity.Session, identity.User) })
	run("tenant and membership", func() error {
		_, err := s.commands.Admit(ctx, c.id, owner.id, false)
		return err
	})
	scope, err := s.commands.Admit(ctx, c.id, owner.id, false)
	if err != nil {
		b.Fatal(err)
	}
	run("row-level security and query", func() error {
		_, err := s.queries.Project(ctx, scope, p.ID, projections.Fresh{})
		return err
	})
	project, err := s.queries.Project(ctx, scope, p.ID, projections.Fresh{})
	if err != nil {
		b.Fatal(err)
	}
	run("encoding", func() error {
		_, err := jsonv2.Marshal(renderProject(project))
		return err
	})
}
