package domain

import (
	"errors"
	"fmt"
	"time"
)

// Code names a refusal. The codes are part of the HTTP contract; one table in
// httpapi maps each to its status and title.
type Code string

// The refusals, in the order of their HTTP status.
const (
	CodeMalformed              Code = "malformed"
	CodeUnknownParameter       Code = "unknown-parameter"
	CodeCursorInvalid          Code = "cursor-invalid"
	CodeTenantMismatch         Code = "tenant-mismatch"
	CodeTenantInvalid          Code = "tenant-invalid"
	CodeUnsupportedCombination Code = "unsupported-combination"
	CodeUnauthenticated        Code = "unauthenticated"
	CodeTokenExpired           Code = "token-expired"
	CodeTenantAccessDenied     Code = "tenant-access-denied"
	CodeInsufficientRole       Code = "insufficient-role"
	CodeNotYours               Code = "not-yours"
	CodeServiceAccountDenied   Code = "service-account-denied"
	CodeRegistrationClosed     Code = "registration-closed"
	CodeSetupCodeRequired      Code = "setup-code-required"
	CodeEmailUnverified        Code = "email-unverified"
	CodeNotFound               Code = "not-found"
	CodeMethodNotAllowed       Code = "method-not-allowed"
	CodeInvalidTransition      Code = "invalid-transition"
	CodeEmailTaken             Code = "email-taken"
	CodeSlugTaken              Code = "slug-taken"
	CodeAlreadyMember          Code = "already-member"
	CodeLastOwner              Code = "last-owner"
	CodeProjectClosed          Code = "project-closed"
	CodeConcurrentUpdate       Code = "concurrent-update"
	CodeEpochChanged           Code = "epoch-changed"
	CodeVersionConflict        Code = "version-conflict"
	CodePayloadTooLarge        Code = "payload-too-large"
	CodeUnsupportedMediaType   Code = "unsupported-media-type"
	CodeValidationFailed       Code = "validation-failed"
	CodeIdempotencyKeyReused   Code = "idempotency-key-reused"
	CodeOtherItemRefused       Code = "other-item-refused"
	CodeRateLimited            Code = "rate-limited"
	CodeInternal               Code = "internal"
	CodeReadModelLagging       Code = "read-model-lagging"
	CodeOverloaded             Code = "overloaded"
	CodeOutcomeUnknown         Code = "outcome-unknown"
)

// Error is a refusal that a client may read: nothing in it is secret.
type Error struct {
	Code   Code
	Detail string
	// Members are further members of the problem document, such as
	// required_role; their names are part of the HTTP contract.
	Members map[string]any
	// Fields are the invalid fields, for CodeValidationFailed.
	Fields []FieldError
	// Quota is the quota that is used up, for CodeRateLimited.
	Quota *Quota
}

// Quota is a limit of requests, as the refusal of a request tells it.
type Quota struct {
	// Name is whose quota it is, as "user"; it is a label of a metric too.
	Name string
	// Requests are allowed at once, and as many again within each Window.
	Requests int
	Window   time.Duration
	// Retry is how long it takes until another request is allowed.
	Retry time.Duration
}

// FieldError is one error in a request: Pointer is a JSON pointer (RFC 6901) into
// the body, Code a stable word such as "too_long".
type FieldError struct {
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

// Error is the code and the detail, for logs and tests.
func (e *Error) Error() string {
	if e.Detail == "" {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.Detail
}

// Is makes errors.Is compare by code alone.
func (e *Error) Is(target error) bool {
	var other *Error
	return errors.As(target, &other) && other.Code == e.Code
}

// Refuse makes an Error with a formatted detail.
func Refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// With adds a member to the problem document.
func (e *Error) With(member string, value any) *Error {
	if e.Members == nil {
		e.Members = map[string]any{}
	}
	e.Members[member] = value
	return e
}

// CodeOf is the code of the first Error in err's chain, or CodeInternal.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// NotFound refuses access to what doesn't exist, or belongs to another tenant.
func NotFound(what string) *Error { return Refuse(CodeNotFound, "no such %s", what) }

// RateLimited refuses what is over a quota.
func RateLimited(q Quota, format string, args ...any) *Error {
	refused := Refuse(CodeRateLimited, format, args...)
	refused.Quota = &q
	return refused
}

// unknownCommand is the error of a command without a decision, a bug.
func unknownCommand(c any) error { return fmt.Errorf("no decision for command %T", c) }
