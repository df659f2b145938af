package httpapi

import (
	"context"
	"net/http"
	"time"

	"docket/domain"
	"docket/httpapi/edge"
)

// tenantSettingsBody is a tenant as its owners see it.
type tenantSettingsBody struct {
	ID           domain.TenantID     `json:"id" format:"uuid"`
	Slug         string              `json:"slug"`
	Name         string              `json:"name"`
	Registration domain.Registration `json:"registration" enum:"open,closed"`
	DefaultRole  domain.Role         `json:"default_role" enum:"manager,member,viewer,auditor"`
	Config       tenantConfigBody    `json:"config"`
	CreatedAt    time.Time           `json:"created_at"`
	UpdatedAt    time.Time           `json:"updated_at"`
	Version      int                 `json:"version"`
}

// tenantConfigBody configures a tenant's notifications and workflow.
type tenantConfigBody struct {
	Channel  domain.Channel  `json:"default_notification_channel" enum:"in_app,email,slack"`
	Email    emailConfigBody `json:"email"`
	Slack    slackConfigBody `json:"slack"`
	FourEyes bool            `json:"four_eyes" doc:"Whether a member who submitted a project, or edited it since, may not approve it, and an edit takes an approved project back to submitted."`

	RequireVerifiedEmail bool `json:"require_verified_email" doc:"Whether members without a verified address may only read."`
}

type emailConfigBody struct {
	From *string `json:"from" doc:"Where replies to the tenant's e-mail go; the sender is the server's, unless its operator allows this address's domain. null: none."`
}

type slackConfigBody struct {
	Set bool `json:"set" doc:"Whether there is an incoming webhook. Its address is a secret and never shown."`
}

func renderSettings(t domain.Tenant) tenantSettingsBody {
	return tenantSettingsBody{
		ID: t.ID, Slug: t.Slug, Name: t.Name, Registration: t.Registration, DefaultRole: t.DefaultRole,
		Config: tenantConfigBody{
			Channel: t.Channel, Email: emailConfigBody{From: t.EmailFrom}, Slack: slackConfigBody{Set: t.SlackWebhook != nil}, FourEyes: t.FourEyes,
			RequireVerifiedEmail: t.RequireVerifiedEmail,
		},
		CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt, Version: t.Version,
	}
}

type editTenantSettingsBody struct {
	Name         edge.Patch[string]               `json:"name,omitzero" minLength:"1" maxLength:"200"`
	Registration edge.Patch[domain.Registration]  `json:"registration,omitzero" enum:"open,closed" doc:"Whether any user may join without an invitation."`
	DefaultRole  edge.Patch[domain.Role]          `json:"default_role,omitzero" enum:"manager,member,viewer,auditor" doc:"The role of users who join without an invitation."`
	Config       edge.Patch[editTenantConfigBody] `json:"config,omitzero"`
}

type editTenantConfigBody struct {
	Channel  edge.Patch[domain.Channel]      `json:"default_notification_channel,omitzero" enum:"in_app,email,slack" doc:"How members are notified; slack needs its webhook."`
	Email    edge.Patch[editEmailConfigBody] `json:"email,omitzero"`
	Slack    edge.Patch[editSlackConfigBody] `json:"slack,omitzero"`
	FourEyes edge.Patch[bool]                `json:"four_eyes,omitzero"`

	RequireVerifiedEmail edge.Patch[bool] `json:"require_verified_email,omitzero" doc:"Whether members without a verified address may only read. Your own has to be verified."`
}

// Null for the whole clears what is in it.
type editEmailConfigBody struct {
	_    struct{}           `nullable:"true"`
	From edge.Patch[string] `json:"from,omitzero" format:"idn-email" maxLength:"254" nullable:"true" example:"ann@example.org"`
}

// Null for the whole clears what is in it.
type editSlackConfigBody struct {
	_          struct{}           `nullable:"true"`
	WebhookURL edge.Patch[string] `json:"webhook_url,omitzero" format:"uri" maxLength:"2048" nullable:"true" doc:"https, in a public network. It is written and never shown."`
}

// emailFrom is the edit of the sender.
func (c editTenantConfigBody) emailFrom() domain.Edit[*string] {
	if c.Email.Null {
		return domain.To[*string](nil)
	}
	return c.Email.Value.From.Nullable()
}

// slackWebhook is the edit of the webhook's address.
func (c editTenantConfigBody) slackWebhook() domain.Edit[*string] {
	if c.Slack.Null {
		return domain.To[*string](nil)
	}
	return c.Slack.Value.WebhookURL.Nullable()
}

func registerAdminTenant(s *Server) {
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/admin/tenant", ID: "get-tenant", Tag: "admin", Action: domain.TenantRead,
		Summary: "The tenant's settings", Description: "Secrets are never shown, only whether they are set.", Errors: []domain.Code{domain.CodeReadModelLagging, domain.CodeNotFound},
	}, s.getTenant)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodPatch, Path: "/v1/admin/tenant", ID: "edit-tenant", Tag: "admin", Action: domain.TenantEdit,
		Summary: "Change the tenant's settings", Description: "An absent field stays, null clears.", Errors: commandErrors(),
	}, s.editTenant)
}

func (s *Server) getTenant(ctx context.Context, scope domain.Scope, in *struct{ AsOfInput }) (*asOfItem[tenantSettingsBody], error) {
	at, err := s.asOf(ctx, scope, in.AsOfInput)
	if err != nil {
		return nil, err
	}
	var t domain.Tenant
	if at != nil {
		t, err = s.queries.TenantAsOf(ctx, scope, *at)
	} else {
		t, err = s.queries.Tenant(ctx, scope, s.fresh(scope, in.Positioned))
	}
	if err != nil {
		return nil, err
	}
	return &asOfItem[tenantSettingsBody]{ETag: edge.ETag(t.Version), AsOf: asOfHeader(at), Body: renderSettings(t)}, nil
}

func (s *Server) editTenant(ctx context.Context, scope domain.Scope, in *struct {
	IfMatch edge.IfMatch `header:"If-Match"`
	Body    editTenantSettingsBody
}) (*updated[tenantSettingsBody], error) {
	config := in.Body.Config.Value
	webhook := config.slackWebhook()
	if webhook.Value != nil {
		if err := s.egress.Check(*webhook.Value); err != nil {
			return nil, domain.Invalid("/config/slack/webhook_url", edge.FieldFormat, "%v", err)
		}
	}
	if config.RequireVerifiedEmail.Edit().Or(false) {
		// An owner who isn't verified would lock themselves out.
		if verified, err := s.isVerified(ctx, scope.Actor().ID); err != nil {
			return nil, err
		} else if !verified {
			return nil, edge.EmailUnverified()
		}
	}
	result, err := s.commands.EditTenant(ctx, scope, edge.Origin(ctx), domain.EditTenant{
		IfMatch: in.IfMatch.IfMatch, Name: in.Body.Name.Edit(), Registration: in.Body.Registration.Edit(), DefaultRole: in.Body.DefaultRole.Edit(),
		Channel: config.Channel.Edit(), EmailFrom: config.emailFrom(), FourEyes: config.FourEyes.Edit(),
		RequireVerifiedEmail: config.RequireVerifiedEmail.Edit(),
	}, webhook)
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, result.Seq)
	return &updated[tenantSettingsBody]{ETag: edge.ETag(result.State.Version), Seq: result.Seq, Body: renderSettings(result.State)}, nil
}
