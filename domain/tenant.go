package domain

import "time"

// Registration says whether users may join a tenant by themselves.
type Registration string

// The two kinds of registration.
const (
	RegistrationOpen   Registration = "open"
	RegistrationClosed Registration = "closed"
)

// Channel is a way to send a notification.
type Channel string

// The channels. ChannelSlack needs an incoming webhook's address.
const (
	ChannelInApp Channel = "in_app"
	ChannelEmail Channel = "email"
	ChannelSlack Channel = "slack"
)

var channels = []Channel{ChannelInApp, ChannelEmail, ChannelSlack}

// Tenant is the state of a tenant, folded from its own stream.
type Tenant struct {
	ID           TenantID
	Slug         string
	Name         string
	Registration Registration
	DefaultRole  Role
	// Channel is the default channel of notifications.
	Channel Channel
	// EmailFrom is the sender of the tenant's e-mail; nil for the server's.
	EmailFrom *string
	// SlackWebhook names the secret that holds the incoming webhook's address; nil if
	// there is none.
	SlackWebhook *SecretID
	// FourEyes says that a member who submitted a project, or edited it since, can't approve
	// it, and that an edit takes an approved project back to submitted.
	FourEyes bool
	// RequireVerifiedEmail says that members without a verified address may read only.
	RequireVerifiedEmail bool
	// AwaitsFounder says that the first user who registers becomes the owner. It is
	// set in the default tenant until then.
	AwaitsFounder bool
	// Epoch is the one that began last; zero for the first.
	Epoch     EpochID
	CreatedAt time.Time
	UpdatedAt time.Time
	Version   int
}

// TenantCommand is one of CreateTenant, EditTenant and FoundTenant.
type TenantCommand interface{ tenantCommand() }

// CreateTenant creates a tenant. A claim in the same Commit keeps the slug unique.
type CreateTenant struct {
	Name          string
	Slug          string
	Registration  Registration
	AwaitsFounder bool
}

// EditTenant changes a tenant's settings.
type EditTenant struct {
	IfMatch      IfMatch
	Name         Edit[string]
	Registration Edit[Registration]
	DefaultRole  Edit[Role]
	Channel      Edit[Channel]
	EmailFrom    Edit[*string]
	// SlackWebhook is the name of the secret that holds the new address.
	SlackWebhook Edit[*SecretID]
	FourEyes     Edit[bool]

	RequireVerifiedEmail Edit[bool]
}

// FoundTenant ends the wait for a founder.
type FoundTenant struct{ Founder UserID }

// BeginEpoch records that the log may have lost events. It is the system's.
type BeginEpoch struct {
	Epoch  EpochID
	Reason string
}

func (CreateTenant) tenantCommand() {}
func (EditTenant) tenantCommand()   {}
func (FoundTenant) tenantCommand()  {}
func (BeginEpoch) tenantCommand()   {}

// DecideTenant decides a command on a tenant. Errors, in the order of the checks:
// CodeValidationFailed, CodeNotFound, CodeInsufficientRole, CodeVersionConflict,
// CodeSlugTaken.
func DecideTenant(t Tenant, by Actor, c TenantCommand) ([]Event, error) {
	switch c := c.(type) {
	case CreateTenant:
		return t.create(c)
	case EditTenant:
		return t.edit(by, c)
	case FoundTenant:
		if !t.AwaitsFounder {
			return nil, nil
		}
		return []Event{TenantFounded{Name: t.Name, OwnerID: c.Founder}}, nil
	case BeginEpoch:
		if t.Version == 0 || t.Epoch == c.Epoch {
			return nil, nil
		}
		return []Event{TenantEpochBegun(c)}, nil
	}
	return nil, unknownCommand(c)
}

func (t Tenant) create(c CreateTenant) ([]Event, error) {
	var f findings
	f.name("/name", c.Name, MaxName)
	f.slug("/slug", c.Slug)
	oneOf(&f, "/registration", c.Registration, RegistrationOpen, RegistrationClosed)
	if err := f.err(); err != nil {
		return nil, err
	}
	if t.Version > 0 {
		return nil, SlugTaken(c.Slug)
	}
	return []Event{TenantCreated{
		Name: c.Name, Slug: c.Slug, Registration: c.Registration, DefaultRole: Member,
		Channel: ChannelInApp, AwaitsFounder: c.AwaitsFounder,
	}}, nil
}

func (t Tenant) edit(by Actor, c EditTenant) ([]Event, error) {
	// Absent members count as valid: this checks the request alone.
	var f findings
	f.name("/name", c.Name.Or("-"), MaxName)
	oneOf(&f, "/registration", c.Registration.Or(RegistrationClosed), RegistrationOpen, RegistrationClosed)
	oneOf(&f, "/default_role", c.DefaultRole.Or(Member), Manager, Member, Viewer, Auditor)
	oneOf(&f, "/config/default_notification_channel", c.Channel.Or(ChannelInApp), channels...)
	if from := c.EmailFrom.Or(nil); from != nil {
		f.email("/config/email/from", *from)
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	if t.Version == 0 {
		return nil, NotFound("tenant")
	}
	if err := Permit(TenantEdit, by.Role, false, ""); err != nil {
		return nil, err
	}
	if err := c.IfMatch.Check(t.Version); err != nil {
		return nil, err
	}
	next := t
	next.Name = c.Name.Or(t.Name)
	next.Registration = c.Registration.Or(t.Registration)
	next.DefaultRole = c.DefaultRole.Or(t.DefaultRole)
	next.Channel = c.Channel.Or(t.Channel)
	next.EmailFrom = c.EmailFrom.Or(t.EmailFrom)
	next.SlackWebhook = c.SlackWebhook.Or(t.SlackWebhook)
	next.FourEyes = c.FourEyes.Or(t.FourEyes)
	next.RequireVerifiedEmail = c.RequireVerifiedEmail.Or(t.RequireVerifiedEmail)
	if next.Channel == ChannelSlack && next.SlackWebhook == nil {
		return nil, Invalid("/config/default_notification_channel", "not_set_up", "slack needs config.slack.webhook_url")
	}
	var list []Change
	list = changed(list, "name", t.Name, next.Name)
	list = changed(list, "registration", t.Registration, next.Registration)
	list = changed(list, "default_role", t.DefaultRole, next.DefaultRole)
	list = changed(list, "default_notification_channel", t.Channel, next.Channel)
	list = changed(list, "email_from", t.EmailFrom, next.EmailFrom)
	list = changed(list, "slack_webhook", t.SlackWebhook, next.SlackWebhook)
	list = changed(list, "four_eyes", t.FourEyes, next.FourEyes)
	list = changed(list, "require_verified_email", t.RequireVerifiedEmail, next.RequireVerifiedEmail)
	if len(list) == 0 {
		return nil, nil
	}
	return []Event{TenantUpdated{Name: next.Name, Changes: list}}, nil
}

// Admits returns the role of a user who joins by themselves, or
// CodeRegistrationClosed, also for a tenant that doesn't exist.
func (t Tenant) Admits() (Role, error) {
	if t.Version == 0 || t.Registration != RegistrationOpen {
		return "", RegistrationIsClosed()
	}
	if t.AwaitsFounder {
		return Owner, nil
	}
	return t.DefaultRole, nil
}

// RegistrationIsClosed is the refusal to join a tenant that takes no registrations.
func RegistrationIsClosed() *Error {
	return Refuse(CodeRegistrationClosed, "this tenant doesn't take registrations, or it doesn't exist")
}

// SlugTaken is the refusal of another tenant's slug.
func SlugTaken(slug string) *Error {
	return Refuse(CodeSlugTaken, "another tenant has the slug %q", slug)
}

// tenantFields are the fields that TenantUpdated may change.
var tenantFields = fields[Tenant]{
	"name":         field(func(t *Tenant) *string { return &t.Name }),
	"registration": field(func(t *Tenant) *Registration { return &t.Registration }),
	"default_role": field(func(t *Tenant) *Role { return &t.DefaultRole }),

	"default_notification_channel": field(func(t *Tenant) *Channel { return &t.Channel }),

	"email_from":    field(func(t *Tenant) **string { return &t.EmailFrom }),
	"slack_webhook": field(func(t *Tenant) **SecretID { return &t.SlackWebhook }),
	"four_eyes":     field(func(t *Tenant) *bool { return &t.FourEyes }),

	"require_verified_email": field(func(t *Tenant) *bool { return &t.RequireVerifiedEmail }),
}

// TenantFields are the names of the fields that TenantUpdated may change, sorted.
func TenantFields() []string { return tenantFields.names() }

// Evolve folds one event of the tenant's own stream.
func (t Tenant) Evolve(r Recorded) (Tenant, error) {
	switch e := r.Event.(type) {
	case TenantCreated:
		t = Tenant{
			ID: r.Tenant, Slug: e.Slug, Name: e.Name, Registration: e.Registration,
			DefaultRole: e.DefaultRole, Channel: e.Channel, AwaitsFounder: e.AwaitsFounder,
			CreatedAt: r.At,
		}
	case TenantUpdated:
		var err error
		if t, err = tenantFields.apply(t, e.Changes); err != nil {
			return t, err
		}
	case TenantFounded:
		t.AwaitsFounder = false
	case TenantEpochBegun:
		t.Epoch = e.Epoch
	default:
		return t, unknownTo("tenant", r.Event)
	}
	t.UpdatedAt, t.Version = r.At, r.Version
	return t, nil
}

// TenantCreated is the first event of a tenant's log.
type TenantCreated struct {
	Name          string       `json:"name"`
	Slug          string       `json:"slug"`
	Registration  Registration `json:"registration"`
	DefaultRole   Role         `json:"default_role"`
	Channel       Channel      `json:"default_notification_channel"`
	AwaitsFounder bool         `json:"awaits_founder"`
}

// TenantUpdated says what an owner changed; Name is the name after it.
type TenantUpdated struct {
	Name    string   `json:"name"`
	Changes []Change `json:"changes"`
}

// TenantFounded says that the first member has joined and is the owner.
type TenantFounded struct {
	Name    string `json:"name"`
	OwnerID UserID `json:"owner_id"`
}

// TenantEpochBegun says that the log may lack events that a client has seen before: the
// database was restored, or another server took over. Positions, versions and cursors
// from before say nothing about the log from here on.
type TenantEpochBegun struct {
	Epoch  EpochID `json:"epoch"`
	Reason string  `json:"reason"`
}

// EventType is the stored name.
func (TenantEpochBegun) EventType() string { return "tenant.epoch_begun" }

// EventType is the stored name.
func (TenantCreated) EventType() string { return "tenant.created" }

// EventType is the stored name.
func (TenantUpdated) EventType() string { return "tenant.updated" }

// EventType is the stored name.
func (TenantFounded) EventType() string { return "tenant.founded" }
