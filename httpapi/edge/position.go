package edge

import (
	"maps"
	"sync"

	"docket/domain"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	asOfParameter = "as_of"
	// asOfHeaderName is sent where asOfParameter was, and only there.
	asOfHeaderName = "Docket-As-Of"
)

// minSeqParameter is what brings an operation the refusals of Positioned.
const minSeqParameter = "min_seq"

// Positioned is what every read of a tenant's read models takes but the catalog: who
// reads that has written nothing, and needn't know how long the log is.
type Positioned struct {
	MinSeq int64 `query:"min_seq" minimum:"0" doc:"A seq that the answer must have seen, such as the Docket-Seq of a command: waits up to 2 s for it."`
}

// usersKept is how many users' last positions are remembered. Who is forgotten
// reads what there is, as with several replicas.
const usersKept = 100_000

// positions remembers, per user and tenant, the last seq that this replica
// acknowledged, so that the user reads their own writes.
type Positions struct {
	mu    sync.Mutex
	users *lru.Cache[domain.UserID, map[domain.TenantID]int64]
}

func NewPositions() *Positions {
	users, err := lru.New[domain.UserID, map[domain.TenantID]int64](usersKept)
	if err != nil {
		panic(err) // only for a size that isn't positive
	}
	return &Positions{users: users}
}

// note remembers an acknowledged command.
func (p *Positions) Acknowledge(u domain.UserID, t domain.TenantID, seq int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.users.Get(u)
	if !ok {
		known = map[domain.TenantID]int64{}
		p.users.Add(u, known)
	}
	known[t] = max(known[t], seq)
}

// of is the user's last seq in a tenant, 0 where none is known.
func (p *Positions) Last(u domain.UserID, t domain.TenantID) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, _ := p.users.Get(u)
	return known[t]
}

// all are the user's last seqs in every tenant.
func (p *Positions) All(u domain.UserID) map[domain.TenantID]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, _ := p.users.Get(u)
	return maps.Clone(known)
}
