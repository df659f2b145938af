package eventstore

import (
	"docket/domain"

	"github.com/google/uuid"
)

// MaxEventSize is the most that one event's data may have, in bytes of JSON.
const MaxEventSize = 48 << 10

// maxTenants is how many logs one Commit may touch: a tenant's and the platform's.
const maxTenants = 2

// Commit is what Append writes: all of it or nothing.
type Commit struct {
	// Command names the command, on every event.
	Command domain.CommandID
	// Actor is who acted; zero for the system.
	Actor domain.UserID
	Meta  domain.Meta
	// Parts are the events, in the order of the log.
	Parts []Part
	// Guards are further streams that must not have moved.
	Guards []Guard
	Claims []Claim
	// NewTenants have no log yet; this Commit begins it.
	NewTenants []domain.TenantID
	// Entry, if not nil, is remembered under its key. A Commit may be nothing else.
	Entry *Entry
}

// Part is one stream's share of a Commit.
type Part struct {
	Tenant domain.TenantID
	Stream domain.StreamID
	// Expected is the stream's version before; 0 where it must not exist.
	Expected int
	Events   []domain.Event
}

// Guard is a stream whose version must still be the one that the decision saw.
type Guard struct {
	Tenant  domain.TenantID
	Stream  domain.StreamID
	Version int
}

// ClaimKind is what a claim is about.
type ClaimKind string

// The kinds of claims.
const (
	// ClaimEmail is a user's folded address, in the platform's log.
	ClaimEmail ClaimKind = "email"
	// ClaimSlug is a tenant's slug, in the platform's log.
	ClaimSlug ClaimKind = "slug"
	// ClaimOwner is held by every owner of a tenant, in the tenant's log; the
	// value is the owner's id. It finds "another owner" without a read model.
	ClaimOwner ClaimKind = "owner"
)

// Claim takes a value that only one holder in a log can have, or gives it back.
// What a Commit gives back it may give to another; giving back what the holder
// doesn't have does nothing.
type Claim struct {
	Tenant  domain.TenantID
	Kind    ClaimKind
	Value   string
	Holder  uuid.UUID
	Release bool
}

// Appended are the events of a Commit with their places.
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
