package edge

import (
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"docket/domain"
)

const ifMatchHeader = "If-Match"

// ETag is the strong entity tag of a version (RFC 9110, section 8.8.3).
func ETag(version int) string { return `"` + strconv.Itoa(version) + `"` }

// IfMatch is the If-Match header of an operation:
//
//	IfMatch edge.IfMatch `header:"If-Match"`
//
// check has refused a malformed header with 400.
type IfMatch struct{ domain.IfMatch }

// UnmarshalText reads the header's value, its lines joined by commas.
func (m *IfMatch) UnmarshalText(text []byte) error {
	var err error
	m.IfMatch, err = parseIfMatch(string(text))
	return err
}

// Schema describes the header in OpenAPI.
func (m IfMatch) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Examples: []any{`"3"`},
		Description: `The ETag of the version this is meant for, or a list of them: with any other present version the answer is 412.`}
}

var errIfMatch = domain.Refuse(domain.CodeMalformed, `If-Match must be "*" or a list of entity tags such as "3"`)

// parseIfMatch parses If-Match (RFC 9110, section 13.1.1): "*", or entity tags
// separated by commas. "*" matches everything that exists and sets no condition. Tags
// that aren't a version are valid and never match. Anything else is CodeMalformed.
//
// A weak tag of a version counts, beyond the standard: proxies that compress an answer
// make our strong tags weak, or put a suffix on them (cutCoding), and a client can't help
// it. Nothing is weak about a version.
func parseIfMatch(value string) (domain.IfMatch, error) {
	if anyVersion(value) {
		return domain.IfMatch{}, nil
	}
	tags, ok := opaqueTags(value)
	if !ok {
		return domain.IfMatch{}, errIfMatch
	}
	var versions []int
	for _, tag := range tags {
		if version, err := strconv.Atoi(tag); err == nil && strconv.Itoa(version) == tag {
			versions = append(versions, version)
		}
	}
	return domain.IfVersion(versions...), nil
}

func anyVersion(value string) bool { return strings.Trim(value, " \t") == "*" }

// opaqueTags returns what stands in the quotes of a list of entity tags, without what
// proxies add; false where it isn't a list of at least one.
func opaqueTags(value string) (tags []string, ok bool) {
	// Empty list elements are allowed (section 5.6.1.2).
	for rest := strings.TrimLeft(value, " \t,"); rest != ""; rest = strings.TrimLeft(rest, " \t,") {
		opaque, after, ok := cutOpaque(strings.TrimPrefix(rest, "W/"))
		after = strings.TrimLeft(after, " \t")
		if !ok || after != "" && after[0] != ',' {
			return nil, false
		}
		tags = append(tags, cutCoding(opaque))
		rest = after
	}
	return tags, len(tags) > 0
}

// codings are the suffixes that proxies put on the tag of an answer that they compress.
var codings = []string{"-gzip", "-br", "-deflate", "-zstd", ";gzip", ";br", ";deflate", ";zstd"}

// cutCoding returns a tag without the suffix of a coding.
func cutCoding(opaque string) string {
	for _, coding := range codings {
		if tag, has := strings.CutSuffix(opaque, coding); has {
			return tag
		}
	}
	return opaque
}

// cutOpaque splits off a quoted opaque tag: visible characters except the quote, and
// characters beyond ASCII.
func cutOpaque(s string) (opaque, after string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", "", false
	}
	opaque, after, ok = strings.Cut(s[1:], `"`)
	return opaque, after, ok && !strings.ContainsFunc(opaque, func(r rune) bool { return r <= ' ' || r == 0x7f })
}
