package projections

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"docket/domain"
)

// changing are the fields that each type of event may change.
var changing = map[string][]string{
	"tenant.updated":         domain.TenantFields(),
	"user.renamed":           {"name"},
	"member.role_changed":    {"role"},
	"member.renamed":         {"name"},
	"project.created":        {"description", "visibility", "due_date"},
	"project.updated":        domain.ProjectFields(),
	"project.status_changed": {"status"},
	"task.created":           {"description", "priority", "assignee_id", "labels", "due_date"},
	"task.updated":           domain.TaskFields(),
	"comment.updated":        domain.CommentFields(),
}

// ChangedFields are the names of all fields that changes can have, sorted.
func ChangedFields() []string {
	var all []string
	for _, fields := range changing {
		all = append(all, fields...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// changingTypes are the types of events that may change a field, sorted; never nil.
func changingTypes(field string) []string {
	types := []string{}
	for _, t := range slices.Sorted(maps.Keys(changing)) {
		if slices.Contains(changing[t], field) {
			types = append(types, t)
		}
	}
	return types
}

// Actions are the types of events that a tenant's activity log can have, sorted. Those of
// users are in the platform's log.
func Actions() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(lines)), func(t string) bool { return strings.HasPrefix(t, "user.") })
}

var (
	null    = json.RawMessage("null")
	noItems = json.RawMessage("[]")
	// What a creation has that doesn't say otherwise.
	defaultVisibility = word(domain.Private)
	defaultPriority   = word(domain.Normal)
)

// set is the change of a field that a creation may set, from what it is without that, null
// if from is nil. There is none if the value is that, or empty.
func set[T ~string](field string, value *T, from json.RawMessage) []domain.Change {
	if from == nil {
		from = null
	}
	if value == nil || *value == "" || bytes.Equal(word(*value), from) {
		return nil
	}
	return []domain.Change{{Field: field, From: from, To: word(*value)}}
}

// renamed describes a change of name from the side of the person that made it.
func renamed(from, to domain.Personal) said {
	return said{
		deed:    "changed their name from " + quoted(from.Value) + " to " + quoted(to.Value),
		changes: change("name", from.Value, to.Value),
	}
}

// change is the one Change of an event that has its old and new value as members.
func change[T ~string](field string, from, to T) []domain.Change {
	return []domain.Change{{Field: field, From: word(from), To: word(to)}}
}

// word is a text as JSON.
func word[T ~string](v T) json.RawMessage { return encoded(string(v)) }

// encoded is a text or a list of texts as JSON, without HTML escapes, as the events' data
// is written.
func encoded(v any) json.RawMessage {
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	to.SetEscapeHTML(false)
	if err := to.Encode(v); err != nil {
		panic("projections: a text doesn't marshal: " + err.Error()) // none can fail
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}
