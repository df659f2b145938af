package httpapi

import (
	"testing"
	"time"

	"docket/domain"
)

// Any text is a position within what Postgres can compare, or is refused as malformed.
func FuzzParseAsOf(f *testing.F) {
	for _, text := range []string{
		"0", "17", "-1", "99999999999999999999", "2026-11-30T09:00:00Z", "2026-11-30T09:00:00.123456789+01:00", "0000-01-01T00:00:00Z",
		"9999-12-31T23:59:59-23:59", "2026-02-30T00:00:00Z", "2026-11-30 09:00:00Z", "1e3", "٣", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseAsOf(text)
		switch {
		case err != nil:
			if domain.CodeOf(err) != domain.CodeMalformed {
				t.Errorf("%q: %v", text, err)
			}
		case m.Seq < 0 || m.Seq > 0 && !m.Time.IsZero():
			t.Errorf("%q is %+v", text, m)
		case !m.Time.IsZero() && (m.Time.Before(earliest) || m.Time.After(time.Date(10000, 1, 2, 0, 0, 0, 0, time.UTC))):
			t.Errorf("%q is %v", text, m.Time)
		}
	})
}
