// Package httpapi is Docket's HTTP contract: one file per resource on top of an
// edge that every operation shares. Gin routes, Huma gives OpenAPI 3.1 from the
// input and output types, and gin is imported nowhere else. This package never
// imports pgx.
//
// # The way of a request
//
//	identify → accessLog → standardHeaders → recovery      Gin, every request
//	  → deadline                                           Huma, every operation
//	  → gates: authentication, tenant, role                401, 400, 403
//	  → readBody                                           413, 415
//	  → check: the operation's contract                    400, 422, 404
//	  → handler → problemFrom                              what the domain refuses
//
// The order is the contract's order of checks: a stranger's body isn't read, and
// a role is checked before what is asked for is looked up. Bodies are parsed
// before handlers run, so everything that comes earlier is middleware that reads
// the operation's metadata (operationOf).
//
// # An operation
//
// A resource calls register with an operation, its contract and access, and a
// handler of Go types: thin, it binds, calls one method and maps. Conventions:
//
//   - ids are domain ids tagged format:"uuid"; versions go out as ETag: etag(v)
//     and come in as IfMatch;
//   - a PATCH body has Patch members, with omitzero;
//   - every member that isn't required says so (required:"false" or omitzero),
//     and null is refused unless the member is a pointer or nullable:"true";
//   - a list's cursor is sealed and opened by cursors;
//   - an error is returned as it came: a *domain.Error is answered as the table
//     in problems.go says, any other is logged and answered as "internal".
//
// register panics, and so every test fails, where a type breaks one of these
// that can be seen in it (conventions.go, requireCheckable).
//
// # Promises
//
// Every refusal is application/problem+json, also for unknown routes, wrong
// methods and panics, and no cause of a 5xx is ever in one. Query
// parameters, members of a body (also repeated ones, or differently cased) and
// If-Match where an operation has it are obeyed or refused, never ignored. Ignored
// are headers that an operation doesn't document, and the body of one that has
// none. The same state renders to the
// same bytes. Headers and bodies are never logged.
//
// # Deliberately absent
//
// Idempotency-Key and rate limits (both are to come), CORS (a browser application is served from the same origin, by a proxy), TLS
// and Strict-Transport-Security (the proxy's), YAML and older versions of the
// OpenAPI document, $schema members, automatic PATCH.
package httpapi
