package httpapi

import (
	"slices"
	"strings"
	"time"

	"docket/domain"
	"docket/httpapi/edge"
	"docket/projections"
)

// DatedFilter are the filters by day and time that projects and tasks have.
type DatedFilter struct {
	DueDate      edge.Filter[string]      `query:"due_date" enum:"none" doc:"none: only what has no due date."`
	DueAfter     edge.Filter[domain.Date] `query:"due_after" format:"date" doc:"Only what is due after this day."`
	DueBefore    edge.Filter[domain.Date] `query:"due_before" format:"date" doc:"Only what is due before this day."`
	UpdatedSince edge.Filter[time.Time]   `query:"updated_since" format:"date-time" doc:"Only what has changed at this time or later; what is deleted meanwhile isn't listed."`
}

func (f DatedFilter) due() projections.DueFilter {
	return projections.DueFilter{After: f.DueAfter.Ptr(), Before: f.DueBefore.Ptr(), None: f.DueDate.Ptr() != nil}
}

// without returns the values of a filter that its negation leaves, nil if neither is given.
// all are those that there are.
func without[T comparable](asked, not, all []T) []T {
	if not == nil {
		return sortedIn(all, asked)
	}
	if asked == nil {
		asked = all
	}
	left := []T{}
	for _, v := range asked {
		if !slices.Contains(not, v) {
			left = append(left, v)
		}
	}
	return sortedIn(all, left)
}

// sortedIn returns values in the order in which all has them: one set has one cursor.
func sortedIn[T comparable](all, values []T) []T {
	if values == nil {
		return nil
	}
	out := []T{}
	for _, v := range all {
		if slices.Contains(values, v) {
			out = append(out, v)
		}
	}
	return out
}

// sortedIDs returns ids in their order, without duplicates.
func sortedIDs[K any](ids []domain.ID[K]) []domain.ID[K] {
	slices.SortFunc(ids, func(a, b domain.ID[K]) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(ids)
}

// orderOf is the order that sort asks for, by created_at if it is absent.
func orderOf(sort edge.Filter[string]) projections.Order {
	asked := sort.Ptr()
	if asked == nil {
		return projections.Order{By: projections.ByCreated}
	}
	by, descending := strings.CutPrefix(*asked, "-")
	return projections.Order{By: projections.Sort(by), Descending: descending}
}

// sortText is the order as cursors are bound to it.
func sortText(o projections.Order) string {
	if o.Descending {
		return "-" + string(o.By)
	}
	return string(o.By)
}

// refuseSortedSearch refuses a sort beside a search.
func refuseSortedSearch(q, sort edge.Filter[string]) error {
	if q.Ptr() != nil && sort.Ptr() != nil {
		return domain.Refuse(domain.CodeUnsupportedCombination, "q can't be combined with sort: search results are sorted by rank")
	}
	return nil
}

// listDoc leads to what all lists with filters and a search have in common, so that the document
// says it once (edge/about.md).
const listDoc = "Filters, sort, pages and q are explained under Lists and Searching in the description of the API."
