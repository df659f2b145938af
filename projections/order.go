package projections

import (
	"bytes"
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"docket/domain"

	"github.com/google/uuid"
)

// Sort is what a list is ordered by.
type Sort string

// The orders of projects and tasks. The id decides between equals. Names and titles sort by
// code point. What has no due date comes after all that have one. Priorities sort by urgency,
// those of one priority by created_at. Projects have no priority and no title, tasks no name.
const (
	ByCreated  Sort = "created_at"
	ByUpdated  Sort = "updated_at"
	ByDue      Sort = "due_date"
	ByPriority Sort = "priority"
	ByName     Sort = "name"
	ByTitle    Sort = "title"
)

// Order is an order and its direction. The zero value is ByCreated, ascending. Descending
// turns all of it around: ids too, and what has no due date comes first.
type Order struct {
	By         Sort
	Descending bool
}

// orDefault is the order, or ByCreated for none.
func (o Order) orDefault() Order {
	if o.By == "" {
		o.By = ByCreated
	}
	return o
}

// beyond and direction are the comparison with a keyset, and the direction, in SQL.
func (o Order) beyond() string {
	if o.Descending {
		return "<"
	}
	return ">"
}

func (o Order) direction() string {
	if o.Descending {
		return "desc"
	}
	return "asc"
}

// noDue is the sort value of what has no due date: it sorts after every day. dueKey is that
// value in SQL. It is a case, since PostgreSQL takes no coalesce for a condition of an index
// under row-level security: it doesn't count it among the expressions that tell nothing of
// a row, such as a case.
const (
	noDue  = "~"
	dueKey = `(case when t.due_date is null then '` + noDue + `' else t.due_date end)`
)

func dueValue(d *domain.Date) string {
	if d == nil {
		return noDue
	}
	return string(*d)
}

// place is where an item stands in a list: the sort value, which is a number, a time or a
// text, or the first two, and the id. It compares as the queries order.
type place struct {
	number int
	at     time.Time
	text   string
	id     uuid.UUID
}

func (p place) compare(other place) int {
	return cmp.Or(cmp.Compare(p.number, other.number), p.at.Compare(other.at), strings.Compare(p.text, other.text), bytes.Compare(p.id[:], other.id[:]))
}

// values says which of a place's values an order uses.
type values int

const (
	times values = iota
	texts
	ranks // a number, and a time
)

// keyset writes a place as the keyset of an order.
func (v values) keyset(p place) Keyset {
	switch v {
	case texts:
		return Keyset{Value: p.text, ID: p.id}
	case ranks:
		return Keyset{Value: strconv.Itoa(p.number) + " " + timeKey(p.at), ID: p.id}
	}
	return Keyset{Value: timeKey(p.at), ID: p.id}
}

// place reads a keyset.
func (v values) place(k Keyset) (place, error) {
	p, text := place{id: k.ID}, k.Value
	var err error
	switch v {
	case texts:
		p.text = text
		return p, nil
	case ranks:
		number, rest, _ := strings.Cut(text, " ")
		if p.number, err = strconv.Atoi(number); err != nil {
			return place{}, fmt.Errorf("the place of a page: %w", err)
		}
		text = rest
	}
	if p.at, err = time.Parse(time.RFC3339Nano, text); err != nil {
		return place{}, fmt.Errorf("the place of a page: %w", err)
	}
	return p, nil
}

// start is the keyset before the first item.
func (v values) start(descending bool) Keyset {
	switch {
	case v == texts && descending:
		return lastText
	case v == texts:
		return firstText
	case v == ranks && descending:
		return Keyset{Value: "9 infinity", ID: uuid.Max}
	case v == ranks:
		return Keyset{Value: "-1 -infinity"}
	case descending:
		return lastTime
	}
	return firstTime
}

// sorting is one thing that a list can be ordered by.
type sorting[R any] struct {
	values values
	// columns are the expressions that are compared before the id, in SQL.
	columns []string
	of      func(*R) place
}

func (s sorting[R]) key(r R) Keyset { return s.values.keyset(s.of(&r)) }

// from is where a page begins in an order.
func (s sorting[R]) from(p Page, o Order) Keyset { return p.after(s.values.start(o.Descending)) }

// after compares an item's place with a keyset in SQL, whose parts are expressions. As a
// comparison of rows it is a condition of the order's index.
func (s sorting[R]) after(o Order, value, id string) string {
	var to []string
	switch s.values {
	case texts:
		to = []string{value + "::text"}
	case ranks:
		to = []string{rankOf(value), timeOf(value)}
	default:
		to = []string{value + "::timestamptz"}
	}
	return "(" + strings.Join(s.columns, ", ") + ", t.id) " + o.beyond() + " (" + strings.Join(to, ", ") + ", " + id + "::uuid)"
}

// rankOf and timeOf are the two values of a keyset of ranks, in SQL.
func rankOf(value string) string { return "split_part(" + value + "::text, ' ', 1)::integer" }
func timeOf(value string) string { return "split_part(" + value + "::text, ' ', 2)::timestamptz" }

// orderBy is the order in SQL.
func (s sorting[R]) orderBy(o Order) string {
	return strings.Join(s.columns, " "+o.direction()+", ") + " " + o.direction() + ", t.id " + o.direction()
}

// byOrder is an order of what foundSQL finds.
func byOrder[R any](s sorting[R], o Order) func(things, conditions string, arg func(int) string) string {
	return func(things, conditions string, arg func(int) string) string {
		return `  select t.*, f.rank, row_number() over (order by ` + s.orderBy(o) + `) as place from found f, ` + things + `
  where ` + conditions + `
    and ` + s.after(o, arg(0), arg(1)) + `
  order by ` + s.orderBy(o) + ` limit ` + arg(2)
	}
}
