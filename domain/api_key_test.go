package domain_test

import (
	"errors"
	"testing"
	"time"

	"docket/domain"
)

// madeAPIKey is a service account, created by an owner.
func madeAPIKey(t *testing.T, now time.Time) domain.APIKey {
	t.Helper()
	events, err := domain.DecideAPIKey(domain.APIKey{}, domain.Actor{ID: person(1), Role: domain.Owner}, domain.CreateAPIKey{
		ID: person(7), Name: "CI", Role: domain.Member, Actions: []domain.Action{domain.TaskRead, domain.TaskCreate, domain.TaskRead},
		Key: domain.NewKey{Secret: domain.SecretID{1: 1}, Prefix: "abcd2345", Now: now},
	})
	if err != nil || len(events) != 1 {
		t.Fatal(events, err)
	}
	k, err := domain.APIKey{}.Evolve(domain.Recorded{Tenant: domain.TenantID{9: 9}, Version: 1, At: now, Actor: person(1), Event: events[0]})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A key is valid until it expires, the one before a rotation until the overlap ends or it
// expires, and none after the revocation.
func TestAPIKeyIsValidUntil(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)
	owner := domain.Actor{ID: person(1), Role: domain.Owner}
	k := madeAPIKey(t, now)
	first, second, third := domain.SecretID{1: 1}, domain.SecretID{1: 2}, domain.SecretID{1: 3}
	if len(k.Actions) != 2 || k.Actions[0] != domain.TaskCreate {
		t.Errorf("actions: %v", k.Actions)
	}
	valid := func(secret domain.SecretID, at time.Time, want bool) {
		t.Helper()
		if got := k.Valid(secret, at); got != want {
			t.Errorf("key %v at %v: valid %v", secret, at, got)
		}
	}
	end := now.Add(domain.DefaultKeyLifetime)
	valid(first, end.Add(-1), true)
	valid(first, end, false)
	valid(second, now, false)
	valid(domain.SecretID{}, now, false)

	rotate := func(to domain.SecretID, at time.Time, overlap time.Duration) {
		t.Helper()
		events, err := domain.DecideAPIKey(k, owner, domain.RotateAPIKey{Key: domain.NewKey{Secret: to, Prefix: "efgh2345", Now: at}, Overlap: overlap})
		if err != nil {
			t.Fatal(err)
		}
		if k, err = k.Evolve(domain.Recorded{Version: k.Version + 1, At: at, Event: events[0]}); err != nil {
			t.Fatal(err)
		}
	}
	rotate(second, now, time.Hour)
	valid(first, now.Add(time.Hour-1), true)
	valid(first, now.Add(time.Hour), false)
	valid(second, end.Add(-1), true)
	rotate(third, end.Add(-time.Minute), time.Hour)
	valid(first, now, false)
	valid(second, end.Add(-1), true)
	valid(second, end, false)

	events, err := domain.DecideAPIKey(k, owner, domain.RevokeAPIKey{})
	if err != nil {
		t.Fatal(err)
	}
	if k, err = k.Evolve(domain.Recorded{Version: 4, Event: events[0]}); err != nil {
		t.Fatal(err)
	}
	valid(third, now, false)
	if _, err := domain.AdmitService(k); domain.CodeOf(err) != domain.CodeUnauthenticated {
		t.Errorf("a revoked one is admitted: %v", err)
	}
	if _, err := domain.DecideAPIKey(k, owner, domain.RevokeAPIKey{}); domain.CodeOf(err) != domain.CodeNotFound {
		t.Errorf("revoked twice: %v", err)
	}
}

func TestAPIKeyRefusals(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) domain.NewKey {
		end := now.Add(d)
		return domain.NewKey{Now: now, ExpiresAt: &end}
	}
	ok := at(time.Hour)
	for _, c := range []struct {
		by      domain.Role
		command domain.APIKeyCommand
		want    domain.Code
		pointer string
	}{
		{domain.Owner, domain.CreateAPIKey{Name: "CI", Role: domain.Auditor, Key: at(domain.MaxKeyLifetime)}, "", ""},
		{domain.Owner, domain.CreateAPIKey{Name: "CI", Role: domain.Owner, Key: ok}, domain.CodeValidationFailed, "/role"},
		{domain.Owner, domain.CreateAPIKey{Name: "", Role: domain.Viewer, Key: ok}, domain.CodeValidationFailed, "/name"},
		{domain.Owner, domain.CreateAPIKey{Name: "CI\u202e", Role: domain.Viewer, Key: ok}, domain.CodeValidationFailed, "/name"},
		{domain.Owner, domain.CreateAPIKey{Name: "\u200b", Role: domain.Viewer, Key: ok}, domain.CodeValidationFailed, "/name"},
		{domain.Owner, domain.CreateAPIKey{Name: "CI", Role: domain.Viewer, Actions: []domain.Action{domain.APIKeyManage}, Key: ok}, domain.CodeValidationFailed, "/actions"},
		{domain.Owner, domain.CreateAPIKey{Name: "CI", Role: domain.Viewer, Key: at(0)}, domain.CodeValidationFailed, "/expires_at"},
		{domain.Owner, domain.CreateAPIKey{Name: "CI", Role: domain.Viewer, Key: at(domain.MaxKeyLifetime + 1)}, domain.CodeValidationFailed, "/expires_at"},
		{domain.Manager, domain.CreateAPIKey{Name: "CI", Role: domain.Viewer, Key: ok}, domain.CodeInsufficientRole, ""},
		{domain.Owner, domain.RotateAPIKey{Key: ok, Overlap: domain.MaxKeyOverlap + 1}, domain.CodeValidationFailed, "/overlap_seconds"},
		{domain.Manager, domain.RotateAPIKey{Key: ok}, domain.CodeInsufficientRole, ""},
		{domain.Manager, domain.RevokeAPIKey{}, domain.CodeInsufficientRole, ""},
		{domain.Owner, domain.RevokeAPIKey{IfMatch: domain.IfVersion(2)}, domain.CodeVersionConflict, ""},
	} {
		_, err := domain.DecideAPIKey(madeAPIKey(t, now), domain.Actor{Role: c.by}, c.command)
		if c.want == "" {
			if err != nil {
				t.Errorf("%+v: %v", c.command, err)
			}
			continue
		}
		var e *domain.Error
		if !errors.As(err, &e) || e.Code != c.want || c.pointer != "" && e.Fields[0].Pointer != c.pointer {
			t.Errorf("%+v by %s: %v, want %s %s", c.command, c.by, err, c.want, c.pointer)
		}
	}
}

// A service account does what its role and its actions allow, and nothing that is for people.
func TestScopeOfAServiceAccount(t *testing.T) {
	t.Parallel()
	of := func(role domain.Role, actions ...domain.Action) domain.Scope {
		t.Helper()
		s, err := domain.AdmitService(domain.APIKey{TenantID: domain.TenantID{1}, ID: person(7), Role: role, Actions: actions, Version: 1})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, c := range []struct {
		scope  domain.Scope
		action domain.Action
		want   domain.Code
	}{
		{of(domain.Member), domain.TaskCreate, ""},
		{of(domain.Viewer), domain.TaskCreate, domain.CodeInsufficientRole},
		{of(domain.Member), domain.MemberRemove, domain.CodeServiceAccountDenied},
		{of(domain.Member, domain.TaskRead), domain.TaskRead, ""},
		{of(domain.Member, domain.TaskRead), domain.TaskCreate, domain.CodeServiceAccountDenied},
	} {
		if err := c.scope.MayTry(c.action); c.want == "" && err != nil || c.want != "" && domain.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %q", c.action, err, c.want)
		}
	}
	for _, a := range domain.ServiceActions() {
		if of(domain.Manager).MayTry(a) != nil && of(domain.Auditor).MayTry(a) != nil {
			t.Errorf("no service account may do %s", a)
		}
	}
}
