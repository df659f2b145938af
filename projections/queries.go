package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Queries answers reads, as the api role and in one round trip each. Its methods
// may be called from any goroutine.
//
// Each takes a domain.Scope, whose membership is looked at again together with
// the query; where it has moved, the error is domain.ErrScopeStale and the
// caller admits again. What another tenant has isn't there: domain.NotFound. While
// Postgres is away the error is domain.CodeOverloaded.
type Queries struct {
	// OwnWait and MinWait are how long reads wait (Fresh); NewQueries sets the
	// contract's. Tests, which run on machines of any speed, wait longer.
	OwnWait, MinWait time.Duration
	// AsOfTime is how long reads of the past may take; NewQueries sets it.
	AsOfTime time.Duration

	api      *pgxpool.Pool
	progress *feed.Positions
	// pastLists and pastSingles are the reads of the past that are under way: single things,
	// which take little, don't wait for lists.
	pastLists, pastSingles *shares
	// asOfPage and asOfStreams are as the constants; tests make them small.
	asOfPage    int64
	asOfStreams int
}

// NewQueries makes Queries over a pool of the api role, which stays the caller's
// to close. progress says how far the subscriptions are; it may be nil where no
// read asks for anything by Fresh.
func NewQueries(api *pgxpool.Pool, progress *feed.Positions) *Queries {
	return &Queries{
		OwnWait: OwnWait, MinWait: MinWait, AsOfTime: AsOfTime,
		api: api, progress: progress, asOfPage: asOfPage, asOfStreams: asOfStreams,
		pastLists: newShares(asOfAtOnce, asOfTenant), pastSingles: newShares(asOfAtOnce, asOfTenant),
	}
}

// scopeSQL limits what the api role sees to one tenant ($1) until the end of the
// batch, which is one transaction.
const scopeSQL = `select set_config('docket.tenant', $1, true)`

// probeSQL is the version of the stream ($2) of a membership in a tenant ($1).
const probeSQL = `select e.version from events e where e.tenant_id = $1 and e.stream_id = $2
order by e.version desc limit 1`

// scoped runs queries in one round trip and one tenant, together with the probe
// of the caller's membership. Nothing of the answers may be used if it fails.
func (q *Queries) scoped(ctx context.Context, s domain.Scope, queue func(*pgx.Batch)) error {
	if !s.Operator() && s.MembershipVersion() == 0 { // the zero Scope, which nobody was given
		return domain.TenantAccessDenied()
	}
	var version int
	err := q.inTenant(ctx, s.Tenant(), func(b *pgx.Batch) {
		if !s.Operator() {
			b.Queue(probeSQL, s.Tenant().UUID(), s.Actor().ID.UUID()).QueryRow(func(row pgx.Row) error {
				return row.Scan(&version)
			})
		}
		queue(b)
	})
	if err == nil && !s.Operator() && version != s.MembershipVersion() {
		return domain.ErrScopeStale
	}
	return err
}

// inTenant runs queries in one round trip that sees one tenant. Errors:
// domain.CodeOverloaded where Postgres is away.
func (q *Queries) inTenant(ctx context.Context, t domain.TenantID, queue func(*pgx.Batch)) error {
	b := &pgx.Batch{}
	b.Queue(scopeSQL, t.String())
	queue(b)
	return eventstore.Unreachable(q.api.SendBatch(ctx, b).Close())
}

// one answers a query of at most one row, or domain.NotFound(what).
func one[R any](ctx context.Context, q *Queries, s domain.Scope, what string, scan pgx.RowToFunc[R], sql string, args ...any) (R, error) {
	var (
		r     R
		found bool
	)
	err := q.scoped(ctx, s, func(b *pgx.Batch) {
		b.Queue(sql, args...).Query(func(rows pgx.Rows) error {
			var err error
			r, err = pgx.CollectExactlyOneRow(rows, scan)
			found = err == nil
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		})
	})
	var zero R
	switch {
	case err != nil:
		return zero, fmt.Errorf("read %s: %w", what, err)
	case !found:
		return zero, domain.NotFound(what)
	}
	return r, nil
}
