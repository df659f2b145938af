package domain_test

import (
	"slices"
	"strings"
	"testing"

	"docket/domain"

	"github.com/google/go-cmp/cmp"
)

var tenants = subject[domain.Tenant, domain.TenantCommand]{
	stream: domain.Stream(domain.TenantStream, tenantID),
	author: actor(1, domain.Owner),
	decide: domain.DecideTenant,
}

func tenantCreated() domain.TenantCreated {
	return domain.TenantCreated{
		Name: "Harbour", Slug: "harbour", Registration: domain.RegistrationClosed,
		DefaultRole: domain.Member, Channel: domain.ChannelInApp,
	}
}

func TestTenant(t *testing.T) {
	t.Parallel()
	owner := actor(1, domain.Owner)
	created := []domain.Event{tenantCreated()}
	waiting := tenantCreated()
	waiting.AwaitsFounder = true
	updated := func(changes ...domain.Change) []domain.Event {
		return []domain.Event{domain.TenantUpdated{Name: "Harbour", Changes: changes}}
	}
	configured := updated(
		domain.Change{Field: "default_notification_channel", From: []byte(`"in_app"`), To: []byte(`"slack"`)},
		domain.Change{Field: "email_from", From: []byte(`null`), To: []byte(`"port@example.org"`)},
		domain.Change{Field: "slack_webhook", From: []byte(`null`), To: []byte(`"` + webhookID.String() + `"`)},
		domain.Change{Field: "four_eyes", From: []byte(`false`), To: []byte(`true`)})[0]

	tenants.run(t, []scenario[domain.TenantCommand]{
		{
			name: "create", by: owner,
			when: domain.CreateTenant{Name: "Harbour", Slug: "harbour", Registration: domain.RegistrationClosed},
			then: created,
		}, {
			name: "create the tenant of the first start, without an actor",
			when: domain.CreateTenant{Name: "Harbour", Slug: "harbour", Registration: domain.RegistrationClosed, AwaitsFounder: true},
			then: []domain.Event{waiting},
		}, {
			name: "create with everything wrong", by: owner,
			when:    domain.CreateTenant{Name: " ", Slug: "Harbour", Registration: "ajar"},
			refused: domain.CodeValidationFailed, at: "/name /slug /registration",
		}, {
			name: "create again", given: created, by: owner,
			when:    domain.CreateTenant{Name: "Harbour", Slug: "harbour", Registration: domain.RegistrationClosed},
			refused: domain.CodeSlugTaken,
		}, {
			name: "create again, wrongly", given: created, by: owner,
			when:    domain.CreateTenant{Name: "", Slug: "harbour", Registration: domain.RegistrationClosed},
			refused: domain.CodeValidationFailed, at: "/name",
		}, {
			name: "edit everything", given: created, by: owner,
			when: domain.EditTenant{
				IfMatch: domain.IfVersion(1), Name: domain.To("Port"),
				Registration: domain.To(domain.RegistrationOpen), DefaultRole: domain.To(domain.Viewer),
			},
			then: []domain.Event{domain.TenantUpdated{Name: "Port", Changes: []domain.Change{
				{Field: "name", From: []byte(`"Harbour"`), To: []byte(`"Port"`)},
				{Field: "registration", From: []byte(`"closed"`), To: []byte(`"open"`)},
				{Field: "default_role", From: []byte(`"member"`), To: []byte(`"viewer"`)},
			}}},
		}, {
			name: "edit the settings of notifications, and four eyes", given: created, by: owner,
			when: domain.EditTenant{
				Channel: domain.To(domain.ChannelSlack), EmailFrom: domain.To(ptr("port@example.org")),
				SlackWebhook: domain.To(ptr(webhookID)), FourEyes: domain.To(true),
			},
			then: updated(
				domain.Change{Field: "default_notification_channel", From: []byte(`"in_app"`), To: []byte(`"slack"`)},
				domain.Change{Field: "email_from", From: []byte(`null`), To: []byte(`"port@example.org"`)},
				domain.Change{Field: "slack_webhook", From: []byte(`null`), To: []byte(`"` + webhookID.String() + `"`)},
				domain.Change{Field: "four_eyes", From: []byte(`false`), To: []byte(`true`)}),
		}, {
			name: "null clears what may be absent", given: append(created, configured), by: owner,
			when: domain.EditTenant{EmailFrom: domain.To[*string](nil), Channel: domain.To(domain.ChannelEmail), SlackWebhook: domain.To[*domain.SecretID](nil)},
			then: updated(
				domain.Change{Field: "default_notification_channel", From: []byte(`"slack"`), To: []byte(`"email"`)},
				domain.Change{Field: "email_from", From: []byte(`"port@example.org"`), To: []byte(`null`)},
				domain.Change{Field: "slack_webhook", From: []byte(`"` + webhookID.String() + `"`), To: []byte(`null`)}),
		}, {
			name: "settings to what they are", given: append(created, configured), by: owner,
			when: domain.EditTenant{
				Channel: domain.To(domain.ChannelSlack), EmailFrom: domain.To(ptr("port@example.org")),
				SlackWebhook: domain.To(ptr(webhookID)), FourEyes: domain.To(true),
			},
		}, {
			name: "slack by default, without its address", given: created, by: owner,
			when:    domain.EditTenant{Channel: domain.To(domain.ChannelSlack)},
			refused: domain.CodeValidationFailed, at: "/config/default_notification_channel",
		}, {
			name: "the address goes, though slack stays the default", given: append(created, configured), by: owner,
			when:    domain.EditTenant{SlackWebhook: domain.To[*domain.SecretID](nil)},
			refused: domain.CodeValidationFailed, at: "/config/default_notification_channel",
		}, {
			name: "settings with everything wrong", given: created, by: owner,
			when:    domain.EditTenant{Channel: domain.To(domain.Channel("pigeon")), EmailFrom: domain.To(ptr("port"))},
			refused: domain.CodeValidationFailed, at: "/config/default_notification_channel /config/email/from",
		}, {
			name: "edit one field", given: created, by: owner,
			when: domain.EditTenant{DefaultRole: domain.To(domain.Auditor)},
			then: []domain.Event{domain.TenantUpdated{Name: "Harbour", Changes: []domain.Change{
				{Field: "default_role", From: []byte(`"member"`), To: []byte(`"auditor"`)},
			}}},
		}, {
			name: "edit to the present values", given: created, by: owner,
			when: domain.EditTenant{Name: domain.To("Harbour")},
		}, {
			name: "edit without members", given: created, by: owner, when: domain.EditTenant{},
		}, {
			name: "owner as the default role", given: created, by: owner,
			when:    domain.EditTenant{DefaultRole: domain.To(domain.Owner)},
			refused: domain.CodeValidationFailed, at: "/default_role",
		}, {
			name: "null for required members", given: created, by: owner,
			when: domain.EditTenant{
				Name: domain.To(""), Registration: domain.To(domain.Registration("")), DefaultRole: domain.To(domain.Role("")),
			},
			refused: domain.CodeValidationFailed, at: "/name /registration /default_role",
		}, {
			name: "edit as manager", given: created, by: actor(2, domain.Manager),
			when:    domain.EditTenant{Name: domain.To("Port")},
			refused: domain.CodeInsufficientRole,
			with:    map[string]any{"required_role": domain.Owner, "your_role": domain.Manager},
		}, {
			name: "edit a stale version", given: created, by: owner,
			when:    domain.EditTenant{IfMatch: domain.IfVersion(2), Name: domain.To("Port")},
			refused: domain.CodeVersionConflict, with: map[string]any{"current_version": 1},
		}, {
			name: "a stale version without a change", given: created, by: owner,
			when:    domain.EditTenant{IfMatch: domain.IfVersion(2)},
			refused: domain.CodeVersionConflict,
		}, {
			name: "found", given: []domain.Event{waiting},
			when: domain.FoundTenant{Founder: person(1)},
			then: []domain.Event{domain.TenantFounded{Name: "Harbour", OwnerID: person(1)}},
		}, {
			name: "found a tenant that has an owner", given: []domain.Event{waiting, domain.TenantFounded{Name: "Harbour", OwnerID: person(1)}},
			when: domain.FoundTenant{Founder: person(2)},
		}, {
			name: "found a tenant that awaits no founder", given: created,
			when: domain.FoundTenant{Founder: person(2)},
		}, {
			name: "begin an epoch", given: created,
			when: domain.BeginEpoch{Epoch: domain.EpochID{1: 2}, Reason: "restored"},
			then: []domain.Event{domain.TenantEpochBegun{Epoch: domain.EpochID{1: 2}, Reason: "restored"}},
		}, {
			name: "begin an epoch again", given: append(slices.Clone(created), domain.TenantEpochBegun{Epoch: domain.EpochID{1: 2}, Reason: "restored"}),
			when: domain.BeginEpoch{Epoch: domain.EpochID{1: 2}, Reason: "restored"},
		}, {
			name: "begin an epoch of a tenant that is lost",
			when: domain.BeginEpoch{Epoch: domain.EpochID{1: 2}, Reason: "restored"},
		},
	})
}

func TestTenantEditOrder(t *testing.T) {
	t.Parallel()
	type attempt struct{ misshapen, missing, lowly, stale bool }
	ladder(t, func(t *testing.T, x attempt) ([]domain.Event, error) {
		given, by := []domain.Event{tenantCreated()}, actor(1, domain.Owner)
		edit := domain.EditTenant{IfMatch: domain.IfVersion(1), Name: domain.To("Port")}
		if x.misshapen {
			edit.Name = domain.To(strings.Repeat("x", 201))
		}
		if x.missing {
			given = nil
		}
		if x.lowly {
			by.Role = domain.Manager
		}
		if x.stale {
			edit.IfMatch = domain.IfVersion(7)
		}
		return domain.DecideTenant(fold[domain.Tenant](t, tenants.stream, tenants.author, given...), by, edit)
	},
		fault[attempt]{"misshapen", domain.CodeValidationFailed, func(x *attempt) { x.misshapen = true }},
		fault[attempt]{"missing", domain.CodeNotFound, func(x *attempt) { x.missing = true }},
		fault[attempt]{"lowly", domain.CodeInsufficientRole, func(x *attempt) { x.lowly = true }},
		fault[attempt]{"stale", domain.CodeVersionConflict, func(x *attempt) { x.stale = true }},
	)
}

func TestTenantAdmits(t *testing.T) {
	t.Parallel()
	open := tenantCreated()
	open.Registration = domain.RegistrationOpen
	waiting := open
	waiting.AwaitsFounder = true
	for _, c := range []struct {
		name   string
		events []domain.Event
		want   domain.Role
	}{
		{"not there", nil, ""},
		{"closed", []domain.Event{tenantCreated()}, ""},
		{"open", []domain.Event{open}, domain.Member},
		{"awaiting its founder", []domain.Event{waiting}, domain.Owner},
		{"founded", []domain.Event{waiting, domain.TenantFounded{Name: "Harbour", OwnerID: person(1)}}, domain.Member},
	} {
		role, err := fold[domain.Tenant](t, tenants.stream, tenants.author, c.events...).Admits()
		if role != c.want {
			t.Errorf("%s: admitted as %q, want %q", c.name, role, c.want)
		}
		if c.want == "" && domain.CodeOf(err) != domain.CodeRegistrationClosed {
			t.Errorf("%s: %v, want %s", c.name, err, domain.CodeRegistrationClosed)
		}
	}
	_, absent := domain.Tenant{}.Admits()
	_, closed := fold[domain.Tenant](t, tenants.stream, tenants.author, tenantCreated()).Admits()
	if absent.Error() != closed.Error() {
		t.Errorf("a tenant that doesn't exist refuses with %q, a closed one with %q, want the same", absent, closed)
	}
}

func TestDefaultRoles(t *testing.T) {
	t.Parallel()
	state := fold[domain.Tenant](t, tenants.stream, tenants.author, tenantCreated())
	for _, r := range domain.Roles() {
		_, err := domain.DecideTenant(state, actor(1, domain.Owner), domain.EditTenant{DefaultRole: domain.To(r)})
		if (err == nil) != (r != domain.Owner) {
			t.Errorf("%s by default: %v", r, err)
		}
	}
}

func TestTenantFold(t *testing.T) {
	t.Parallel()
	created := tenantCreated()
	created.AwaitsFounder = true
	got := fold[domain.Tenant](t, tenants.stream, tenants.author, created,
		domain.TenantFounded{Name: "Harbour", OwnerID: person(1)},
		domain.TenantUpdated{Name: "Port", Changes: []domain.Change{{Field: "name", From: []byte(`"Harbour"`), To: []byte(`"Port"`)}}})
	want := domain.Tenant{
		ID: tenantID, Slug: "harbour", Name: "Port", Registration: domain.RegistrationClosed, DefaultRole: domain.Member,
		Channel: domain.ChannelInApp, CreatedAt: moment(1), UpdatedAt: moment(3), Version: 3,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}
