package httpapi

import (
	"docket/domain"
	"docket/httpapi/edge"
)

// searchDoc is what the operations with a parameter q say of it.
const searchDoc = "With q what matches a search: all of its words, \"words in quotes\" one after the other, one or another, -word not. " +
	"The last word, where nothing follows it, stands for all that begin with it, with or without a *; an or where nothing follows it is left out. Case and width don't count. " +
	"What matches comes in the order of its rank, a title before a description, equals by the newest; where thousands match, the newest first. " +
	"A q without any word finds nothing. Not with as_of: together they are refused (unsupported-combination)."

// refuseAsOfSearch is the refusal of a search in the past, which no index knows.
func refuseAsOfSearch(q edge.Filter[string], d AsOfInput) error {
	if q.Ptr() != nil && d.AsOf != "" {
		return domain.Refuse(domain.CodeUnsupportedCombination, "q and as_of don't go together: only what there is now is searched")
	}
	return nil
}
