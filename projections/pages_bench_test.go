package projections

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"

	"github.com/jackc/pgx/v5"
)

// Pages of 100 events, folded into the rows of all read models in one transaction: tasks
// that are created, and comments on as many tasks. The last case has each comment on a
// task whose comments fill what is searched of them.
func BenchmarkPages(b *testing.B) {
	const events = 100
	sentence := "The login of AUTH-123 fails in Safari 17.2 when the cookie banner covers apply_secrets, see https://example.org/a/b for the trace. "
	for _, c := range []struct {
		name   string
		before int
	}{{"task.created", -1}, {"comment.created", 0}, {"comment.created_on_tasks_with_20", 20}, {"comment.created_on_full_tasks", 110}} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld(b)
			actor, project := tenanttest.NewID[domain.UserID](b), tenanttest.NewID[domain.ProjectID](b)
			tenant := tenanttest.NewID[domain.TenantID](b)
			var seq int64
			at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			record := func(stream domain.StreamID, e domain.Event) domain.Recorded {
				seq++
				at = at.Add(time.Second)
				return domain.Recorded{Tenant: tenant, Seq: seq, Stream: stream, Version: 1, Event: e, Actor: actor, At: at}
			}
			tasksPage := func() (ids []domain.TaskID, page []domain.Recorded) {
				for i := range events {
					id := tenanttest.NewID[domain.TaskID](b)
					ids = append(ids, id)
					page = append(page, record(domain.Stream(domain.TaskStream, id), domain.TaskCreated{
						TaskID: id, ProjectID: project, ProjectName: "Website", OwnerID: actor, Title: fmt.Sprint("Fix the login page, part ", i),
						Description: new(strings.Repeat(sentence, 2)), Priority: domain.Normal, Labels: []string{"backend", "bug"},
					}))
				}
				return ids, page
			}
			commentsPage := func(ids []domain.TaskID) (page []domain.Recorded) {
				for i, task := range ids {
					id := tenanttest.NewID[domain.CommentID](b)
					page = append(page, record(domain.Stream(domain.CommentStream, id), domain.CommentCreated{
						CommentID: id, TaskID: task, ProjectID: project, ProjectName: "Website", OwnerID: actor, Title: "Fix", Body: fmt.Sprint(sentence, i, seq),
					}))
				}
				return page
			}
			apply := func(page []domain.Recorded) {
				err := pgx.BeginFunc(b.Context(), w.Engine, func(tx pgx.Tx) error {
					for _, m := range ReadModels() {
						p := &feed.Page{Subscription: m.Name, Tenant: tenant, Generation: 1, Events: page, Tx: tx}
						if err := m.Apply(b.Context(), p); err != nil {
							return err
						}
						if err := p.Flush(b.Context()); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			apply([]domain.Recorded{record(domain.Stream(domain.ProjectStream, project), domain.ProjectCreated{
				ProjectID: project, Name: "Website", Visibility: domain.Private, OwnerID: actor,
			})})
			for b.Loop() {
				b.StopTimer()
				ids, page := tasksPage()
				if c.before >= 0 {
					apply(page)
					var earlier []domain.Recorded
					for range c.before {
						earlier = append(earlier, commentsPage(ids)...)
					}
					if c.before > 0 {
						apply(earlier)
					}
					page = commentsPage(ids)
				}
				b.StartTimer()
				apply(page)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*events), "µs/event")
		})
	}
}
