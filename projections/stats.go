package projections

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"

	"github.com/jackc/pgx/v5"
)

// Stats are the numbers of a tenant's things. Deleted ones don't count, nor does
// what belongs to a deleted thing.
type Stats struct {
	Members int64
	// Projects and Tasks are by status; a status that nothing has isn't there.
	Projects map[domain.Status]int64
	Tasks    map[domain.TaskStatus]int64
	Comments int64
	// Head is the last seq of the log, and so the number of its events.
	Head int64
	// Subscriptions are those that have read of the log, and all read models, by name.
	Subscriptions []SubscriptionLag
}

// SubscriptionLag says how far a subscription has read a tenant's log.
type SubscriptionLag struct {
	Name string
	// Lag is the number of events that it hasn't read yet.
	Lag int64
}

// memberCountSQL counts the members of a tenant ($1).
var memberCountSQL = `select count(*) from members m where m.tenant_id = $1 and m.generation = ` + members.generation("$1")

// projectCountsSQL counts the projects of a tenant ($1) by status.
var projectCountsSQL = `select p.status, count(*) from projects p
where p.tenant_id = $1 and p.generation = ` + projects.generation("$1") + ` group by p.status`

// taskCountsSQL counts the tasks of a tenant ($1) by status.
var taskCountsSQL = `select t.status, count(*) from tasks t
where t.tenant_id = $1 and t.generation = ` + tasks.generation("$1") + ` and ` + inProject + ` group by t.status`

// commentCountSQL counts the comments of a tenant ($1).
var commentCountSQL = `select count(*) from comments c
where c.tenant_id = $1 and c.generation = ` + comments.generation("$1") + ` and ` + onTask

// Stats counts what a tenant has. It reads all of it: it is for an owner who
// looks now and then.
func (q *Queries) Stats(ctx context.Context, s domain.Scope, f Fresh) (Stats, error) {
	if err := q.await(ctx, s, f, members.Name, projects.Name, tasks.Name, comments.Name); err != nil {
		return Stats{}, err
	}
	var stats Stats
	positions := map[string]int64{}
	err := q.scoped(ctx, s, func(b *pgx.Batch) {
		t := s.Tenant().UUID()
		number := func(sql string, to *int64) {
			b.Queue(sql, t).QueryRow(func(row pgx.Row) error { return row.Scan(to) })
		}
		number(memberCountSQL, &stats.Members)
		b.Queue(projectCountsSQL, t).Query(counts(&stats.Projects))
		b.Queue(taskCountsSQL, t).Query(counts(&stats.Tasks))
		number(commentCountSQL, &stats.Comments)
		feed.Checkpoints{}.Positions(b, s.Tenant(), &positions)
		// After the positions, none of which is then beyond it.
		number(eventstore.HeadSQL, &stats.Head)
	})
	if err != nil {
		return Stats{}, fmt.Errorf("stats: %w", err)
	}
	stats.Subscriptions = lags(positions, stats.Head)
	return stats, nil
}

// counts reads rows of a name and a number.
func counts[K ~string](to *map[K]int64) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		*to = map[K]int64{}
		var (
			name string
			n    int64
		)
		_, err := pgx.ForEachRow(rows, []any{&name, &n}, func() error {
			(*to)[K(name)] = n
			return nil
		})
		return err
	}
}

// lags are how far subscriptions at these positions are behind the head. A read
// model that hasn't begun is all of the log behind.
func lags(positions map[string]int64, head int64) []SubscriptionLag {
	for _, name := range Models() {
		if _, begun := positions[name]; !begun {
			positions[name] = 0
		}
	}
	out := make([]SubscriptionLag, 0, len(positions))
	for name, seq := range positions {
		out = append(out, SubscriptionLag{Name: name, Lag: head - seq})
	}
	slices.SortFunc(out, func(a, b SubscriptionLag) int { return strings.Compare(a.Name, b.Name) })
	return out
}
