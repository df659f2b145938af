package httpapi

import (
	"docket/domain"
	"docket/httpapi/edge"
	"docket/projections"
)

// checkSearch refuses a search without a word, which would find nothing, and one as of a
// seq: the index knows the current state only.
func checkSearch(q edge.Filter[string], d AsOfInput) error {
	if q.Ptr() == nil {
		return nil
	}
	if !projections.Searchable(*q.Ptr()) {
		return domain.Invalid("/q", edge.FieldFormat, "there is nothing to search for: a search needs a letter, a digit or an emoji")
	}
	if d.AsOf != "" {
		return domain.Refuse(domain.CodeUnsupportedCombination, "q can't be combined with as_of: a search reads the current state only")
	}
	return nil
}
