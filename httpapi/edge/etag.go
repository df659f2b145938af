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
// separated by commas. "*" matches everything that exists and sets no condition. Weak
// tags and tags that aren't a version are valid and never match. Anything else is
// CodeMalformed.
func parseIfMatch(value string) (domain.IfMatch, error) {
	if strings.Trim(value, " \t") == "*" {
		return domain.IfMatch{}, nil
	}
	var versions []int
	tags := 0
	// Empty list elements are allowed (section 5.6.1.2).
	for rest := strings.TrimLeft(value, " \t,"); rest != ""; rest = strings.TrimLeft(rest, " \t,") {
		tag, weak := strings.CutPrefix(rest, "W/")
		opaque, after, ok := cutOpaque(tag)
		after = strings.TrimLeft(after, " \t")
		if !ok || after != "" && after[0] != ',' {
			return domain.IfMatch{}, errIfMatch
		}
		tags++
		if version, err := strconv.Atoi(opaque); err == nil && !weak && strconv.Itoa(version) == opaque {
			versions = append(versions, version)
		}
		rest = after
	}
	if tags == 0 {
		return domain.IfMatch{}, errIfMatch
	}
	return domain.IfVersion(versions...), nil
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
