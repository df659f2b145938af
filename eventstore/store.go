package eventstore

import (
	"sync"
	"sync/atomic"

	"docket/domain"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Store is the event store. Its methods may be called from any goroutine.
type Store struct {
	engine   *pgxpool.Pool
	api      *pgxpool.Pool
	follower Follower
	queue    *queue
	// mu orders ServerChanged and the follower's notifications.
	mu     sync.RWMutex
	server ServerNumber
	// last is the event that this process wrote last; nil if it has written none. A database
	// that lacks it has lost commits: they are lost from the end.
	last atomic.Pointer[domain.Recorded]

	metrics *storeMetrics
}

// Follower is notified of appends after their commit, on the append's goroutine: its
// methods must not wait. feed.Feed is one.
type Follower interface {
	// Appended hands over the events of committed Commits, in no particular order of
	// tenants, with the size that each event has in memory, in bytes.
	Appended(events []domain.Recorded, sizes []int)
	// Grew reports logs that have grown by events which aren't at hand.
	Grew(tenants []domain.TenantID)
}

// New makes a Store that appends with the engine role and loads with the api
// role. The caller closes the pools. follower, if not nil, is notified of every append.
func New(engine, api *pgxpool.Pool, follower Follower) *Store {
	return &Store{engine: engine, api: api, follower: follower, queue: newQueue(), server: 1, metrics: newStoreMetrics()}
}
