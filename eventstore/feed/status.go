package feed

import (
	"context"
	"fmt"
	"slices"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Status is the state of a subscription over all tenants.
type Status struct {
	Subscription string
	// Tenants is the number of logs, the platform's included.
	Tenants int
	// BehindTenants is the number of logs that aren't handled to the end, and Behind the
	// number of events left in them.
	BehindTenants int
	Behind        int64
	// Lag is the age of the oldest event left, by the database's clock. For an event that
	// can't be read it is the time since it failed first.
	Lag time.Duration
	// Generations are the live ones, ascending.
	Generations []Generation
	// Ahead are in the order of the tenants' ids.
	Ahead []Ahead
	// Parked and Skips are in the order of the tenants' ids and of the events.
	Parked []Parked
	Skips  []Skip
	// Running are the generations that are being built, in the order of the tenants' ids.
	Running []RunningBuild
	// FailedBuilds are those whose last try in the background failed, in that order too.
	FailedBuilds []FailedBuild
}

// Ahead is a checkpoint that is ahead of its log, which has lost events.
type Ahead struct {
	Tenant       domain.TenantID
	Subscription string
	// Seq is the checkpoint's, and Head the log's last. They are equal where a server has
	// brought the checkpoint back, and the rows wait for a rebuild.
	Seq, Head int64
	// Text describes the checkpoint to an operator.
	Text string
}

// FailedBuild is a generation whose build in the background failed. The old one stays live,
// and the build is retried.
type FailedBuild struct {
	Tenant       domain.TenantID
	Subscription string
	Generation   int
	FoldVersion  int
	// Seq is the last event folded, and Head the log's last.
	Seq, Head int64
	// Attempts is the number of failures since Seq. Since is the time of the first one, and
	// Error the reason of the last one.
	Attempts int
	Since    time.Time
	Error    string
}

// RunningBuild is a generation that a process builds now.
type RunningBuild struct {
	Tenant       domain.TenantID
	Subscription string
	Generation   int
	FoldVersion  int
	// Seq is the last event folded, and Head the log's last.
	Seq, Head int64
	// By is the name of that process, and Since the time when it began.
	By    string
	Since time.Time
}

// Generation is one that is live in some tenants.
type Generation struct {
	Number int
	// FoldVersion is that of the fold which fills it: 1 for a subscription without folds, 0
	// where there is no checkpoint yet.
	FoldVersion int
	Tenants     int
}

// Skip is an event that a subscription leaves out.
type Skip struct {
	Tenant       domain.TenantID
	Subscription string
	Seq          int64
	// Recorded is the seq of the event that records the skip.
	Recorded int64
	At       time.Time
	// Operator and Reason are those in that event.
	Operator, Reason string
}

// statusSQL reads the state of a subscription ($1) in each tenant: the generation and its
// fold version, the number of events left, and the age of the next one in seconds. For a
// parked one it also reads the failures, the first failure, the retry time and the error.
// The last column tells how far the checkpoint is ahead of the log.
// Without $2 it doesn't read failed events; their age is then the time since they failed.
const statusSQL = `select t.tenant_id, coalesce(g.current, 1), case when c.tenant_id is null then 0 else coalesce(c.fold_version, 1) end, coalesce(c.seq, 0),
  greatest(head.seq - coalesce(c.seq, 0), 0), coalesce(extract(epoch from clock_timestamp() - coalesce(next.occurred_at, c.failed_at)), 0)::float8,
  coalesce(c.failures, 0), c.failed_at, c.retry_at, coalesce(c.error, ''), greatest(coalesce(c.seq, 0) - head.seq, 0)
from tenant_logs t
left join generations g on g.tenant_id = t.tenant_id and g.subscription = $1
left join checkpoints c on c.tenant_id = t.tenant_id and c.subscription = $1 and c.generation = coalesce(g.current, 1)
cross join lateral (
  select coalesce((select e.seq from events e where e.tenant_id = t.tenant_id order by e.seq desc limit 1), 0) as seq,
    case when $2 or coalesce(c.failures, 0) = 0 then coalesce(c.seq, 0) + 1 end as next offset 0) head
left join lateral (select e.occurred_at from events e where e.tenant_id = t.tenant_id and e.seq = head.next limit 1) next on true
order by t.tenant_id`

// skipsSQL lists the events that a subscription ($1) leaves out, with the operator and the
// reason from the events that record it.
const skipsSQL = `select t.tenant_id, s.seq, s.recorded, s.skipped_at, coalesce(e.data ->> 'operator', ''), coalesce(e.data ->> 'reason', '')
from tenant_logs t
join skips s on s.tenant_id = t.tenant_id and s.subscription = $1
left join events e on e.tenant_id = s.tenant_id and e.seq = s.recorded
order by t.tenant_id, s.seq`

// runningBuildsSQL lists the generations of a subscription ($1) above the live one that a
// process has begun while the lock is held (guardSQL).
const runningBuildsSQL = `select c.tenant_id, c.generation, coalesce(c.fold_version, 1), c.seq,
  coalesce((select e.seq from events e where e.tenant_id = c.tenant_id order by e.seq desc limit 1), 0),
  coalesce(c.built_by, ''), coalesce(c.built_since, c.advanced_at)
from (select distinct on (b.tenant_id) b.* from tenant_logs t
  join checkpoints b on b.tenant_id = t.tenant_id and b.subscription = $1
  where b.built_since is not null
    and b.generation > coalesce((select g.current from generations g where g.tenant_id = b.tenant_id and g.subscription = $1), 1)
  order by b.tenant_id, b.built_since desc) c
cross join lateral (select hashtextextended('docket build ' || $1::text || ' ' || c.tenant_id::text, 0) as key) k
where exists (select from pg_locks l where l.locktype = 'advisory' and l.granted and l.objsubid = 1
  and l.database = (select d.oid from pg_database d where d.datname = current_database())
  and l.classid::bigint = (k.key >> 32) & 4294967295 and l.objid::bigint = k.key & 4294967295)
order by c.tenant_id`

// failedBuildsSQL lists the builds of a subscription ($1) whose last try failed, without
// abandoned ones.
const failedBuildsSQL = `select c.tenant_id, c.generation, c.fold_version, c.seq,
  coalesce((select e.seq from events e where e.tenant_id = c.tenant_id order by e.seq desc limit 1), 0),
  c.failures, c.failed_at, c.error
from tenant_logs t
join checkpoints c on c.tenant_id = t.tenant_id and c.subscription = $1
where c.error is not null and c.failed_at is not null and c.fold_version is not null
  and c.generation > coalesce((select g.current from generations g where g.tenant_id = c.tenant_id and g.subscription = $1), 1)
order by t.tenant_id, c.generation`

// StatusOf reads the Status of a subscription with the engine role. It looks at each log's
// end and at each checkpoint, and reads no log. It keeps only parked tenants, skips and
// builds in memory.
func StatusOf(ctx context.Context, engine *pgxpool.Pool, subscription string) (Status, error) {
	s := Status{Subscription: subscription}
	err := s.ask(ctx, engine, true)
	if unreadable(err) {
		s = Status{Subscription: subscription}
		err = s.ask(ctx, engine, false)
	}
	if err != nil {
		return s, fmt.Errorf("checkpoint of %s: %w", subscription, err)
	}
	s.Skips, err = listed(ctx, engine, skipsSQL, subscription, func(row pgx.CollectableRow) (Skip, error) {
		k := Skip{Subscription: subscription}
		err := row.Scan((*uuid.UUID)(&k.Tenant), &k.Seq, &k.Recorded, &k.At, &k.Operator, &k.Reason)
		return k, err
	})
	if err != nil {
		return s, fmt.Errorf("skips of %s: %w", subscription, err)
	}
	s.Running, err = listed(ctx, engine, runningBuildsSQL, subscription, func(row pgx.CollectableRow) (RunningBuild, error) {
		b := RunningBuild{Subscription: subscription}
		err := row.Scan((*uuid.UUID)(&b.Tenant), &b.Generation, &b.FoldVersion, &b.Seq, &b.Head, &b.By, &b.Since)
		return b, err
	})
	if err != nil {
		return s, fmt.Errorf("builds of %s: %w", subscription, err)
	}
	s.FailedBuilds, err = listed(ctx, engine, failedBuildsSQL, subscription, func(row pgx.CollectableRow) (FailedBuild, error) {
		b := FailedBuild{Subscription: subscription}
		err := row.Scan((*uuid.UUID)(&b.Tenant), &b.Generation, &b.FoldVersion, &b.Seq, &b.Head, &b.Attempts, &b.Since, &b.Error)
		return b, err
	})
	if err != nil {
		return s, fmt.Errorf("failed builds of %s: %w", subscription, err)
	}
	return s, nil
}

// listed runs a statement for a subscription and collects its rows.
func listed[T any](ctx context.Context, engine *pgxpool.Pool, sql, subscription string, scan pgx.RowToFunc[T]) ([]T, error) {
	rows, err := engine.Query(ctx, sql, subscription)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// ask runs statusSQL, which reads failed events only if failed is true.
func (s *Status) ask(ctx context.Context, engine *pgxpool.Pool, failed bool) error {
	rows, err := engine.Query(ctx, statusSQL, s.Subscription, failed)
	if err != nil {
		return err
	}
	var (
		id              uuid.UUID
		g               Generation
		seq, left, lost int64
		age             float64
		failures        int
		failedAt, retry *time.Time
		why             string
		tenantsOf       = map[Generation]int{}
		targets         = []any{&id, &g.Number, &g.FoldVersion, &seq, &left, &age, &failures, &failedAt, &retry, &why, &lost}
	)
	_, err = pgx.ForEachRow(rows, targets, func() error {
		s.Tenants++
		tenantsOf[g]++
		if left > 0 {
			s.BehindTenants++
			s.Behind += left
			s.Lag = max(s.Lag, time.Duration(age*float64(time.Second)))
		}
		if lost > 0 {
			why = fmt.Sprintf("at event %d of a log that ends at %d", seq, seq-lost)
		}
		if lost > 0 || g.FoldVersion < 0 {
			s.Ahead = append(s.Ahead, Ahead{Tenant: domain.TenantID(id), Subscription: s.Subscription, Seq: seq, Head: seq - lost, Text: why})
		}
		if retry != nil {
			p := Parked{Tenant: domain.TenantID(id), Subscription: s.Subscription, Seq: seq + 1, Attempts: failures, RetryAt: *retry, Error: why}
			if failedAt != nil {
				p.Since = *failedAt
			}
			s.Parked = append(s.Parked, p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for g, n := range tenantsOf {
		g.Tenants = n
		s.Generations = append(s.Generations, g)
	}
	slices.SortFunc(s.Generations, func(a, b Generation) int {
		if a.Number != b.Number {
			return a.Number - b.Number
		}
		return a.FoldVersion - b.FoldVersion
	})
	return nil
}
