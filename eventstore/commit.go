package eventstore

import (
	"docket/domain"

	"github.com/google/uuid"
)

// MaxEventSize is the most that one event's data may have, in bytes of JSON.
const MaxEventSize = 48 << 10

// maxTenants is the most logs that one Commit may touch: a tenant's and the platform's.
const maxTenants = 2

// Commit is the all-or-nothing unit of Append.
type Commit struct {
	// Command is the command id of every event.
	Command domain.CommandID
	// Actor is the acting user; zero for the system.
	Actor domain.UserID
	Meta  domain.Meta
	// Parts are the events, in the order of the log.
	Parts []Part
	// Guards are further streams whose versions must still hold.
	Guards []Guard
	Claims []Claim
	// NewTenants have no log yet; this Commit creates it.
	NewTenants []domain.TenantID
	// Entry, if not nil, is the idempotency record to write. A Commit may have nothing else.
	Entry *Entry
	// ServerNumber is the server's that the decision has read from; 0 where it has read nothing.
	ServerNumber ServerNumber
}

// Part is one stream's share of a Commit.
type Part struct {
	Tenant domain.TenantID
	Stream domain.StreamID
	// Expected is the stream's version before the Commit; 0 where it must not exist.
	Expected int
	Events   []domain.Event
}

// Guard is the expected version of a stream that a decision only read.
type Guard struct {
	Tenant  domain.TenantID
	Stream  domain.StreamID
	Version int
}

// ClaimKind is the kind of value that a claim reserves.
type ClaimKind string

// The kinds of claims.
const (
	// ClaimEmail is a user's folded address, in the platform's log.
	ClaimEmail ClaimKind = "email"
	// ClaimSlug is a tenant's slug, in the platform's log.
	ClaimSlug ClaimKind = "slug"
	// ClaimOwner is the id of an owner of a tenant, in the tenant's log. It finds
	// another owner without a read model.
	ClaimOwner ClaimKind = "owner"
	// ClaimAPIKey is the id of a service account that isn't revoked, in the tenant's log.
	ClaimAPIKey ClaimKind = "api_key"
)

// Claim reserves a value for one holder in a log, or releases it. A Commit may claim
// a value that it also releases. Releasing a value that the holder doesn't have does
// nothing.
type Claim struct {
	Tenant  domain.TenantID
	Kind    ClaimKind
	Value   string
	Holder  uuid.UUID
	Release bool
}

// Appended are the events of a written Commit, with seq and time.
type Appended struct {
	Events []domain.Recorded
}

// Seq is the position of the Commit's last event in a tenant's log; 0 if it has none there.
func (a Appended) Seq(t domain.TenantID) int64 {
	var seq int64
	for _, e := range a.Events {
		if e.Tenant == t {
			seq = max(seq, e.Seq)
		}
	}
	return seq
}

// Of are the events of one stream.
func (a Appended) Of(t domain.TenantID, s domain.StreamID) []domain.Recorded {
	var out []domain.Recorded
	for _, e := range a.Events {
		if e.Tenant == t && e.Stream == s {
			out = append(out, e)
		}
	}
	return out
}
