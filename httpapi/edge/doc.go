// Package edge holds what every operation of the HTTP API shares: routing, the
// checks of a request, problems, access tokens, idempotency, cursors and the
// OpenAPI document. Gin routes; Huma derives OpenAPI 3.1 from the input and output
// types. Resources are in the package httpapi, which registers them with
// RegisterPublic, RegisterUser and RegisterScoped.
//
// # The order of checks
//
//	identify → accessLog → standardHeaders → recovery      Gin, every request
//	  → limitAddress                                       429
//	  → deadline                                           Huma, every operation
//	  → authenticate                                       401
//	  → limitUser                                          429
//	  → resolveTenant                                      400 tenant-…
//	  → admit: membership and role, the tenant's limit     403, 429
//	  → readBody                                           413, 415
//	  → replay: the recorded answer of an Idempotency-Key
//	  → check: the operation's contract                    400, 422, 404
//	  → handler → problemFrom                              what the domain refuses
//
// The order is part of the contract: the body of an unauthorized caller is not
// read, and the role is checked before anything is looked up. Bodies are parsed
// before handlers run, so every earlier step is middleware that reads the
// operation's metadata (operationOf).
//
// # Promises
//
// Every refusal is application/problem+json, also for unknown routes, wrong methods
// and panics, and it never contains the cause of a 5xx. Query parameters, members of
// a body (also repeated or differently cased ones) and If-Match, where an operation
// has it, are obeyed or refused, never ignored. Headers that an operation doesn't
// document are ignored, and so is the body of an operation without one. The same
// state renders to the same bytes. Headers and bodies are never logged.
package edge
