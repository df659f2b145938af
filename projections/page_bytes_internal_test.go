package projections

import (
	"testing"

	"docket/internal/tenanttest"

	"github.com/jackc/pgx/v5"
)

// A page of large rows ends before its limit, and says that others follow; from there on
// the next pages have every other row, each once. A row that is larger than a page is a
// page.
func TestPagesAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	env := tenanttest.New(t)
	for _, c := range []struct {
		bytes, limit, want int // the items of the first page
	}{
		{10, 50, 50},
		{100_000, 50, 10},
		{100_000, 4, 4},
		{2 * listBytes, 50, 1},
	} {
		type row struct {
			n    int
			text string
		}
		seen, first := 0, 0
		for more := true; more; {
			var page pageRows[row]
			result, err := env.API.Query(t.Context(), `select n, repeat('x', $2::int) from generate_series($1::int + 1, 60) n limit $3`, seen, c.bytes, c.limit+1)
			if err != nil {
				t.Fatal(err)
			}
			err = page.into(func(r pgx.CollectableRow) (v row, err error) { return v, r.Scan(&v.n, &v.text) })(result)
			if err != nil {
				t.Fatal(err)
			}
			var items []row
			if items, more = page.cut(c.limit); len(items) == 0 {
				t.Fatalf("rows of %d bytes: a page after %d is empty", c.bytes, seen)
			}
			if first == 0 {
				first = len(items)
			}
			for _, item := range items {
				if seen++; item.n != seen {
					t.Fatalf("rows of %d bytes: row %d follows row %d", c.bytes, item.n, seen-1)
				}
			}
		}
		if seen != 60 || first != c.want {
			t.Errorf("rows of %d bytes, limit %d: %d items on the first page, want %d; %d in all", c.bytes, c.limit, first, c.want, seen)
		}
	}
}
