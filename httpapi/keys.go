package httpapi

import (
	"context"
	"net/http"

	"docket/accounts"
	"docket/domain"
	"docket/httpapi/edge"
)

// KeySet is a set of public keys (RFC 7517, section 5).
type KeySet struct {
	Keys []accounts.PublicKey `json:"keys"`
}

func registerKeys(s *Server) {
	edge.RegisterPublic(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/.well-known/jwks.json", ID: "get-key-set", Tag: "auth", Summary: "The public keys of access tokens",
		Description: "What another service verifies access tokens with (RFC 7517): EdDSA with the key that the token's kid names, typ at+jwt, aud docket-api and the issuer of the installation. " +
			"A key is here before it signs, and as long as tokens of it are valid. The set is empty where tokens are signed with a shared secret.",
	}, func(context.Context, domain.TenantID, *struct{}) (*keySetResponse, error) {
		return &keySetResponse{CacheControl: "public, max-age=300", Body: KeySet{s.tokens.PublicKeys()}}, nil
	})
}

type keySetResponse struct {
	CacheControl string `header:"Cache-Control"`
	Body         KeySet
}
