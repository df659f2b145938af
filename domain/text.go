package domain

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of texts, in characters (Unicode code points) unless noted otherwise.
const (
	MaxName        = 200
	MaxDescription = 4000
	MaxLabels      = 20 // labels
	MaxLabel       = 50
	MaxEmail       = 254 // octets: RFC 5321, section 4.5.3.1.3
	MinSlug        = 2
	MaxSlug        = 40
)

var slugForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// Date is a calendar day as RFC 3339 full-date, YYYY-MM-DD.
type Date string

// Timestamp is a point in time as RFC 3339 in UTC, for the data of events.
type Timestamp string

// TimestampOf is the timestamp of a time.
func TimestampOf(t time.Time) Timestamp { return Timestamp(t.UTC().Format(time.RFC3339Nano)) }

// Time is the point in time; the zero time for what is none, which is long ago.
func (s Timestamp) Time() time.Time {
	t, err := time.Parse(time.RFC3339Nano, string(s))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// findings collects the invalid fields of a command, so that one response reports
// all of them.
type findings []FieldError

func (f *findings) add(pointer, code, format string, args ...any) {
	*f = append(*f, FieldError{Pointer: pointer, Code: code, Detail: fmt.Sprintf(format, args...)})
}

// err is CodeValidationFailed, or nil if all fields are valid.
func (f findings) err() error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Code: CodeValidationFailed, Detail: "the request has invalid fields", Fields: f}
}

// Invalid is the refusal of one field.
func Invalid(pointer, code, format string, args ...any) *Error {
	return &Error{Code: CodeValidationFailed, Detail: "the request has invalid fields",
		Fields: []FieldError{{Pointer: pointer, Code: code, Detail: fmt.Sprintf(format, args...)}}}
}

// name checks a name, title or label: text, a visible character, and none that hides
// (HiddenCharacter).
func (f *findings) name(pointer, s string, most int) {
	before := len(*f)
	if f.text(pointer, s, 1, most); len(*f) > before {
		return
	}
	if hidden := HiddenCharacter(s); hidden != "" {
		f.add(pointer, "characters", "%s", hidden)
	} else if !strings.ContainsFunc(s, Visible) {
		f.add(pointer, "too_short", "at least 1 visible character is needed")
	}
}

// text checks length and characters: valid UTF-8, no control characters but newline
// and tab, and not only white space if least is positive.
func (f *findings) text(pointer, s string, least, most int) {
	n := utf8.RuneCountInString(s)
	forbidden := ForbiddenCharacter(s)
	switch {
	case forbidden != "":
		f.add(pointer, "characters", "%s", forbidden)
	case n < least || least > 0 && strings.TrimSpace(s) == "":
		f.add(pointer, "too_short", "at least %d characters that aren't white space are needed", least)
	case n > most:
		f.add(pointer, "too_long", "at most %d characters are allowed, not %d", most, n)
	}
}

// ForbiddenCharacter says which character of a text isn't allowed, and where; empty if
// all are. Carriage returns are forbidden too: the HTTP interface turns them into newlines
// before it asks.
func ForbiddenCharacter(s string) string {
	if !utf8.ValidString(s) {
		return "the text isn't valid UTF-8"
	}
	at := strings.IndexFunc(s, forbiddenRune)
	if at < 0 {
		return ""
	}
	r, _ := utf8.DecodeRuneInString(s[at:])
	return fmt.Sprintf("character %d is the control character %U, which isn't allowed; newline and tab are", utf8.RuneCountInString(s[:at])+1, r)
}

func forbiddenRune(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }

func (f *findings) slug(pointer, s string) {
	if len(s) < MinSlug || len(s) > MaxSlug || !slugForm.MatchString(s) {
		f.add(pointer, "format", "a slug has %d to %d of a-z and 0-9, with hyphens inside", MinSlug, MaxSlug)
	} else if _, err := ParseID[any](s); err == nil {
		// Some parameters take a slug or an id.
		f.add(pointer, "format", "a slug must not look like a UUID")
	}
}

var dateForm = regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)

// DateForm reports whether a text has the form of a Date, whether or not there is such a
// day.
func DateForm(s string) bool { return dateForm.MatchString(s) }

func (f *findings) date(pointer string, d *Date) {
	if d == nil {
		return
	}
	day, err := time.Parse(time.DateOnly, string(*d))
	switch {
	case err != nil && DateForm(string(*d)):
		f.add(pointer, "format", "there is no such day in the calendar")
	case err != nil || day.Year() == 0:
		// RFC 3339 has a year 0000 and Postgres hasn't: a read model couldn't store
		// the date, which would park the tenant's subscriptions.
		f.add(pointer, "format", "a date is written YYYY-MM-DD, from the year 0001 on")
	}
}

// labels checks the labels of a task, each of which it has once, however written: "Bug"
// beside "bug" is a duplicate.
func (f *findings) labels(pointer string, labels []string) {
	if len(labels) > MaxLabels {
		f.add(pointer, "too_long", "at most %d labels are allowed, not %d", MaxLabels, len(labels))
	}
	seen := make(map[string]int, len(labels))
	for i, l := range labels {
		at := fmt.Sprintf("%s/%d", pointer, i)
		f.name(at, l, MaxLabel)
		folded := Caseless(l)
		if first, twice := seen[folded]; !twice {
			seen[folded] = i
		} else if labels[first] == l {
			f.add(at, "duplicate", "the label is duplicated")
		} else {
			f.add(at, "duplicate", "the label differs from label %d only in its case or form", first)
		}
	}
}

func oneOf[T ~string](f *findings, pointer string, v T, allowed ...T) {
	if !slices.Contains(allowed, v) {
		f.add(pointer, "enum", "must be one of %v", allowed)
	}
}
