package httpapi

import (
	_ "embed"
	"encoding/json"

	"docket/httpapi/edge"
)

// recordedExamples are the bodies and problems of a run (examples_test.go writes them):
//
//	go test ./httpapi -run TestExamples -update
//
//go:embed examples.json
var recordedExamples []byte

// examples are those of the document.
func examples() edge.Examples {
	all := edge.Examples{Parameters: parameterExamples}
	if err := json.Unmarshal(recordedExamples, &all); err != nil {
		panic(err) // embedded
	}
	return all
}

// parameterExamples are the examples of parameters, by component, by tag and name, by
// name and format, or by name. The ids are those of the recorded bodies.
var parameterExamples = map[string]any{
	"ProjectIDParam":      "019ad922-5000-7000-8000-0000000000a1",
	"TaskIDParam":         "019ad922-5000-7000-8000-0000000000a2",
	"CommentIDParam":      "019ad922-5000-7000-8000-0000000000a3",
	"NotificationIDParam": "019ad922-5000-7000-8000-0000000000a4",
	"SessionIDParam":      "019ad922-5000-7000-8000-0000000000a5",
	"ApiKeyIDParam":       "019ad922-5000-7000-8000-0000000000a6",
	"user_id":             "019ad922-5000-7000-8000-0000000000b2",
	"X-Tenant-ID":         "019ad922-5000-7000-8000-0000000000c1",
	"X-Tenant-Slug":       "acme",

	"Idempotency-Key": "create-website-1",
	"If-Match":        `"3"`,
	"Docket-Epoch":    "019ad922-5000-7000-8000-0000000000d1",

	"limit":     20,
	"cursor":    "eyJuZXh0IjoyMH0",
	"as_of":     "2026-12-01T09:30:00Z",
	"min_seq":   12,
	"after_seq": 12,
	"q":         "website",
	"members q": "bob",

	"owner_id":       "019ad922-5000-7000-8000-0000000000b1",
	"actor_id":       "019ad922-5000-7000-8000-0000000000b1",
	"assignee_id":    "me",
	"created_by":     "me",
	"project_id":     "019ad922-5000-7000-8000-0000000000a1",
	"entity_id":      "019ad922-5000-7000-8000-0000000000a2",
	"label":          "design",
	"unread":         true,
	"due_before":     "2027-04-01",
	"due_after":      "2027-01-01",
	"due_date":       "none",
	"updated_since":  "2026-12-01T09:00:00Z",
	"field":          "status",
	"action":         "task.created",
	"from date-time": "2026-12-01T00:00:00Z",
	"to date-time":   "2026-12-02T00:00:00Z",
	"from date":      "2026-11-30",
	"to date":        "2026-12-06",
	"code":           "not-found",
}
