package projections

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore/feed"

	"github.com/jackc/pgx/v5"
)

// What was added to the fold of a page of 100 events, measured in turns against the fold
// without it: the indexes of the activity log by project and by action, and the documents
// of comments. The ratio is that of the medians.
func BenchmarkAddedCost(b *testing.B) {
	indexes := `drop index activity_by_action, activity_by_project`
	all := ReadModels()
	only := func(name string) []ReadModel {
		return slices.DeleteFunc(slices.Clone(all), func(m ReadModel) bool { return m.Name != name })
	}
	but := func(name string) []ReadModel {
		return slices.DeleteFunc(slices.Clone(all), func(m ReadModel) bool { return m.Name == name })
	}
	for _, c := range []struct {
		name          string
		drop          string // what the database without it lacks
		before, after []ReadModel
		comments      bool
	}{
		{"activity_indexes_in_the_activity_log", indexes, only("activity"), only("activity"), false},
		{"activity_indexes_in_all_read_models", indexes, all, all, false},
		{"documents_of_comments_in_all_read_models", "", but("search"), all, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			worlds := []*world{newWorld(b), newWorld(b)}
			if c.drop != "" {
				if _, err := worlds[0].DB.Owner(b).Exec(b.Context(), c.drop); err != nil {
					b.Fatal(err)
				}
			}
			p := newPages(b)
			apply := func(w *world, models []ReadModel, page []domain.Recorded) time.Duration {
				begin := time.Now()
				if err := w.applyAll(b, models, page); err != nil {
					b.Fatal(err)
				}
				return time.Since(begin)
			}
			var took [2][]time.Duration
			for i := 0; b.Loop(); i++ {
				ids, page := p.tasks(100)
				if c.comments {
					for _, w := range worlds {
						apply(w, all, page)
					}
					page = p.comments(ids)
				}
				for k := range worlds { // by turns, and who begins, too
					k = (k + i) % 2
					models := [][]ReadModel{c.before, c.after}[k]
					took[k] = append(took[k], apply(worlds[k], models, page))
				}
			}
			median := func(k int) float64 {
				slices.Sort(took[k])
				return float64(took[k][len(took[k])/2].Microseconds()) / 100
			}
			b.ReportMetric(median(0), "before-µs/event")
			b.ReportMetric(median(1), "after-µs/event")
			b.ReportMetric(median(1)/median(0), "ratio")
		})
	}
}

// applyAll folds a page into the rows of some read models, in one transaction.
func (w *world) applyAll(b *testing.B, models []ReadModel, page []domain.Recorded) error {
	return pgx.BeginFunc(b.Context(), w.Engine, func(tx pgx.Tx) error {
		for _, m := range models {
			p := &feed.Page{Subscription: m.Name, Tenant: page[0].Tenant, Generation: 1, Events: page, Tx: tx}
			if err := m.Apply(b.Context(), p); err != nil {
				return fmt.Errorf("%s: %w", m.Name, err)
			}
			if err := p.Flush(b.Context()); err != nil {
				return err
			}
		}
		return nil
	})
}
