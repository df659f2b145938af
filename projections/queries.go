package projections

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"

	"github.com/google/uuid"
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

	api       *pgxpool.Pool
	positions *feed.Positions
	// pastLists and pastSingles are the reads of the past that are under way: single things,
	// which take little, don't wait for lists.
	pastLists, pastSingles *fairSemaphore
	// asOfPage and asOfStreams are as the constants; tests make them small.
	asOfPage    int64
	asOfStreams int
}

// NewQueries makes Queries over a pool of the api role, which stays the caller's
// to close. positions says how far the subscriptions are; it may be nil where no
// read asks for anything by Fresh.
func NewQueries(api *pgxpool.Pool, positions *feed.Positions) *Queries {
	return &Queries{
		OwnWait: OwnWait, MinWait: MinWait, AsOfTime: AsOfTime,
		api: api, positions: positions, asOfPage: asOfPage, asOfStreams: asOfStreams,
		pastLists: newFairSemaphore(asOfAtOnce, asOfTenant), pastSingles: newFairSemaphore(asOfAtOnce, asOfTenant),
	}
}

// scoped runs queries in one round trip and one tenant, together with the probe
// of the caller's membership. Nothing of the answers may be used if it fails.
func (q *Queries) scoped(ctx context.Context, s domain.Scope, queue func(*pgx.Batch)) error {
	if !s.Operator() && s.MembershipVersion() == 0 { // the zero Scope, which no admission returns
		return domain.TenantAccessDenied()
	}
	var version int
	err := q.inTenant(ctx, s.Tenant(), func(b *pgx.Batch) {
		if !s.Operator() {
			b.Queue(eventstore.VersionSQL, s.Tenant().UUID(), s.Actor().ID.UUID()).QueryRow(func(row pgx.Row) error {
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

// inTenant runs queries in one round trip, which is one transaction and sees one tenant. Errors:
// domain.CodeOverloaded where Postgres is away.
func (q *Queries) inTenant(ctx context.Context, t domain.TenantID, queue func(*pgx.Batch)) error {
	b := &pgx.Batch{}
	b.Queue(eventstore.ScopeSQL, t.String())
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

// Limits of a page, in items.
const (
	DefaultLimit = 50
	MaxLimit     = 1000
)

// Page asks for a part of a list. The zero value is its beginning.
type Page struct {
	// Limit is how many items at most: DefaultLimit if 0, MaxLimit if more.
	Limit int
	// After is where the page before ended: what the query gave for next. It must
	// be from the same query with the same filter and order.
	After *Keyset
}

// Keyset is a place in an ordered list: the sort value of an item and its id.
// It stays a place when the item is gone. Its JSON form is exact.
type Keyset struct {
	Value string    `json:"v"`
	ID    uuid.UUID `json:"id"`
}

func (p Page) limit() int { return limited(p.Limit) }

func limited(n int) int {
	if n <= 0 {
		return DefaultLimit
	}
	return min(n, MaxLimit)
}

// after is the keyset from which to read on; start where the list begins.
func (p Page) after(start Keyset) Keyset {
	if p.After == nil {
		return start
	}
	return *p.After
}

// The ends of ordered lists: no item stands before the first two in ascending
// or the last two in descending order. A page from the beginning is thus the same
// statement as any other, and its row comparison an index condition.
var (
	firstTime = Keyset{Value: "-infinity"}
	firstText = Keyset{Value: ""}
	lastTime  = Keyset{Value: "infinity", ID: uuid.Max}
	// Names are shorter and sort by code point, of which this is the last.
	lastText = Keyset{Value: strings.Repeat("\U0010FFFF", domain.MaxName+1), ID: uuid.Max}
)

// timeKey writes a time as Postgres reads it, with all its microseconds. RFC 3339 has a year
// 0, Postgres has none: a time before the year 1 is before all there is.
func timeKey(at time.Time) string {
	if at = at.UTC(); at.Year() < 1 {
		return firstTime.Value
	}
	return at.Format(time.RFC3339Nano)
}

// paged cuts what was read with a limit one higher than the page's: the items of
// the page, and where the next begins, nil if nothing is left.
func paged[R any](items []R, limit int, key func(R) Keyset) ([]R, *Keyset) {
	if len(items) <= limit {
		return items, nil
	}
	next := key(items[limit-1])
	return items[:limit], &next
}

// list answers a query of a page: its items (never nil) and the keyset of the next
// page. also may queue further queries on the same snapshot of the membership.
func list[R any](ctx context.Context, q *Queries, s domain.Scope, what string, p Page, scan pgx.RowToFunc[R],
	key func(R) Keyset, also func(*pgx.Batch), sql string, args ...any,
) ([]R, *Keyset, error) {
	var rows pageRows[R]
	err := q.scoped(ctx, s, func(b *pgx.Batch) {
		if also != nil {
			also(b)
		}
		b.Queue(sql, args...).Query(rows.into(scan))
	})
	if err != nil {
		return nil, nil, fmt.Errorf("list %s: %w", what, err)
	}
	items, next := rows.page(p.limit(), key)
	return items, next, nil
}

// into collects a query's rows.
func into[R any](items *[]R, scan pgx.RowToFunc[R]) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var err error
		*items, err = pgx.CollectRows(rows, scan)
		return err
	}
}

// optional is a parameter that is null where a filter asks for nothing.
func optional[T ~string](v *T) *string {
	if v == nil {
		return nil
	}
	s := string(*v)
	return &s
}

// optionalUUID is optional for ids.
func optionalUUID[K any](v *domain.ID[K]) *uuid.UUID {
	if v == nil {
		return nil
	}
	u := v.UUID()
	return &u
}
