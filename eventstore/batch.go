package eventstore

import (
	"fmt"
	"slices"
	"time"

	"docket/domain"

	"github.com/google/uuid"
)

const (
	// batchCommits is the most Commits in one call: more raise the latency of each
	// and hardly the throughput.
	batchCommits = 128
	// batchBytes bounds what one call sends, in bytes. A Commit that is larger goes alone.
	batchBytes = 1 << 20
)

// batch is a set of Commits that are independent of each other: none writes a stream
// that another writes or checks, no two share a claim, a key or a command id. So
// the append function can check all of them against the state before the batch.
type batch struct {
	commits []*queued
	size    int

	tenants map[domain.TenantID]int // position in the arguments, from 1; given by arguments
	streams map[streamKey]streamUse
	claims  map[claimKey]struct{}
	keys    map[entryKey]struct{}
	ids     map[domain.CommandID]struct{}
}

type streamKey struct {
	tenant domain.TenantID
	stream uuid.UUID
}

// streamUse says how a batch uses a stream.
type streamUse struct {
	position int // in the arguments, from 1
	written  bool
}

type claimKey struct {
	tenant domain.TenantID
	kind   ClaimKind
	value  string
}

type entryKey struct {
	tenant domain.TenantID
	hash   Hash
}

func newBatch() *batch {
	return &batch{
		tenants: map[domain.TenantID]int{}, streams: map[streamKey]streamUse{}, claims: map[claimKey]struct{}{},
		keys: map[entryKey]struct{}{}, ids: map[domain.CommandID]struct{}{},
	}
}

// add adds a Commit; false where the batch is full or the Commit isn't independent
// of the others.
func (b *batch) add(w *queued) bool {
	if len(b.commits) > 0 && (b.full() || b.size+w.size > batchBytes || !b.independent(w)) {
		return false
	}
	c := w.commit
	for _, t := range w.tenants {
		b.tenants[t] = 0
	}
	for i, k := range w.checks {
		key := streamKey{k.Tenant, k.Stream.ID}
		use, ok := b.streams[key]
		if !ok {
			use.position = len(b.streams) + 1
		}
		use.written = use.written || i < len(c.Parts) && !w.stale
		b.streams[key] = use
	}
	for _, k := range c.Claims {
		b.claims[claimKey{k.Tenant, k.Kind, k.Value}] = struct{}{}
	}
	if c.Entry != nil {
		b.keys[entryKey{c.Entry.Tenant, c.Entry.Key}] = struct{}{}
	}
	b.ids[c.Command] = struct{}{}
	b.commits = append(b.commits, w)
	b.size += w.size
	return true
}

func (b *batch) full() bool { return len(b.commits) >= batchCommits }

// independent reports whether a Commit is independent of the batch. A stale Commit
// writes nothing, so its streams don't matter.
func (b *batch) independent(w *queued) bool {
	c := w.commit
	for i, k := range w.checks {
		if use, ok := b.streams[streamKey{k.Tenant, k.Stream.ID}]; ok && !w.stale && (use.written || i < len(c.Parts)) {
			return false
		}
	}
	for _, k := range c.Claims {
		if _, ok := b.claims[claimKey{k.Tenant, k.Kind, k.Value}]; ok {
			return false
		}
	}
	if c.Entry != nil {
		if _, ok := b.keys[entryKey{c.Entry.Tenant, c.Entry.Key}]; ok {
			return false
		}
	}
	if _, ok := b.ids[c.Command]; ok {
		return false
	}
	// No other Commit of the batch may touch the log of a new tenant.
	begins := func(c Commit, t domain.TenantID) bool { return slices.Contains(c.NewTenants, t) }
	for _, other := range b.commits {
		if slices.ContainsFunc(other.commit.NewTenants, func(t domain.TenantID) bool { return slices.Contains(w.tenants, t) }) ||
			slices.ContainsFunc(other.tenants, func(t domain.TenantID) bool { return begins(c, t) }) {
			return false
		}
	}
	return true
}

// result is what the append function returns.
type result struct {
	Heads          []int64
	Times          []time.Time
	Refused        []int
	Refusals       []string
	RefusedAt      []int
	RefusedVersion []*int
}

// outcomes are the Commits' errors, nil for those that were written, whose events
// get their seq and time.
func (b *batch) outcomes(r result) []error {
	errs := make([]error, len(b.commits))
	if len(r.Heads) != len(b.tenants) || len(r.Times) != len(b.tenants) {
		for i := range errs {
			errs[i] = fmt.Errorf("%w: %d heads for %d logs", ErrOutcomeUnknown, len(r.Heads), len(b.tenants))
		}
		return errs
	}
	for i, no := range r.Refused {
		errs[no-1] = b.refusal(b.commits[no-1], r.Refusals[i], r.RefusedAt[i], r.RefusedVersion[i])
	}
	written := make([]int64, len(b.tenants))
	for i, w := range b.commits {
		if errs[i] != nil {
			continue
		}
		for n := range w.events {
			e := &w.events[n]
			t := b.tenants[e.Tenant] - 1
			written[t]++
			e.Seq = r.Heads[t] + written[t]
			e.At = r.Times[t].UTC().Add(time.Duration(written[t]-1) * time.Microsecond)
		}
	}
	return errs
}

// refusal is the error of a refused Commit. at is a position in the arguments.
func (b *batch) refusal(w *queued, reason string, at int, version *int) error {
	switch reason {
	case "key":
		return &RememberedError{Tenant: w.commit.Entry.Tenant, Key: w.commit.Entry.Key}
	case "tenant":
		for t, position := range b.tenants {
			if position == at {
				return &TenantError{Tenant: t}
			}
		}
	case "version":
		k := w.checks[at-1-w.firstCheck]
		return &ConflictError{Tenant: k.Tenant, Stream: k.Stream, Expected: k.Version, Actual: *version}
	case "claim":
		return &ClaimedError{Claim: w.commit.Claims[at-1-w.firstClaim]}
	}
	return fmt.Errorf("append refused for a reason this version doesn't know: %q", reason)
}

// split makes two batches of a batch and keeps the order of its Commits.
func (b *batch) split() [2]*batch {
	parts := [2]*batch{newBatch(), newBatch()}
	for i, w := range b.commits {
		parts[i*2/len(b.commits)].add(w)
	}
	return parts
}
