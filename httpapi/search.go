package httpapi

import (
	"docket/domain"
	"docket/httpapi/edge"
	"docket/projections"
)

// searchDoc documents the parameter q.
const searchDoc = "With q only what matches a search: all of its words, \"words in quotes\" as a phrase, one or another, -word excluded. " +
	"A hyphen excludes only beside a word that is looked for: -123 alone finds 123, and two hyphens (--force) never exclude. " +
	"If nothing follows the last word, it matches as a prefix, with or without a *; a trailing or is ignored. " +
	"Case, accents and width are ignored: cafe finds \"Café\". Names of code are found whole and by part: auth, 123 and AUTH-123 find \"AUTH-123\", nodejs and node.js \"node.js\", name and userName \"getUserName\", 1.2 \"v1.2.3\"; C, C++ and C# are three words. " +
	"Apostrophes and hyphens of every kind are alike. Chinese, Japanese, Korean and Thai are searched by character, emoji are words. " +
	"A task is also found by its comments. Each text counts by itself: all words stand in the task's title, description and labels, or in one comment, and -word leaves out texts that have it. " +
	"Results are sorted by rank, a title before a description, labels and comments last, equal ranks by the newest; if thousands match, the newest first. " +
	"A q without a letter, digit or emoji is refused (422). q and as_of can't be combined (unsupported-combination)."

// sortedSearchDoc documents q beside sort.
const sortedSearchDoc = " q and sort can't be combined (unsupported-combination)."

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
