package projections

import (
	"slices"

	"github.com/jackc/pgx/v5"
)

// listBytes is the size of stored rows at which a page ends before its limit: 200 of the
// largest rows, or events, would take 10 MB for each request, and as much again as JSON.
const listBytes = 1 << 20

// pageRows collects the rows of a page, whose statement has a limit one higher than the
// page's.
type pageRows[R any] struct {
	items []R
	bytes int
	// full says that rows were left out because of listBytes.
	full bool
}

// into collects a query's rows.
func (p *pageRows[R]) into(scan pgx.RowToFunc[R]) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		p.items = []R{} // never nil
		for rows.Next() && p.room(rows) {
			item, err := scan(rows)
			if err != nil {
				return err
			}
			p.items = append(p.items, item)
		}
		rows.Close()
		return rows.Err()
	}
}

// room reports whether the page takes one more row. The first always has room.
func (p *pageRows[R]) room(rows pgx.Rows) bool {
	for _, value := range rows.RawValues() {
		p.bytes += len(value)
	}
	p.full = p.bytes > listBytes && len(p.items) > 0
	return !p.full
}

// cut is the page's items, and whether others follow.
func (p *pageRows[R]) cut(limit int) (items []R, more bool) {
	n := limited(limit)
	return slices.Clip(p.items[:min(n, len(p.items))]), p.full || len(p.items) > n
}

// page is cut with the place where the next page begins, nil if nothing follows.
func (p *pageRows[R]) page(limit int, key func(R) Keyset) ([]R, *Keyset) {
	items, more := p.cut(limit)
	if !more {
		return items, nil
	}
	next := key(items[len(items)-1])
	return items, &next
}
