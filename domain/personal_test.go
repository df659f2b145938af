package domain_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"docket/domain"
)

// personal lists the fields of each event that hold a person's name or address. An
// event that isn't listed has none.
var personal = map[string][]string{
	"user.registered":     {"email", "name"},
	"user.renamed":        {"from", "name"},
	"member.joined":       {"email", "name"},
	"member.role_changed": {"name"},
	"member.renamed":      {"from", "name"},
	"member.left":         {"name"},
}

// impersonal lists the other texts of each event, which by their nature name no
// person. A new text must be added here or to personal, after consideration.
var impersonal = map[string][]string{
	"tenant.created":         {"name", "slug", "registration", "default_role", "default_notification_channel"},
	"tenant.updated":         {"name", "changes.field", "changes.from", "changes.to"},
	"tenant.founded":         {"name"},
	"tenant.epoch_begun":     {"reason"},
	"member.joined":          {"role"},
	"member.role_changed":    {"from", "to"},
	"member.left":            {"role"},
	"project.created":        {"name", "description", "visibility", "due_date"},
	"project.updated":        {"name", "changes.field", "changes.from", "changes.to"},
	"project.status_changed": {"name", "from", "to", "comment"},
	"project.deleted":        {"name", "status"},
	"task.created":           {"project_name", "title", "description", "priority", "labels", "due_date"},
	"task.updated":           {"project_name", "title", "changes.field", "changes.from", "changes.to"},
	"task.deleted":           {"project_name", "title"},
	"comment.created":        {"project_name", "title", "body"},
	"comment.updated":        {"project_name", "title", "changes.field", "changes.from", "changes.to"},
	"comment.deleted":        {"project_name", "title"},

	// A service account is a program.
	"api_key.created": {"name", "role", "actions", "prefix", "expires_at"},
	"api_key.rotated": {"name", "prefix", "expires_at", "previous_until"},
	"api_key.revoked": {"name"},

	// An operator isn't a user and has no subject: docs/operations.md asks for a role.
	"subscription.event_skipped": {"subscription", "operator", "reason"},
	"subscription.resumed":       {"subscription", "operator", "reason"},
}

func TestEveryTextIsPersonalOrNot(t *testing.T) {
	t.Parallel()
	for _, d := range domain.Definitions() {
		if !slices.Equal(d.Personal, personal[d.Type]) {
			t.Errorf("%s: the registry marks %v, want %v", d.Type, d.Personal, personal[d.Type])
		}
		var inEnvelope, plain []string
		texts("", reflect.TypeOf(sampleOf(t, d.Type)), &inEnvelope, &plain)
		if !slices.Equal(inEnvelope, personal[d.Type]) {
			t.Errorf("%s: fields in an envelope are %v, want %v", d.Type, inEnvelope, personal[d.Type])
		}
		if !slices.Equal(plain, impersonal[d.Type]) {
			t.Errorf("%s: plain texts are %v, want %v", d.Type, plain, impersonal[d.Type])
		}
	}
}

// texts are the stored names of all fields with a text, at any depth.
func texts(name string, typ reflect.Type, inEnvelope, plain *[]string) {
	switch {
	case typ == reflect.TypeFor[domain.Personal]():
		*inEnvelope = append(*inEnvelope, name)
	case typ.Kind() == reflect.String, typ == reflect.TypeFor[json.RawMessage]():
		*plain = append(*plain, name)
	case typ.Kind() == reflect.Pointer, typ.Kind() == reflect.Slice, typ.Kind() == reflect.Map:
		texts(name, typ.Elem(), inEnvelope, plain)
	case typ.Kind() == reflect.Struct:
		for f := range typ.Fields() {
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			texts(strings.TrimPrefix(name+"."+tag, "."), f.Type, inEnvelope, plain)
		}
	}
}

// The stored form has every personal text in an envelope.
func TestPersonalTextsAreInAnEnvelope(t *testing.T) {
	t.Parallel()
	for _, e := range samples {
		_, data, err := domain.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		for _, field := range personal[e.EventType()] {
			prefix := `{"$p":{"subject":"` + person(1).String() + `","key":"none","value":"`
			if !strings.HasPrefix(string(m[field]), prefix) {
				t.Errorf("%s.%s is %s", e.EventType(), field, m[field])
			}
		}
	}
}

func TestMeta(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		meta domain.Meta
		want string
		name string
	}{
		{domain.Meta{}, `{}`, ""},
		{
			domain.Meta{RequestID: "r-1", ActorName: ptr(domain.About(person(1), "Person 1"))},
			`{"request_id":"r-1","actor_name":{"$p":{"subject":"` + person(1).String() + `","key":"none","value":"Person 1"}}}`,
			"Person 1",
		},
	} {
		got, err := json.Marshal(c.meta)
		if err != nil || string(got) != c.want {
			t.Errorf("%s, %v; want %s", got, err, c.want)
		}
		var back domain.Meta
		if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(back, c.meta) {
			t.Errorf("%s was decoded as %+v, %v", got, back, err)
		}
		if name := (domain.Recorded{Meta: back}).ActorName(); name != c.name {
			t.Errorf("the actor's name is %q, want %q", name, c.name)
		}
	}
}
