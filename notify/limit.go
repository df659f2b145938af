package notify

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Limits are how many messages of one channel a tenant may send to one recipient, over all
// replicas: in an hour of the clock, and in 24 of them. 0 is no limit. What exceeds them
// is recorded as capped and isn't sent; the inbox has it.
type Limits struct{ Hour, Day int }

// countSQL counts a message to each user of $3 below the limits ($4 in this hour, $5 in
// 24) of a tenant ($1) and channel ($2). It returns these users and the hour. The row's
// lock makes it exact over all replicas. It deletes what no limit reads any more.
const countSQL = `with this as (select date_trunc('hour', statement_timestamp(), 'UTC') as hour
), old as (
  delete from delivery_counts c using this
  where c.tenant_id = $1 and c.channel = $2 and c.user_id = any($3::uuid[]) and c.hour <= this.hour - interval '24 hours'
), asked as (
  select u.id, (select coalesce(sum(c.sent), 0) from delivery_counts c, this
    where c.tenant_id = $1 and c.user_id = u.id and c.channel = $2
      and c.hour > this.hour - interval '24 hours' and c.hour < this.hour) as before
  from unnest($3::uuid[]) as u (id)
)
insert into delivery_counts as k (tenant_id, user_id, channel, hour, sent)
select $1, a.id, $2, this.hour, 1 from asked a, this where a.before < $5 order by a.id
on conflict on constraint delivery_counts_pk do update set sent = k.sent + 1
  where k.sent < $4 and k.sent + (select a.before from asked a where a.id = k.user_id) < $5
returning k.user_id, k.hour`

// uncountSQL takes back the count of messages of a tenant ($1) and channel ($2) to users
// ($3) in an hour ($4).
const uncountSQL = `update delivery_counts set sent = sent - 1
where tenant_id = $1 and channel = $2 and user_id = any($3::uuid[]) and hour = $4`

// count counts the first attempts at deliveries, and returns those that may be sent. The
// others are capped. A later attempt was counted with the first.
func (l Limits) count(ctx context.Context, pool *pgxpool.Pool, a *attempt, list []*delivery) ([]*delivery, error) {
	var first []uuid.UUID
	for _, d := range list {
		if d.number == 1 {
			first = append(first, d.user)
		}
	}
	if l == (Limits{}) || len(first) == 0 {
		return list, nil
	}
	slices.SortFunc(first, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	none := math.MaxInt32
	rows, err := pool.Query(ctx, countSQL, a.tenant, a.channel, slices.Compact(first), cmp.Or(l.Hour, none), cmp.Or(l.Day, none))
	if err != nil {
		return nil, fmt.Errorf("count messages: %w", err)
	}
	var (
		user uuid.UUID
		hour time.Time
	)
	counted := map[uuid.UUID]time.Time{}
	if _, err := pgx.ForEachRow(rows, []any{&user, &hour}, func() error { counted[user] = hour; return nil }); err != nil {
		return nil, fmt.Errorf("count messages: %w", err)
	}
	var out []*delivery
	for _, d := range list {
		if d.number > 1 {
			out = append(out, d)
			continue
		}
		hour, ok := counted[d.user]
		if !ok {
			d.outcome = &outcome{state: capped, problem: "the recipient has had as many messages as the server's operator allows; it is in the inbox"}
			continue
		}
		d.counted = &hour
		out = append(out, d)
	}
	return out, nil
}

// queueUncounted takes back the counts of what was given back.
func (a *attempt) queueUncounted(b *pgx.Batch) {
	var users []uuid.UUID
	var hour *time.Time
	for _, d := range a.deliveries {
		if d.counted != nil && d.outcome.givenBack && !slices.Contains(users, d.user) {
			users, hour = append(users, d.user), d.counted
		}
	}
	if hour != nil {
		b.Queue(uncountSQL, a.tenant, a.channel, users, *hour)
	}
}
