package domain_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"docket/domain"
)

func TestIfMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		match domain.IfMatch
		asks  bool
		met   bool
	}{
		{"nothing asked", domain.IfMatch{}, false, true},
		{"the version", domain.IfVersion(3), true, true},
		{"one of several", domain.IfVersion(2, 3), true, true},
		{"an older one", domain.IfVersion(2), true, false},
		{"a newer one", domain.IfVersion(4), true, false},
		{"none at all", domain.IfVersion(), true, false},
		{"zero", domain.IfVersion(0), true, false},
	} {
		err := c.match.Check(3)
		if c.match.Conditional() != c.asks || (err == nil) != c.met {
			t.Errorf("%s: conditional %v, %v", c.name, c.match.Conditional(), err)
		}
		var refusal *domain.Error
		if !c.met && (!errors.As(err, &refusal) || refusal.Code != domain.CodeVersionConflict || refusal.Members["current_version"] != 3) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestEdit(t *testing.T) {
	t.Parallel()
	if got := (domain.Edit[string]{}).Or("present"); got != "present" {
		t.Errorf("absent: %q", got)
	}
	if got := (domain.Edit[string]{Value: "stray"}).Or("present"); got != "present" {
		t.Errorf("a value without its mark: %q", got)
	}
	if got := domain.To("").Or("present"); got != "" {
		t.Errorf("empty: %q", got)
	}
	if got := domain.To[*string](nil).Or(ptr("present")); got != nil {
		t.Errorf("null: %q", *got)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	var holder struct {
		ID       domain.TaskID  `json:"id"`
		Assignee *domain.UserID `json:"assignee"`
	}
	const canonical = `{"id":"019b0000-0000-7000-8000-000000000003","assignee":null}`
	if err := json.Unmarshal([]byte(canonical), &holder); err != nil || holder.ID != taskID || holder.Assignee != nil {
		t.Errorf("%+v, %v", holder, err)
	}
	if out, err := json.Marshal(holder); err != nil || string(out) != canonical {
		t.Errorf("%s, %v", out, err)
	}
	for _, bad := range []string{`""`, `"7"`, `7`, `"{019b0000-0000-7000-8000-000000000003}"`, `"019b000000007000800000000000000a"`} {
		if err := json.Unmarshal([]byte(`{"id":`+bad+`}`), &holder); err == nil {
			t.Errorf("%s was accepted as an id", bad)
		}
	}
	if !domain.Platform.IsZero() || taskID.IsZero() {
		t.Error("the platform alone is zero")
	}
	if s := domain.Stream(domain.TaskStream, taskID); s.ID != taskID.UUID() || s.String() != "task/"+taskID.String() {
		t.Errorf("stream %s", s)
	}
}

func TestScope(t *testing.T) {
	t.Parallel()
	m := domain.Membership{TenantID: tenantID, UserID: person(1), Name: "Person 1", Role: domain.Viewer, Active: true, Version: 7}
	s, err := domain.Admit(m)
	if err != nil || s.Tenant() != tenantID || s.Actor() != (domain.Actor{ID: person(1), Name: "Person 1", Role: domain.Viewer}) ||
		s.MembershipVersion() != 7 || s.Operator() {
		t.Errorf("admitted: %+v, %v", s, err)
	}
	for _, out := range []domain.Membership{{}, {TenantID: tenantID, UserID: person(1), Role: domain.Owner, Version: 7}} {
		if s, err := domain.Admit(out); domain.CodeOf(err) != domain.CodeTenantAccessDenied || s != (domain.Scope{}) {
			t.Errorf("%+v was admitted: %+v, %v", out, s, err)
		}
	}
	if o := domain.Operate(tenantID); o.Tenant() != tenantID || !o.Operator() || o.Actor() != (domain.Actor{}) {
		t.Errorf("operator: %+v", o)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	refusal := domain.Refuse(domain.CodeLastOwner, "%d left", 1).With("owners", 1)
	wrapped := fmt.Errorf("append: %w", refusal)
	if domain.CodeOf(wrapped) != domain.CodeLastOwner || !errors.Is(wrapped, domain.LastOwner()) || errors.Is(wrapped, domain.EmailTaken()) {
		t.Errorf("errors.Is doesn't find the code of %v", wrapped)
	}
	if refusal.Error() != "last-owner: 1 left" || refusal.Members["owners"] != 1 || (&domain.Error{Code: domain.CodeInternal}).Error() != "internal" {
		t.Errorf("%v, %v", refusal, refusal.Members)
	}
	if domain.CodeOf(errors.New("x")) != domain.CodeInternal || domain.CodeOf(nil) != domain.CodeInternal {
		t.Error("what is no refusal has a code")
	}
	if one := domain.Invalid("/a", "b", "c %d", 1); one.Code != domain.CodeValidationFailed || one.Fields[0] != (domain.FieldError{Pointer: "/a", Code: "b", Detail: "c 1"}) {
		t.Errorf("%+v", one)
	}
}

// A caller can change the slices that it gets without changing the tables.
func TestTablesAreCopied(t *testing.T) {
	t.Parallel()
	domain.Statuses()[0].Closed = true
	domain.Workflow()[0].Least = domain.Viewer
	domain.TransitionsFrom(domain.Draft)[0].Least = domain.Viewer
	domain.Roles()[0] = domain.Viewer
	domain.TaskStatuses()[0] = domain.Done
	joined := slices.IndexFunc(domain.Definitions(), func(d domain.Definition) bool { return d.Type == "member.joined" })
	domain.Definitions()[joined].Type = "x"
	domain.Definitions()[joined].Personal[0] = "x"
	domain.Grants(domain.ProjectEdit)[0].Least = domain.Viewer
	domain.Grants(domain.ProjectEdit)[0].In[0] = domain.Archived
	if domain.Draft.Closed() || domain.Workflow()[0].Least != domain.Member || domain.Roles()[0] != domain.Owner || domain.TaskStatuses()[0] != domain.Todo ||
		domain.Definitions()[joined].Type == "x" || domain.Definitions()[joined].Personal[0] == "x" || domain.Permit(domain.ProjectEdit, domain.Viewer, true, domain.Draft) == nil ||
		domain.Permit(domain.ProjectEdit, domain.Member, true, domain.Draft) != nil {
		t.Error("a table was changed by what it handed out")
	}
}
