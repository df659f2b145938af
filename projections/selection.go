package projections

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// rank is where an item stands in a list: the sort value, a time or a text, and the
// id. It compares as the queries order.
type rank struct {
	at   time.Time
	text string
	id   uuid.UUID
}

func (r rank) compare(other rank) int {
	return cmp.Or(r.at.Compare(other.at), strings.Compare(r.text, other.text), bytes.Compare(r.id[:], other.id[:]))
}

// selection picks a page of a list out of items that come in any order, and holds no
// more of them than the page and one.
type selection[R any] struct {
	page       Page
	rank       func(*R) rank
	descending bool

	after *rank
	best  []ranked[R]
}

type ranked[R any] struct {
	rank rank
	item *R
}

// newSelection selects by a time, or by a text where byText says so.
func newSelection[R any](p Page, of func(*R) rank, byText, descending bool) (*selection[R], error) {
	s := &selection[R]{page: p, rank: of, descending: descending}
	if p.After == nil {
		return s, nil
	}
	s.after = &rank{text: p.After.Value, id: p.After.ID}
	if !byText {
		at, err := time.Parse(time.RFC3339Nano, p.After.Value)
		if err != nil {
			return nil, fmt.Errorf("the place of a page: %w", err)
		}
		s.after.at, s.after.text = at, ""
	}
	return s, nil
}

func (s *selection[R]) compare(a, b rank) int {
	if s.descending {
		return b.compare(a)
	}
	return a.compare(b)
}

// offer takes an item into the page if it belongs there.
func (s *selection[R]) offer(item *R) {
	r := s.rank(item)
	if s.after != nil && s.compare(r, *s.after) <= 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(s.best, r, func(b ranked[R], r rank) int { return s.compare(b.rank, r) })
	most := s.page.limit() + 1
	if i == most {
		return
	}
	s.best = slices.Insert(s.best, i, ranked[R]{r, item})
	s.best = s.best[:min(most, len(s.best))]
}

// items is the page, never nil, and where the next begins, nil if there is none.
func (s *selection[R]) items(key func(R) Keyset) ([]R, *Keyset) {
	items := make([]R, 0, len(s.best))
	for _, b := range s.best {
		items = append(items, *b.item)
	}
	return paged(items, s.page.limit(), key)
}
