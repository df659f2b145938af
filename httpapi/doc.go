// Package httpapi is Docket's HTTP contract: one file per resource, on top of the
// package edge, which holds what every operation shares. Gin is imported by edge
// only, pgx by neither.
//
// # An operation
//
// A resource registers an edge.Operation with a handler of Go types. A handler is
// thin: it binds the input, calls one method and maps the result. Conventions:
//
//   - ids are domain ids tagged format:"uuid"; versions go out as ETag: edge.ETag(v)
//     and come in as edge.IfMatch;
//   - a PATCH body has edge.Patch members, with omitzero;
//   - every optional member says so (required:"false" or omitzero), and null is
//     refused unless the member is a pointer or nullable:"true";
//   - a list's cursor is sealed and opened by edge.Cursors;
//   - an error is returned unchanged: a *domain.Error is answered as edge's problem
//     table says, any other error is logged and answered as "internal".
//
// Registration panics, and so every test fails, where a type breaks a convention
// that can be checked on the type.
//
// # Responses
//
//	created, updated, deleted   of commands, with Docket-Seq
//	item, asOfItem              one resource that has a version
//	plain, list, asOfList       everything else
//
// # Deliberately absent
//
// Rate limits, CORS (a browser application is served from the same origin, by a
// proxy), TLS and Strict-Transport-Security (the proxy's business), YAML and older
// versions of the OpenAPI document, $schema members, automatic PATCH.
package httpapi
