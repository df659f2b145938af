package httpapi

import (
	"docket/domain"
	"docket/httpapi/edge"
)

// searchDoc documents the parameter q.
const searchDoc = "With q only what matches a search: all of its words, \"words in quotes\" as a phrase, one or another, -word excluded. " +
	"If nothing follows the last word, it matches as a prefix, with or without a *; a trailing or is ignored. Case and width are ignored. " +
	"Results are sorted by rank, a title before a description, equal ranks by the newest; if thousands match, the newest first. " +
	"A q without a word finds nothing. q and as_of can't be combined (unsupported-combination)."

// sortedSearchDoc documents q beside sort.
const sortedSearchDoc = " q and sort can't be combined (unsupported-combination)."

// refuseAsOfSearch refuses a search as of a seq: the index knows the current state only.
func refuseAsOfSearch(q edge.Filter[string], d AsOfInput) error {
	if q.Ptr() != nil && d.AsOf != "" {
		return domain.Refuse(domain.CodeUnsupportedCombination, "q can't be combined with as_of: a search reads the current state only")
	}
	return nil
}
