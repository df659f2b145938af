package edge

import "docket/domain"

// problemKind is what all problems with one code share.
type problemKind struct {
	Status      int
	Title       string
	Explanation string
	// RetryAfter is the Retry-After header in seconds; 0 is none.
	RetryAfter int
}

// problemKinds maps each code to its status, title and explanation. It is the only
// place that maps domain codes to HTTP; the order is that of the statuses.
var problemKinds = map[domain.Code]problemKind{
	domain.CodeMalformed: {Status: 400, Title: "Malformed request",
		Explanation: "The request can't be read: the body isn't the JSON it should be (or names a field twice, isn't valid UTF-8, nests too deep, has an absurd number, is missing), or the query string or a header is malformed. The detail says what and where. Nothing was done."},
	domain.CodeUnknownParameter: {Status: 400, Title: "Unknown query parameter",
		Explanation: "The operation has no query parameter of that name. Unknown parameters are refused because a filter that is silently ignored answers too much."},
	domain.CodeCursorInvalid: {Status: 400, Title: "Invalid cursor",
		Explanation: "The cursor wasn't made by this list with these filters and this order, in this tenant. Start again without a cursor, and change nothing but limit between pages."},
	domain.CodeTenantMismatch: {Status: 400, Title: "Tenant headers disagree",
		Explanation: "X-Tenant-ID and X-Tenant-Slug name two different tenants. Send one of them."},
	domain.CodeTenantInvalid: {Status: 400, Title: "Invalid tenant",
		Explanation: "X-Tenant-ID isn't a UUID, or is the nil UUID, or X-Tenant-Slug can't be a slug."},
	domain.CodeUnsupportedCombination: {Status: 400, Title: "Unsupported combination",
		Explanation: "Each of the parameters is fine, but not together, or not now: as_of can't be combined with q or lie in the future, min_seq can't lie above the log's head or go with as_of."},
	domain.CodeUnauthenticated: {Status: 401, Title: "Not authenticated",
		Explanation: "The operation needs a valid access token in the Authorization header (Bearer), or the credentials are wrong. Log in to get a token."},
	domain.CodeTokenExpired: {Status: 401, Title: "Token expired",
		Explanation: "The token has expired. Refresh it, or log in again."},
	domain.CodeTenantAccessDenied: {Status: 403, Title: "No access to this tenant",
		Explanation: "The tenant doesn't exist or you are not a member of it."},
	domain.CodeInsufficientRole: {Status: 403, Title: "Insufficient role",
		Explanation: "Your role in this tenant doesn't allow this: your_role is your role, required_role the minimal one."},
	domain.CodeNotYours: {Status: 403, Title: "Not yours",
		Explanation: "Your role allows this only for your own resources: a project that you own, a task that you created."},
	domain.CodeServiceAccountDenied: {Status: 403, Title: "Not for service accounts",
		Explanation: "The request has an API key. A service account isn't a person: it has no profile, password, sessions or tenants of its own, and manages no members and API keys. Some keys allow certain actions alone."},
	domain.CodeRegistrationClosed: {Status: 403, Title: "Registration closed",
		Explanation: "The tenant takes no registrations; no user was created. An owner can open the registration or add you."},
	domain.CodeSetupCodeRequired: {Status: 403, Title: "Setup code required",
		Explanation: "The first user of a new installation becomes its owner, and must show the setup code that the server printed when it started."},
	domain.CodeEmailUnverified: {Status: 403, Title: "Address not verified",
		Explanation: "The tenant demands verified e-mail addresses, and yours isn't: you may read, not write. POST /v1/me/verification sends a mail whose token verifies it."},
	domain.CodeNotFound: {Status: 404, Title: "Not found",
		Explanation: "The path is unknown, the id is malformed, or the resource doesn't exist in this tenant."},
	domain.CodeMethodNotAllowed: {Status: 405, Title: "Method not allowed",
		Explanation: "The path exists, but not with this method. The Allow header lists the methods it has."},
	domain.CodeInvalidTransition: {Status: 409, Title: "Invalid transition",
		Explanation: "The workflow has no step from current_status to the status you asked for. allowed_transitions are the steps it has."},
	domain.CodeEmailTaken: {Status: 409, Title: "E-mail address taken",
		Explanation: "A user with this e-mail address is registered already; upper and lower case count as the same."},
	domain.CodeSlugTaken: {Status: 409, Title: "Slug taken",
		Explanation: "Another tenant has this slug."},
	domain.CodeAlreadyMember: {Status: 409, Title: "Already a member",
		Explanation: "The user is a member of this tenant already."},
	domain.CodeLastOwner: {Status: 409, Title: "Last owner",
		Explanation: "A tenant must have an owner. Make another member owner first."},
	domain.CodeProjectClosed: {Status: 409, Title: "Project closed",
		Explanation: "The project is completed, cancelled or archived: it, its tasks and their comments can be read, not written."},
	domain.CodeConcurrentUpdate: {Status: 409, Title: "Concurrent update",
		Explanation: "Concurrent requests kept changing the same resource. Nothing was done; try again."},
	domain.CodeEpochChanged: {Status: 400, Title: "Epoch changed",
		Explanation: "The database was restored, or another server took over, since the Docket-Epoch of the request: events may be lost. Forget positions, versions and cursors of before, and read again."},
	domain.CodeVersionConflict: {Status: 412, Title: "Version conflict",
		Explanation: "If-Match doesn't match the present version, which is current_version. Read the resource again before you retry."},
	domain.CodePayloadTooLarge: {Status: 413, Title: "Payload too large",
		Explanation: "The body is larger than 1 MiB."},
	domain.CodeUnsupportedMediaType: {Status: 415, Title: "Unsupported media type",
		Explanation: "Bodies are application/json in UTF-8 without content coding; PATCH also takes application/merge-patch+json."},
	domain.CodeValidationFailed: {Status: 422, Title: "Validation failed",
		Explanation: "The request can be read, but something in it isn't allowed. Each of errors has a pointer (a JSON pointer into the body, or / and the name of a query parameter), a stable code and a detail for people."},
	domain.CodeIdempotencyKeyReused: {Status: 422, Title: "Idempotency key reused",
		Explanation: "The Idempotency-Key was used before with another request. A new request needs a new key."},
	domain.CodeOtherItemRefused: {Status: 424, Title: "Other item refused",
		Explanation: "Another item of an atomic bulk was refused, so this one wasn't done either. Only items of bulks have this status; the bulk itself is answered with 200."},
	domain.CodeRateLimited: {Status: 429, Title: "Too many requests",
		Explanation: "A quota is used up: of the address, the user, the tenant, or of signing in. RateLimit-Policy names it, and Retry-After says in how many seconds the next request is allowed. Nothing was done."},
	domain.CodeInternal: {Status: 500, Title: "Internal error",
		Explanation: "The server failed; the cause is in its log under the request_id."},
	domain.CodeReadModelLagging: {Status: 503, Title: "Read model lagging", RetryAfter: 1,
		Explanation: "The read model hasn't processed the log up to the requested position yet. Try again after Retry-After seconds."},
	domain.CodeOverloaded: {Status: 503, Title: "Unavailable at the moment", RetryAfter: 1,
		Explanation: "The server could not do this now, and did nothing: it has too much to do, the database can't be reached, is read-only or refuses the server, a read took too long, or, during an upgrade of Docket, this replica can't read an event of a newer one. The detail says which. Try again after Retry-After seconds."},
	domain.CodeOutcomeUnknown: {Status: 503, Title: "Outcome unknown", RetryAfter: 1,
		Explanation: "The connection to the database failed before the commit was confirmed: the change may or may not have been made. Read before you repeat it."},
}
