package projections

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"docket/domain"
	"docket/internal/tenanttest"
)

// pagesOf makes pages of one tenant's log.
type pagesOf struct {
	b       *testing.B
	tenant  domain.TenantID
	actor   domain.UserID
	project domain.ProjectID
	seq     int64
	at      time.Time
}

func newPages(b *testing.B) *pagesOf {
	return &pagesOf{
		b: b, tenant: tenanttest.NewID[domain.TenantID](b), actor: tenanttest.NewID[domain.UserID](b),
		project: tenanttest.NewID[domain.ProjectID](b), at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

const benchSentence = "The login of AUTH-123 fails in Safari 17.2 when the cookie banner covers apply_secrets, see https://example.org/a/b for the trace. "

func (p *pagesOf) record(stream domain.StreamID, e domain.Event) domain.Recorded {
	p.seq++
	p.at = p.at.Add(time.Second)
	return domain.Recorded{Tenant: p.tenant, Seq: p.seq, Stream: stream, Version: 1, Event: e, Actor: p.actor, At: p.at}
}

func (p *pagesOf) created() []domain.Recorded {
	return []domain.Recorded{p.record(domain.Stream(domain.ProjectStream, p.project), domain.ProjectCreated{
		ProjectID: p.project, Name: "Website", Visibility: domain.Private, OwnerID: p.actor,
	})}
}

// tasks is a page of tasks that are created.
func (p *pagesOf) tasks(n int) (ids []domain.TaskID, page []domain.Recorded) {
	if p.seq == 0 {
		page = p.created()
	}
	for i := range n {
		id := tenanttest.NewID[domain.TaskID](p.b)
		ids = append(ids, id)
		page = append(page, p.record(domain.Stream(domain.TaskStream, id), domain.TaskCreated{
			TaskID: id, ProjectID: p.project, ProjectName: "Website", OwnerID: p.actor, Title: fmt.Sprint("Fix the login page, part ", i),
			Description: new(strings.Repeat(benchSentence, 2)), Priority: domain.Normal, Labels: []string{"backend", "bug"},
		}))
	}
	return ids, page
}

// comments is a page of comments, one on each task.
func (p *pagesOf) comments(on []domain.TaskID) (page []domain.Recorded) {
	for i, task := range on {
		id := tenanttest.NewID[domain.CommentID](p.b)
		page = append(page, p.record(domain.Stream(domain.CommentStream, id), domain.CommentCreated{
			CommentID: id, TaskID: task, ProjectID: p.project, ProjectName: "Website", OwnerID: p.actor, Title: "Fix", Body: fmt.Sprint(benchSentence, i, p.seq),
		}))
	}
	return page
}

// Pages of 100 events, folded into the rows of all read models in one transaction: tasks
// that are created, and comments on as many tasks, which have none or 20 before.
func BenchmarkPages(b *testing.B) {
	for _, c := range []struct {
		name   string
		before int
	}{{"task.created", -1}, {"comment.created", 0}, {"comment.created_on_tasks_with_20", 20}} {
		b.Run(c.name, func(b *testing.B) {
			w, p := newWorld(b), newPages(b)
			apply := func(page []domain.Recorded) {
				if err := w.applyAll(b, ReadModels(), page); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				b.StopTimer()
				ids, page := p.tasks(100)
				if c.before >= 0 {
					apply(page)
					var earlier []domain.Recorded
					for range c.before {
						earlier = append(earlier, p.comments(ids)...)
					}
					if c.before > 0 {
						apply(earlier)
					}
					page = p.comments(ids)
				}
				b.StartTimer()
				apply(page)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*100), "µs/event")
		})
	}
}
