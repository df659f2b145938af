package projections

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"docket/domain"
	"docket/projections/fulltext"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// A search is answered in one of two orders, so that what it costs is bounded:
//
//	few match   by rank: search_document finds all, which are ranked and sorted
//	many match  newest first: things are gone through from the newest on, and
//	            each one's document is looked at, until the page is full
//
// Many is more than maxRanked. How many it will be, a sample of the newest things
// tells beforehand, as reading half of a large tenant's index takes too long; the
// index itself has the last word. A cursor keeps to the order that it began with.
const (
	maxRanked = 4_000
	// maxRankedOn is maxRanked for pages after the first: what is added to a result
	// while it is read doesn't turn its order around.
	maxRankedOn = 4 * maxRanked
	// sampleSize is how many of the newest are looked at; commonShare of them
	// makes a search common in a tenant with more than maxRanked things.
	sampleSize  = 1_000
	commonShare = 0.02
	// wideShare is from when on the words that begin with something are too many to
	// be read from the index, if the rest of the search can do without them.
	wideShare = 0.05
)

// searchScopeSQL limits what the api role sees of search to what matches a tsquery
// ($1) until the end of the batch. Where tables seem small the planner would read
// search as a whole, or look a row up through search_document, and keep that plan
// when they have grown; so it may do the first never, and the second (whether
// bitmaps are on or off, $2) only where the search is to find the rows.
const searchScopeSQL = `select set_config('docket.search', $1, true), set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', $2, true)`

const (
	byIndex = "on"  // search_document finds the rows
	byKey   = "off" // they are looked up
)

// sampleSQL counts, among the newest things of a tenant ($1), all, and those that
// match three tsqueries ($2, $3, $4), and says whether there are more than
// maxRanked at all, which it looks for only where the first is common. It is made
// for one table; docket.search lets all documents through.
func sampleSQL[R any](m *model[uuid.UUID, R]) string {
	newest := ` from ` + m.Table + ` t where t.tenant_id = $1 and t.generation = ` + m.generation("$1") + ` order by t.created_at desc, t.id desc `
	return `select count(*), count(*) filter (where d.document @@ $2::tsquery),
  count(*) filter (where d.document @@ $3::tsquery), count(*) filter (where d.document @@ $4::tsquery),
  case when count(*) filter (where d.document @@ $2::tsquery) >= ` + strconv.Itoa(commonLeast) + `
    then exists (select` + newest + `offset ` + strconv.Itoa(maxRanked) + ` limit 1) else false end
from (select t.id` + newest + `limit ` + strconv.Itoa(sampleSize) + `) n, lateral (
  select s.document from search s where s.tenant_id = $1 and s.generation = ` + search.generation("$1") + ` and s.id = n.id limit 1) d`
}

const commonLeast = 20 // sampleSize * commonShare

// matches is true where the document of a thing matches docket.search, which the
// policy of search asks; taskMatches also where that of a comment on the task does.
var (
	matches     = matching("s.id")
	taskMatches = "coalesce(" + matches + ", " + matching("s.task_id") + ")"
)

func matching(key string) string {
	return `(select true from search s where s.tenant_id = $1 and s.generation = ` + search.generation("$1") + ` and ` + key + ` = t.id limit 1)`
}

// foundSQL lists what matches docket.search, of a tenant ($1), under conditions with
// the parameters before $n: after a keyset ($n, $n+1) in an order, up to $n+2, ranked
// by a tsquery ($n+3), where a tsquery ($n+4, any if null) matches too. At most $n+5
// documents are looked at, and how many were stands first in each row; if none is listed, in
// one of nulls. A task is what its best document is, its own or a comment's. It is made for one model and one order.
func foundSQL[R any](m *model[uuid.UUID, R], conditions string, order func(things, conditions string, arg func(int) string) string, n int) string {
	arg := func(i int) string { return fmt.Sprintf("$%d", n+i) }
	things := `lateral (
    select t.* from ` + m.Table + ` t where t.tenant_id = $1 and t.generation = ` + m.generation("$1") + ` and t.id = f.id limit 1) t`
	return `with documents as materialized (
  select coalesce(s.task_id, s.id) as id, ts_rank(s.document, ` + arg(3) + `::tsquery) as rank from search s
  where s.tenant_id is not distinct from $1 and s.generation = ` + search.generation("$1") + `
    and (` + arg(4) + `::tsquery is null or s.document @@ ` + arg(4) + `::tsquery)
  limit ` + arg(5) + `),
found as materialized (select d.id, max(d.rank) as rank from documents d group by d.id)
select c.n, ` + m.columns("r.") + `, r.rank from (select count(*) as n from documents) c left join lateral (
` + order(things, conditions, arg) + `) r on true order by r.place`
}

// byRank is the best first, and of equals the newest: ids ascend with time. Things
// are looked up in that order, until the page is full.
func byRank(things, conditions string, arg func(int) string) string {
	return `  select t.*, f.rank, f.place from (
    select f.*, row_number() over (order by f.rank desc, f.id desc) as place from found f
    where (f.rank, f.id) < (` + arg(0) + `::real, ` + arg(1) + `::uuid) order by f.rank desc, f.id desc) f, ` + things + `
  where ` + conditions + `
  order by f.rank desc, f.id desc limit ` + arg(2)
}

// searching is a kind of thing that is searched.
type searching[R any] struct {
	what  string
	kind  fulltext.Kind
	model *model[uuid.UUID, R]
	// sample is a sampleSQL.
	sample string
	// ranked and newest are a foundSQL by rank and the list from the newest on;
	// their parameters are args and then a keyset and a limit.
	ranked, newest string
	args           []any
	// facets are tsqueries that a document must match.
	facets []string
	// also queues further queries beside; it may be nil.
	also func(*pgx.Batch)
	key  func(R) Keyset
}

// weight is how a search is to be answered.
type weight struct {
	// look is what search_document is asked, and after what is asked then of each
	// document that it found.
	look  string
	after *string
	// common says that there are too many to be ranked.
	common bool
}

// weigh takes the sample.
func (s searching[R]) weigh(ctx context.Context, q *Queries, scope domain.Scope, w fulltext.Query) (weight, error) {
	in := fulltext.ScopeOf(scope.Tenant(), s.kind)
	whole := fulltext.Within(w.TSQuery(in), s.facets)
	prefix, rest, wide := w.Split()
	if !wide {
		prefix, rest = w, w
	}
	without := fulltext.Within(rest.TSQuery(in), s.facets)
	var (
		all, matching, beginning, others int
		large                            bool
	)
	err := q.scoped(ctx, scope, func(b *pgx.Batch) {
		b.Queue(searchScopeSQL, in.All(), byKey)
		b.Queue(s.sample, scope.Tenant().UUID(), whole, prefix.TSQuery(in), without).QueryRow(func(row pgx.Row) error {
			return row.Scan(&all, &matching, &beginning, &others, &large)
		})
	})
	if err != nil {
		return weight{}, fmt.Errorf("weigh a search of %s: %w", s.what, err)
	}
	share := func(n int) float64 { return float64(n) / float64(max(all, 1)) }
	if wide && share(beginning) > wideShare && share(others) <= commonShare {
		return weight{look: without, after: &whole, common: large}, nil
	}
	return weight{look: whole, common: large}, nil
}

// The two orders' keysets differ by how their values begin.
const (
	rankMark = "rank "
	timeMark = "time "
)

// answer lists what matches a search.
func (s searching[R]) answer(ctx context.Context, q *Queries, scope domain.Scope, w fulltext.Query, p Page) ([]R, *Keyset, error) {
	if w.Empty() {
		queue := s.also
		if queue == nil {
			queue = func(*pgx.Batch) {}
		}
		return []R{}, nil, q.scoped(ctx, scope, queue)
	}
	ranked := Keyset{Value: "infinity", ID: uuid.Max}
	if p.After != nil {
		if at, ok := strings.CutPrefix(p.After.Value, timeMark); ok {
			return s.fromNewest(ctx, q, scope, w, p, Keyset{Value: at, ID: p.After.ID})
		}
		ranked = Keyset{Value: strings.TrimPrefix(p.After.Value, rankMark), ID: p.After.ID}
	}
	how, err := s.weigh(ctx, q, scope, w)
	if err != nil {
		return nil, nil, err
	}
	most := maxRanked
	if p.After != nil {
		most = maxRankedOn
	}
	if p.After != nil || !how.common {
		hits, n, err := s.find(ctx, q, scope, s.ranked, how, fulltext.Within(w.Sought().TSQuery(fulltext.ScopeOf(scope.Tenant(), s.kind)), nil), most, p, ranked)
		if err != nil {
			return nil, nil, err
		}
		if p.After != nil || n <= most {
			hits, next := hits.page(p.limit(), func(h hit[R]) Keyset {
				return Keyset{Value: rankMark + strconv.FormatFloat(float64(h.rank), 'g', -1, 32), ID: s.key(h.item).ID}
			})
			return items(hits), next, nil
		}
	}
	return s.fromNewest(ctx, q, scope, w, p, lastTime)
}

// fromNewest lists what matches a search, the newest first.
func (s searching[R]) fromNewest(ctx context.Context, q *Queries, scope domain.Scope, w fulltext.Query, p Page, after Keyset) ([]R, *Keyset, error) {
	look := fulltext.Within(w.TSQuery(fulltext.ScopeOf(scope.Tenant(), s.kind)), s.facets)
	also := func(b *pgx.Batch) {
		b.Queue(searchScopeSQL, look, byKey)
		if s.also != nil {
			s.also(b)
		}
	}
	return list(ctx, q, scope, s.what, p, s.model.scan(scope.Tenant()), func(r R) Keyset {
		key := s.key(r)
		return Keyset{Value: timeMark + key.Value, ID: key.ID}
	}, also, s.newest, append(s.args, after.Value, after.ID, p.limit()+1)...)
}

// listScopeSQL has the lists planned for any tenant and any filter, until the end of the
// batch: of a tenant's own values the planner would make another plan for each, which reads
// the tenant as a whole where it is small, and is kept when it has grown.
const listScopeSQL = `select set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true)`

// list is the list of those that match no search in particular.
func (s searching[R]) list(ctx context.Context, q *Queries, scope domain.Scope, p Page, after Keyset, sql string) ([]R, *Keyset, error) {
	also := func(b *pgx.Batch) {
		b.Queue(listScopeSQL)
		if s.also != nil {
			s.also(b)
		}
	}
	return list(ctx, q, scope, s.what, p, s.model.scan(scope.Tenant()), s.key, also, sql,
		append(s.args, after.Value, after.ID, p.limit()+1)...)
}

// labelled is the list of those that have all the facets, in an order: from the index where
// they are few, by found, else by going through all.
func (s searching[R]) labelled(ctx context.Context, q *Queries, scope domain.Scope, p Page, after Keyset, found, sql string) ([]R, *Keyset, error) {
	how, err := s.weigh(ctx, q, scope, fulltext.Query{})
	if err != nil {
		return nil, nil, err
	}
	if !how.common {
		hits, n, err := s.find(ctx, q, scope, found, how, how.look, maxRanked, p, after)
		if err != nil {
			return nil, nil, err
		}
		if n <= maxRanked {
			hits, next := hits.page(p.limit(), func(h hit[R]) Keyset { return s.key(h.item) })
			return items(hits), next, nil
		}
	}
	return s.list(ctx, q, scope, p, after, sql)
}

// hit is a thing that was found.
type hit[R any] struct {
	item R
	rank float32
}

func items[R any](hits []hit[R]) []R {
	list := make([]R, len(hits))
	for i, h := range hits {
		list[i] = h.item
	}
	return list
}

// find runs a foundSQL. n is how many documents it looked at; more than most, and
// what it found is some of them only.
func (s searching[R]) find(ctx context.Context, q *Queries, scope domain.Scope, sql string, how weight, rank string, most int, p Page, after Keyset) (hits pageRows[hit[R]], n int, err error) {
	err = q.scoped(ctx, scope, func(b *pgx.Batch) {
		b.Queue(searchScopeSQL, how.look, byIndex)
		if s.also != nil {
			s.also(b)
		}
		b.Queue(sql, append(s.args, after.Value, after.ID, p.limit()+1, rank, how.after, most+1)...).Query(func(rows pgx.Rows) error {
			defer rows.Close()
			for rows.Next() {
				var h hit[R]
				if values := rows.RawValues(); values[len(values)-1] == nil {
					if err := rows.Scan(append([]any{&n}, make([]any, len(values)-1)...)...); err != nil {
						return err
					}
					continue
				}
				if !hits.room(rows) {
					break
				}
				if err := rows.Scan(append([]any{&n}, s.model.targets(&h.item, &h.rank)...)...); err != nil {
					return err
				}
				if s.model.Complete != nil {
					s.model.Complete(&h.item, scope.Tenant())
				}
				hits.items = append(hits.items, h)
			}
			rows.Close()
			return rows.Err()
		})
	})
	if err != nil {
		return hits, 0, fmt.Errorf("search %s: %w", s.what, err)
	}
	return hits, n, nil
}
