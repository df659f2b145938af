package domain_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"docket/domain"
)

// codesAt are the codes of a refusal's field errors at a pointer; none for nil.
func codesAt(err error, pointer string) string {
	var refusal *domain.Error
	if !errors.As(err, &refusal) {
		return ""
	}
	var codes []string
	for _, f := range refusal.Fields {
		if f.Pointer == pointer {
			codes = append(codes, f.Code)
		}
	}
	return strings.Join(codes, " ")
}

func TestTexts(t *testing.T) {
	t.Parallel()
	create := func(name string, description *string) error {
		_, err := domain.DecideProject(domain.Project{}, actor(1, domain.Member),
			domain.CreateProject{Name: name, Description: description, Visibility: domain.Private})
		return err
	}
	for _, c := range []struct{ text, inName, inDescription string }{
		{"", "too_short", ""},
		{" \n\t", "too_short", ""},
		{"\u00a0\u2003", "too_short", ""},
		{"x", "", ""},
		{" x ", "", ""},
		{strings.Repeat("x", 200), "", ""},
		{strings.Repeat("x", 201), "too_long", ""},
		{strings.Repeat("🚢", 200), "", ""},
		{strings.Repeat("🚢", 201), "too_long", ""},
		{strings.Repeat("e\u0301", 100), "", ""},
		{strings.Repeat("e\u0301", 100) + "e", "too_long", ""},
		{strings.Repeat("漢", 4000), "too_long", ""},
		{strings.Repeat("漢", 4001), "too_long", "too_long"},
		{"two\nlines\tand a tab", "", ""},
		{"a\u2028b\u202eb\u200bc", "characters", ""},
		{"\u0301", "too_short", ""}, // a mark without a letter
		{"\uffff\U0010ffff", "too_short", ""},
		{"\u200e", "too_short", ""},
		{"\x00", "characters", "characters"},
		{"a\rb", "characters", "characters"},
		{"a\x1bb", "characters", "characters"},
		{"a\x7fb", "characters", "characters"},
		{"a\u0085b", "characters", "characters"},
		{"a\xffb", "characters", "characters"},
		{"a\xed\xa0\x80b", "characters", "characters"}, // a surrogate in UTF-8
	} {
		if got := codesAt(create(c.text, nil), "/name"); got != c.inName {
			t.Errorf("name %.20q: %q, want %q", c.text, got, c.inName)
		}
		if got := codesAt(create("n", &c.text), "/description"); got != c.inDescription {
			t.Errorf("description %.20q: %q, want %q", c.text, got, c.inDescription)
		}
	}
}

func TestLabels(t *testing.T) {
	t.Parallel()
	check := func(labels []string) error {
		_, err := domain.DecideTask(domain.Task{}, actor(4, domain.Member), domain.CreateTask{
			Project: projectAt(t, domain.Active), Title: "T", Priority: domain.Low, Labels: labels,
		})
		return err
	}
	many := make([]string, 21)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for _, c := range []struct {
		labels      []string
		at, findsAt string
	}{
		{nil, "/labels", ""},
		{many[:20], "/labels", ""},
		{many, "/labels", "too_long"},
		{[]string{strings.Repeat("漢", 50)}, "/labels/0", ""},
		{[]string{"a", strings.Repeat("漢", 51)}, "/labels/1", "too_long"},
		{[]string{"a", ""}, "/labels/1", "too_short"},
		{[]string{"a", " "}, "/labels/1", "too_short"},
		{[]string{"a", "b\x00"}, "/labels/1", "characters"},
		{[]string{"a", "a ", "b"}, "/labels/1", ""},
		{[]string{"Bug", "a", "bug"}, "/labels/2", "duplicate"},
		{[]string{"Straße", "STRASSE"}, "/labels/1", "duplicate"},
		{[]string{"é", "e\u0301"}, "/labels/1", "duplicate"},
		{[]string{"a", "\u200b"}, "/labels/1", "characters"},
		{[]string{"a", "b", "a"}, "/labels/2", "duplicate"},
		{[]string{"a", "a", "a"}, "/labels/1", "duplicate"},
		{[]string{"", ""}, "/labels/1", "too_short duplicate"},
	} {
		err := check(c.labels)
		if got := codesAt(err, c.at); got != c.findsAt || c.findsAt == "" && err != nil {
			t.Errorf("%.40q: %q at %s, want %q (%v)", c.labels, got, c.at, c.findsAt, err)
		}
	}
}

func TestEmails(t *testing.T) {
	t.Parallel()
	check := func(email string) error {
		_, err := domain.DecideUser(domain.User{}, domain.RegisterUser{ID: person(1), Email: email, Name: "Person 1"})
		return err
	}
	for _, good := range []string{
		"a@b", "one@example.org", "one+tag@example.org", "o'one@example.org", "ONE@Example.ORG", "jürgen@münchen.example",
		strings.Repeat("a", 64) + "@" + strings.Repeat("b.", 94) + "c",
	} {
		if err := check(good); err != nil {
			t.Errorf("%.40q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b c", " a@b", "a@b ", "a@b\n", "a@b\r\nBcc: c@d", "\x00a@b", "a\x7f@b",
		"Person 1 <a@b>", "<a@b>", "a@b (comment)", `"a b"@c`, "a@b,c@d", "a..b@c", ".a@b", "a@b.", "a@b..c", "a@b;c@d",
		"a\xff@b", "a\u00a0@b", "a\u200b@b", "a\u202e@b", "a\u2028@b", "a\ufeff@b", "a\u00ad@b", "a\u0085@b",
		strings.Repeat("a", 64) + "@" + strings.Repeat("b.", 94) + "cd",
		strings.Repeat("ü", 127) + "@b",
	} {
		if got := codesAt(check(bad), "/email"); got != "format" {
			t.Errorf("%.40q: codes are %q, want format", bad, got)
		}
	}
}

func TestSlugs(t *testing.T) {
	t.Parallel()
	for slug, good := range map[string]bool{
		"ab": true, "a1": true, "00": true, "default": true, "a-b": true, "a--b": true, strings.Repeat("a", 40): true,
		"": false, "a": false, "-a": false, "a-": false, "--": false, "Ab": false, "a_b": false, "a.b": false, "a b": false,
		"ab\n": false, "\nab": false, "äb": false, "ａｂ": false, "a\u200bb": false,
		"019b0000-0000-7000-8000-000000000001": false, "00000000-0000-0000-0000-000000000000": false,
		"019b0000-0000-7000-8000-00000000000g": true, "019b000000007000800000000000000a": true, strings.Repeat("a", 41): false,
	} {
		_, err := domain.DecideTenant(domain.Tenant{}, domain.Actor{},
			domain.CreateTenant{Name: "N", Slug: slug, Registration: domain.RegistrationClosed})
		if (err == nil) != good || !good && codesAt(err, "/slug") != "format" {
			t.Errorf("%q: %v", slug, err)
		}
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	for text, good := range map[domain.Date]bool{
		"2026-11-23": true, "0001-01-01": true, "9999-12-31": true, "2028-02-29": true,
		"": false, "0000-12-31": false, "2026-02-29": false, "2026-13-01": false, "2026-00-10": false, "2026-1-1": false,
		"26-11-23": false, "10000-01-01": false, "-001-01-01": false, "2026-11-23T00:00:00Z": false, " 2026-11-23": false,
		"2026-11-23\n": false, "2026/11/23": false, "today": false, "٢٠٢٦-١١-٢٣": false, "infinity": false,
	} {
		_, err := domain.DecideProject(domain.Project{}, actor(1, domain.Member),
			domain.CreateProject{Name: "N", Visibility: domain.Private, DueDate: &text})
		if (err == nil) != good || !good && codesAt(err, "/due_date") != "format" {
			t.Errorf("%q: %v", text, err)
		}
	}
}
