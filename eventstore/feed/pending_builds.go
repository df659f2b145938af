package feed

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrNotNeeded says that the live generation is complete, and that the caller's fold
// version or a newer one fills it.
var ErrNotNeeded = errors.New("the live generation needs no build")

// PendingBuild is a subscription of a tenant whose live generation has to be rebuilt.
type PendingBuild struct {
	Tenant       domain.TenantID
	Subscription string
	// Head is the last seq of the tenant's log.
	Head int64
}

// pendingBuildsSQL finds, of some subscriptions ($1) with the versions of their folds ($2),
// the tenants whose live generation is outdated, or was never complete and lacks at least
// so many events ($3).
const pendingBuildsSQL = pendingBuildsSelectSQL + `cross join tenant_logs t` + pendingBuildsJoinSQL

// pendingBuildsSomeSQL is pendingBuildsSQL for some tenants ($4). It reads only their rows.
const pendingBuildsSomeSQL = pendingBuildsSelectSQL + `cross join unnest($4::uuid[]) as t (tenant_id)` + pendingBuildsJoinSQL

const pendingBuildsSelectSQL = `select t.tenant_id, m.name,
  coalesce((select e.seq from events e where e.tenant_id = t.tenant_id order by e.seq desc limit 1), 0)
from unnest($1::text[], $2::integer[]) as m (name, version)
`

const pendingBuildsJoinSQL = `
left join generations g on g.tenant_id = t.tenant_id and g.subscription = m.name
left join checkpoints c on c.tenant_id = t.tenant_id and c.subscription = m.name and c.generation = coalesce(g.current, 1)
cross join lateral (select case when c.tenant_id is null then m.version else coalesce(c.fold_version, 1) end as version) live
where live.version < m.version
  or live.version = m.version
    and not coalesce(c.complete, not exists (select from subscriptions s where s.name = m.name
      and s.since > (select e.occurred_at from events e where e.tenant_id = t.tenant_id and e.seq = 1)))
    and coalesce((select e.seq from events e where e.tenant_id = t.tenant_id order by e.seq desc limit 1), 0) - coalesce(c.seq, 0) >= $3`

// PendingBuilds lists the builds that are needed for these fold versions of subscriptions,
// the shortest logs first and those of one tenant together. It reads all checkpoints, with
// the engine role, and no log. It leaves out tenants with unreadable data.
func PendingBuilds(ctx context.Context, engine *pgxpool.Pool, foldVersions map[string]int) ([]PendingBuild, error) {
	names := slices.Sorted(maps.Keys(foldVersions))
	versions := make([]int32, len(names))
	for i, name := range names {
		versions[i] = int32(foldVersions[name])
	}
	var needs []PendingBuild
	ask := func(sql string, args ...any) error {
		ctx, cancel := context.WithTimeout(ctx, sweepTimeout) // it reads as much as a sweep
		defer cancel()
		rows, err := engine.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		more, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (n PendingBuild, err error) {
			err = row.Scan((*uuid.UUID)(&n.Tenant), &n.Subscription, &n.Head)
			return n, err
		})
		if err == nil {
			needs = append(needs, more...)
		}
		return err
	}
	err := ask(pendingBuildsSQL, names, versions, LongLog)
	if unreadable(err) {
		var tenants []domain.TenantID
		if tenants, err = Logs(ctx, engine); err == nil {
			_, err = bisect(tenants, func(some []domain.TenantID) error { return ask(pendingBuildsSomeSQL, names, versions, LongLog, some) })
		}
	}
	if err != nil {
		return nil, fmt.Errorf("find pending builds: %w", err)
	}
	slices.SortFunc(needs, func(a, b PendingBuild) int {
		return cmp.Or(cmp.Compare(a.Head, b.Head), bytes.Compare(a.Tenant[:], b.Tenant[:]), cmp.Compare(a.Subscription, b.Subscription))
	})
	return needs, nil
}

// buildPendingSQL reads whether the live generation of a subscription ($1) in a tenant ($2) is
// older than a fold version ($3), or of that version and was never complete.
const buildPendingSQL = `select case
    when c.tenant_id is null then not ` + followedSQL + `
    when coalesce(c.fold_version, 1) = $3 then not c.complete
    else coalesce(c.fold_version, 1) < $3 end
from (select coalesce((select g.current from generations g where g.tenant_id = $2 and g.subscription = $1), 1) as generation) live
left join checkpoints c on c.tenant_id = $2 and c.subscription = $1 and c.generation = live.generation`

// Supersede is Start for a caller that builds only what PendingBuilds finds. It starts no
// build that isn't needed any more, and none that would replace a newer fold's rows by an
// older one's. Once it has begun no other process can switch.
//
// Errors: as Start, and ErrNotNeeded.
func (b *Builds) Supersede(ctx context.Context, subscription string, foldVersion int) (*Build, error) {
	return b.start(ctx, subscription, foldVersion, func(ctx context.Context, tx pgx.Tx) error {
		var needed bool
		if err := tx.QueryRow(ctx, buildPendingSQL, subscription, b.tenant.UUID(), foldVersion).Scan(&needed); err != nil {
			return err
		}
		if !needed {
			return ErrNotNeeded
		}
		return nil
	})
}
