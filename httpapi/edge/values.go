package edge

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"

	"docket/domain"
)

// The checks of single values, shared by members of a body and parameters. Each
// reports at most one error per value.

func checkCharacters(f *findings, at jsontext.Pointer, text string) bool {
	problem := domain.ForbiddenCharacter(text)
	if problem != "" {
		f.add(at, FieldCharacters, "%s", problem)
	}
	return problem == ""
}

func checkText(f *findings, s *huma.Schema, at jsontext.Pointer, text string) {
	if !checkCharacters(f, at, text) {
		return
	}
	n := utf8.RuneCountInString(text)
	switch {
	case s.MinLength != nil && n < *s.MinLength:
		f.add(at, FieldTooShort, "must have at least %d characters", *s.MinLength)
	case s.MaxLength != nil && n > *s.MaxLength:
		f.add(at, FieldTooLong, "must have at most %d characters, has %d", *s.MaxLength, n)
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, any(text)):
		f.add(at, FieldEnum, "must be one of %s", enumNames(s))
	case s.Format == "date" && domain.DateForm(text) && !formatFits(s, text):
		f.add(at, FieldFormat, "there is no such day in the calendar")
	case !formatFits(s, text):
		f.add(at, FieldFormat, "%s", formatDetail(s, text))
	}
}

// manyWords is from how many words on an enum is only begun in an answer, since each item of
// an array may be wrong; fewWords is the beginning.
const manyWords, fewWords = 15, 6

func enumNames(s *huma.Schema) string {
	names := make([]string, len(s.Enum))
	for i, v := range s.Enum {
		names[i] = fmt.Sprint(v)
	}
	if len(names) >= manyWords {
		return strings.Join(names[:fewWords], ", ") + fmt.Sprintf(", … (%d in all)", len(names))
	}
	return strings.Join(names, ", ")
}

const UUIDPattern = `[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`

var canonicalUUID = regexp.MustCompile("^" + UUIDPattern + "$")

// timeForm is the form of RFC 3339; Go also parses 9:00 and an offset of +24:60.
var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// IsDateTime reports whether text is a time as RFC 3339 writes it.
func IsDateTime(text string) bool { return timeForm.MatchString(text) }

// formatFits checks format and pattern. A UUID has 36 characters; Huma would also
// accept a URN, braces and bare hexadecimal.
func formatFits(s *huma.Schema, text string) bool {
	if s.Format == "uuid" && !canonicalUUID.MatchString(text) || s.Format == "date-time" && !timeForm.MatchString(text) {
		return false
	}
	if s.Format == "" && s.Pattern == "" {
		return true
	}
	var res huma.ValidateResult
	huma.Validate(nil, s, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, text, &res)
	return len(res.Errors) == 0
}

var formatNames = map[string]string{
	"uuid":      "a UUID of 36 characters",
	"date":      "a date as YYYY-MM-DD",
	"date-time": "a time as in RFC 3339",
	"email":     "an e-mail address",
	"idn-email": "an e-mail address",
	"uri":       "an absolute URI",
}

func formatName(s *huma.Schema) string {
	switch name, known := formatNames[s.Format]; {
	case s.PatternDescription != "":
		return s.PatternDescription
	case known:
		return name
	case s.Format != "":
		return "the format " + s.Format
	}
	return "the pattern " + s.Pattern
}

// formatDetail says what is wrong with a text that doesn't fit a format.
func formatDetail(s *huma.Schema, text string) string {
	if s.Format == "date-time" && strings.Contains(text, " ") {
		return "must be " + formatName(s) + PlusHint
	}
	return "must be " + formatName(s)
}

// PlusHint ends the detail on a time that came with a space: an unescaped + is one in a query.
const PlusHint = "; in a query string the + of an offset is written %2B"

func checkCount(f *findings, s *huma.Schema, at jsontext.Pointer, n int) {
	switch {
	case s.MinItems != nil && n < *s.MinItems:
		f.add(at, FieldTooShort, "must have at least %d items", *s.MinItems)
	case s.MaxItems != nil && n > *s.MaxItems:
		f.add(at, FieldTooLong, "must have at most %d items, has %d", *s.MaxItems, n)
	}
}

// checkNumber accepts an integer only as digits: 1.0 and 1e3 are integers for JSON
// Schema, but not for every JSON parser.
func checkNumber(f *findings, s *huma.Schema, at jsontext.Pointer, number string) {
	value, err := strconv.ParseFloat(number, 64)
	if s.Type == huma.TypeInteger {
		bits := 64
		if s.Format == "int32" {
			bits = 32
		}
		if strings.ContainsAny(number, ".eE") {
			f.add(at, FieldType, "must be an integer")
			return
		}
		_, err = strconv.ParseInt(number, 10, bits)
	}
	low, high := math.Inf(-1), math.Inf(1)
	if s.Minimum != nil {
		low = *s.Minimum
	}
	if s.Maximum != nil {
		high = *s.Maximum
	}
	switch {
	case value < low || value > high:
		f.add(at, FieldRange, "must be %s", rangeName(s))
	case err != nil:
		f.add(at, FieldRange, "the number is too large")
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, any(value)):
		f.add(at, FieldEnum, "must be one of %s", enumNames(s))
	}
}

func rangeName(s *huma.Schema) string {
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		return fmt.Sprintf("a number from %v to %v", *s.Minimum, *s.Maximum)
	case s.Minimum != nil:
		return fmt.Sprintf("a number from %v on", *s.Minimum)
	}
	return fmt.Sprintf("a number up to %v", *s.Maximum)
}
