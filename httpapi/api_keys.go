package httpapi

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"time"

	"docket/domain"
	"docket/httpapi/edge"
	"docket/projections"
)

// apiKeyBody is a service account, without its key.
type apiKeyBody struct{ APIKeyFields }

// APIKeyFields are what both bodies have.
type APIKeyFields struct {
	ID         domain.UserID   `json:"id" format:"uuid" doc:"Of the service account: the actor_id of what it does."`
	Name       string          `json:"name"`
	Role       domain.Role     `json:"role" enum:"manager,member,viewer,auditor"`
	Actions    []domain.Action `json:"actions" enum:"activity.read,comment.create,comment.delete,comment.edit,comment.read,event.read,member.read,notification.mark,notification.read,project.create,project.delete,project.edit,project.read,project.transition,report.read,stats.read,task.create,task.delete,task.edit,task.read" doc:"They narrow what the role may do; empty: they don't."`
	Prefix     string          `json:"prefix" doc:"The key begins with dkt_ and this."`
	CreatedBy  domain.UserID   `json:"created_by" format:"uuid"`
	CreatedAt  time.Time       `json:"created_at"`
	ExpiresAt  time.Time       `json:"expires_at"`
	LastUsedAt *time.Time      `json:"last_used_at" doc:"To the minute."`
	Version    int             `json:"version"`
}

// issuedAPIKeyBody is the only answer that has the key.
type issuedAPIKeyBody struct {
	APIKeyFields
	Key string `json:"key" doc:"Send it as Authorization: Bearer. It isn't shown again."`
}

type newAPIKeyBody struct {
	Name      string          `json:"name" minLength:"1" maxLength:"200"`
	Role      domain.Role     `json:"role" enum:"manager,member,viewer,auditor"`
	Actions   []domain.Action `json:"actions,omitzero" maxItems:"20" enum:"activity.read,comment.create,comment.delete,comment.edit,comment.read,event.read,member.read,notification.mark,notification.read,project.create,project.delete,project.edit,project.read,project.transition,report.read,stats.read,task.create,task.delete,task.edit,task.read" doc:"They narrow what the role may do; without them it may do all."`
	ExpiresAt *time.Time      `json:"expires_at,omitzero" doc:"At most 366 days from now; without it in 90 days."`
}

type rotateAPIKeyBody struct {
	ExpiresAt      *time.Time `json:"expires_at,omitzero" doc:"Of the new key, as at its creation."`
	OverlapSeconds *int       `json:"overlap_seconds,omitzero" minimum:"0" maximum:"604800" doc:"How long the present key stays valid; without it a day."`
}

func renderAPIKey(k domain.APIKey, used *time.Time) APIKeyFields {
	actions := k.Actions
	if actions == nil {
		actions = []domain.Action{}
	}
	return APIKeyFields{
		ID: k.ID, Name: k.Name, Role: k.Role, Actions: actions, Prefix: k.Prefix, CreatedBy: k.CreatedBy, CreatedAt: k.CreatedAt,
		ExpiresAt: k.ExpiresAt, LastUsedAt: used, Version: k.Version,
	}
}

type APIKeyInput struct {
	ID      domain.UserID `path:"id" format:"uuid"`
	IfMatch edge.IfMatch  `header:"If-Match"`
}

func registerAPIKeys(s *Server) {
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/api-keys", ID: "list-api-keys", Tag: "api keys", Action: domain.APIKeyManage,
		Summary: "The tenant's service accounts", Description: "Those that aren't revoked, also with an expired key, in the order of their creation.",
		Errors: []domain.Code{domain.CodeCursorInvalid},
	}, s.listAPIKeys)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/api-keys", ID: "create-api-key", Tag: "api keys", Action: domain.APIKeyManage, Status: http.StatusCreated,
		Summary:     "Create a service account with an API key",
		Description: "The key is in this answer and in no other. A tenant has at most 100 service accounts. No account is an owner.",
		WithoutKey:  true, Errors: commandErrors(),
	}, s.createAPIKey)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/api-keys/{id}/rotate", ID: "rotate-api-key", Tag: "api keys", Action: domain.APIKeyManage,
		Summary:     "Give a service account another key",
		Description: "The new key is in this answer and in no other. The present one stays valid for a day, or as long as asked, but not longer than before; one that an earlier rotation left valid ends.",
		WithoutKey:  true, Errors: commandErrors(domain.CodeNotFound),
	}, s.rotateAPIKey)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodDelete, Path: "/v1/api-keys/{id}", ID: "revoke-api-key", Tag: "api keys", Action: domain.APIKeyManage,
		Summary: "End a service account", Description: "All its keys are refused within a second. What it did stays.", Errors: commandErrors(domain.CodeNotFound),
	}, s.revokeAPIKey)
}

func (s *Server) listAPIKeys(ctx context.Context, scope domain.Scope, in *struct{ edge.Paged }) (*plain[edge.List[apiKeyBody]], error) {
	l := edge.Listing{Tenant: scope.Tenant(), Route: "list-api-keys"}
	page, err := s.page(in.Paged, l)
	if err != nil {
		return nil, err
	}
	// The log is read, and the scope may come from a cache: the membership is looked at again.
	if scope, err = s.commands.Admit(ctx, scope.Tenant(), scope.Actor().ID, true); err != nil {
		return nil, err
	}
	if err := scope.MayTry(domain.APIKeyManage); err != nil {
		return nil, err
	}
	items, err := s.commands.APIKeys(ctx, scope)
	if err != nil {
		return nil, err
	}
	used, err := s.apiKeys.LastUsed(ctx, scope.Tenant())
	if err != nil {
		return nil, err
	}
	if page.After != nil {
		items = slices.DeleteFunc(items, func(k domain.APIKey) bool { return bytes.Compare(k.ID[:], page.After.ID[:]) <= 0 })
	}
	var next *projections.Keyset
	if len(items) > page.Limit {
		items = items[:page.Limit]
		next = &projections.Keyset{ID: items[page.Limit-1].ID.UUID()}
	}
	return listResponse(s, l, items, next, func(k domain.APIKey) apiKeyBody {
		var last *time.Time
		if at, ok := used[k.ID]; ok {
			last = &at
		}
		return apiKeyBody{renderAPIKey(k, last)}
	})
}

func (s *Server) createAPIKey(ctx context.Context, scope domain.Scope, in *struct{ Body newAPIKeyBody }) (*created[issuedAPIKeyBody], error) {
	result, key, err := s.commands.CreateAPIKey(ctx, scope, edge.Origin(ctx), domain.CreateAPIKey{
		Name: in.Body.Name, Role: in.Body.Role, Actions: in.Body.Actions, Key: domain.NewKey{ExpiresAt: in.Body.ExpiresAt, Now: s.now().Truncate(time.Second)},
	})
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, result.Seq)
	return &created[issuedAPIKeyBody]{
		Location: "/v1/api-keys", ETag: edge.ETag(result.State.Version), Seq: result.Seq, Body: issuedAPIKeyBody{renderAPIKey(result.State, nil), key},
	}, nil
}

func (s *Server) rotateAPIKey(ctx context.Context, scope domain.Scope, in *struct {
	APIKeyInput
	Body rotateAPIKeyBody
}) (*updated[issuedAPIKeyBody], error) {
	overlap := domain.DefaultKeyOverlap
	if in.Body.OverlapSeconds != nil {
		overlap = time.Duration(*in.Body.OverlapSeconds) * time.Second
	}
	result, key, err := s.commands.RotateAPIKey(ctx, scope, edge.Origin(ctx), in.ID, domain.RotateAPIKey{
		IfMatch: in.IfMatch.IfMatch, Key: domain.NewKey{ExpiresAt: in.Body.ExpiresAt, Now: s.now().Truncate(time.Second)}, Overlap: overlap,
	})
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, result.Seq)
	var last *time.Time
	// Without it the answer still has the key, which can't be had again.
	if used, err := s.apiKeys.LastUsed(ctx, scope.Tenant()); err == nil {
		if at, ok := used[in.ID]; ok {
			last = &at
		}
	}
	return &updated[issuedAPIKeyBody]{ETag: edge.ETag(result.State.Version), Seq: result.Seq, Body: issuedAPIKeyBody{renderAPIKey(result.State, last), key}}, nil
}

func (s *Server) revokeAPIKey(ctx context.Context, scope domain.Scope, in *APIKeyInput) (*deleted, error) {
	result, err := s.commands.RevokeAPIKey(ctx, scope, edge.Origin(ctx), in.ID, domain.RevokeAPIKey{IfMatch: in.IfMatch.IfMatch}, s.now())
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, result.Seq)
	return &deleted{Seq: result.Seq}, nil
}
