package httpapi

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// generator makes values of the document's schemas: valid ones, ones at the bounds, and
// wrong ones. Ids, positions and cursors are mostly those of earlier answers.
type generator struct {
	*rand.Rand
	published *published
	// ids of earlier answers, by the noun before them: "projects", "tasks" …
	ids map[string][]string
	// seen are other values of earlier answers, by their name: cursors, ETags …
	seen map[string][]string
}

// sometimes is true in one of n cases.
func (g *generator) sometimes(n int) bool { return g.IntN(n) == 0 }

func (g *generator) one(of []string) string { return of[g.IntN(len(of))] }

// strange are texts that have broken parsers, databases or people.
var strange = []string{
	"", " ", "\t", "0", "-1", "1e131000", "9223372036854775808", "null", "undefined", "NaN", "true", "a\x00b", "\u202egnp.exe", "\u200b", "\ufeff",
	"e\u0301", "ß", "İ", "👩‍👩‍👧‍👦", "𝔘", "\U0010ffff", "' or '1'='1", "%", "_", "\\", `"`, "a\r\nb", "../../x", "%00", "{{7*7}}", "<b>", "=1+1", "nobodys",
	strings.Repeat("a", 201), strings.Repeat("é", 4001), strings.Repeat("𝔘", 60), "2027-02-30", "0000-01-01", "9999-12-31T23:59:59.999999999Z",
	"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "P1D", "me", "none", "-created_at", "todo,done", ",", "todo,,done",
}

// id is one of a noun, of another noun, of nothing, or none at all.
func (g *generator) id(noun string) string {
	switch n := g.IntN(20); {
	case n == 0:
		return g.one(strange)
	case n == 1 || len(g.ids) == 0:
		return uuid.Must(uuid.NewV7()).String()
	case n > 2 && len(g.ids[noun]) > 0:
		newest := g.ids[noun][max(0, len(g.ids[noun])-10):]
		return g.one(newest)
	}
	return g.one(g.ids[g.one(slices.Sorted(maps.Keys(g.ids)))])
}

// nouns are those that an id's name stands for where the path has no word before it.
var nouns = map[string]string{
	"user_id": "members", "assignee_id": "members", "owner_id": "members", "actor_id": "members", "created_by": "members", "author_id": "members",
	"project_id": "projects", "task_id": "tasks", "entity_id": "tasks",
}

// text is a string for a schema, of a field with this name.
func (g *generator) text(name string, s *jsonSchema) string {
	if g.sometimes(25) {
		return g.one(strange)
	}
	if noun, ok := nouns[name]; ok || s.Format == "uuid" {
		return g.id(noun)
	}
	if all := g.seen[name]; len(all) > 0 && !g.sometimes(4) {
		return g.one(all)
	}
	switch s.Format {
	case "email", "idn-email":
		return g.one([]string{fmt.Sprintf("gen%d@example.org", g.IntN(1000)), "ÄÖ@exämple.org", "a@b", "gen@localhost"})
	case "uri":
		return g.one([]string{"https://hooks.example.org/x", "http://127.0.0.1/x", "ftp://example.org"})
	case "date":
		return time.Date(2026, 11, 1+g.IntN(60), 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
	case "date-time":
		return time.Now().Add(time.Duration(g.IntN(7200)-3600) * time.Second).UTC().Format(time.RFC3339Nano)
	}
	switch name {
	case "as_of":
		return g.one([]string{fmt.Sprint(g.IntN(300)), time.Now().UTC().Format(time.RFC3339Nano), time.Now().Add(-time.Second).Format(time.RFC3339)})
	case "due_date":
		return g.one([]string{"none", "2027-01-01"})
	}
	length := 1 + g.IntN(40)
	switch bound := g.IntN(12); {
	case bound == 0 && s.MinLength != nil:
		length = *s.MinLength
	case bound == 1 && s.MinLength != nil && *s.MinLength > 0:
		length = *s.MinLength - 1
	case bound == 2 && s.MaxLength != nil:
		length = *s.MaxLength
	case bound == 3 && s.MaxLength != nil:
		length = *s.MaxLength + 1
	case s.MinLength != nil:
		length = max(length, *s.MinLength)
	}
	letters := []rune("abcdefghijklmnopqrstuvwxyz")
	if s.Pattern == "" && g.sometimes(3) {
		letters = []rune("aÄßñ漢字 -_@#.,é𝔘")
	}
	var b strings.Builder
	for range length {
		b.WriteRune(letters[g.IntN(len(letters))])
	}
	return b.String()
}

// value is a value for a schema, of a field with this name: as JSON would hold it.
func (g *generator) value(name string, s *jsonSchema) any {
	s = g.published.resolve(s)
	if g.sometimes(40) { // of another type
		return []any{nil, true, -1, 1.5, "x", []any{}, map[string]any{}, []any{nil}, uint64(1 << 63)}[g.IntN(9)]
	}
	if len(s.AnyOf) > 0 {
		return g.value(name, s.AnyOf[g.IntN(len(s.AnyOf))])
	}
	if slices.Contains(s.Type, "null") && g.sometimes(8) {
		return nil
	}
	switch {
	case len(s.Enum) > 0:
		return s.Enum[g.IntN(len(s.Enum))]
	case slices.Contains(s.Type, "array"):
		n := g.IntN(4)
		if s.MaxItems != nil && g.sometimes(20) {
			n = *s.MaxItems + g.IntN(2)
		}
		all := []any{}
		for range n {
			all = append(all, g.value(name, s.Items))
		}
		return all
	case slices.Contains(s.Type, "object"):
		object := map[string]any{}
		for _, field := range slices.Sorted(maps.Keys(s.Properties)) {
			if slices.Contains(s.Required, field) && !g.sometimes(40) || g.sometimes(2) {
				object[field] = g.value(field, s.Properties[field])
			}
		}
		if g.sometimes(50) {
			object["nonsense"] = 1
		}
		return object
	case slices.Contains(s.Type, "boolean"):
		return g.sometimes(2)
	case slices.Contains(s.Type, "integer"), slices.Contains(s.Type, "number"):
		return g.number(s)
	}
	return g.text(name, s)
}

// number is a whole one, near a bound in one of three cases.
func (g *generator) number(s *jsonSchema) int64 {
	low, high := int64(0), int64(50)
	if s.Minimum != nil {
		low = int64(*s.Minimum)
	}
	if s.Maximum != nil {
		high = int64(*s.Maximum)
	}
	switch g.IntN(12) {
	case 0:
		return low - 1
	case 1:
		return high + 1
	case 2:
		return low
	case 3:
		return high
	}
	return low + g.Int64N(max(1, high-low))
}

// canonicalUUID finds the ids that answers have.
var canonicalUUID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// learn keeps what an answer has: ids by the noun of the path, or of their own name.
func (g *generator) learn(noun string, v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v[:min(len(v), 10)] {
			g.learn(noun, item)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			text, ok := v[name].(string)
			switch {
			case !ok:
				g.learn(noun, v[name])
			case name == "next_cursor":
				g.seen["cursor"] = append(g.seen["cursor"], text)
			case name == "refresh_token", name == "email":
				g.seen[name] = append(g.seen[name], text)
			case name == "id" && canonicalUUID.MatchString(text):
				g.ids[noun] = append(g.ids[noun], text)
			case nouns[name] == "members" && canonicalUUID.MatchString(text):
				g.ids["members"] = append(g.ids["members"], text)
			}
		}
	}
}
