package edge

import (
	"maps"
	"sync"

	"docket/domain"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	asOfParameter = "as_of"
	seqHeader     = "Docket-Seq"
	// asOfHeaderName is sent if and only if the request has asOfParameter.
	asOfHeaderName = "Docket-As-Of"
)

// minSeqParameter adds the refusals of Positioned to an operation.
const minSeqParameter = "min_seq"

// Positioned is the input of every read of a tenant's read models except the public
// catalog, which must not reveal the log's length.
type Positioned struct {
	MinSeq int64 `query:"min_seq" minimum:"0" doc:"A seq that the answer must include, such as the Docket-Seq of a command; the read waits for it up to 2 s."`
}

// Bounds of the positions that are kept: how many users', and how many in all, because a
// user may be in thousands of tenants. A user whose positions were evicted may read an
// older state, as with several replicas.
const (
	usersKept     = 100_000
	positionsKept = 400_000
)

// Positions holds, per user and tenant, the last seq that this replica acknowledged, so
// that users read their own writes.
type Positions struct {
	mu    sync.Mutex
	users *simplelru.LRU[domain.UserID, map[domain.TenantID]int64]
	kept  int // positions of all users
}

func NewPositions() *Positions {
	p := &Positions{}
	var err error
	p.users, err = simplelru.NewLRU(usersKept, func(_ domain.UserID, known map[domain.TenantID]int64) { p.kept -= len(known) })
	if err != nil {
		panic(err) // only for a size that isn't positive
	}
	return p
}

// Acknowledge records the seq of an accepted command.
func (p *Positions) Acknowledge(u domain.UserID, t domain.TenantID, seq int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.users.Get(u)
	if !ok {
		known = map[domain.TenantID]int64{}
		p.users.Add(u, known)
	}
	if _, ok := known[t]; !ok {
		p.kept++
	}
	known[t] = max(known[t], seq)
	for p.kept > positionsKept {
		p.users.RemoveOldest()
	}
}

// Last returns the user's last seq in a tenant; 0 if unknown.
func (p *Positions) Last(u domain.UserID, t domain.TenantID) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, _ := p.users.Get(u)
	return known[t]
}

// Forget drops all positions: the database may have lost what was acknowledged.
func (p *Positions) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users.Purge()
}

// All returns the user's last seq in every tenant.
func (p *Positions) All(u domain.UserID) map[domain.TenantID]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, _ := p.users.Get(u)
	return maps.Clone(known)
}
