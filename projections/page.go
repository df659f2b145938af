package projections

import (
	"context"
	"fmt"
	"strings"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

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

// timeKey writes a time as Postgres reads it, with all its microseconds.
func timeKey(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }

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
	var items []R
	err := q.scoped(ctx, s, func(b *pgx.Batch) {
		if also != nil {
			also(b)
		}
		b.Queue(sql, args...).Query(into(&items, scan))
	})
	if err != nil {
		return nil, nil, fmt.Errorf("list %s: %w", what, err)
	}
	items, next := paged(items, p.limit(), key)
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
