package eventstore

import (
	"github.com/jackc/pgx/v5/pgxpool"
)

// Store is the event store. Its methods may be called from any goroutine.
type Store struct {
	engine *pgxpool.Pool
	api    *pgxpool.Pool
	feed   *Feed
	queue  *queue

	metrics *storeMetrics
}

// New makes a Store that appends with the engine role and loads with the api
// role. The caller closes the pools. feed, if not nil, is notified of every append.
func New(engine, api *pgxpool.Pool, feed *Feed) *Store {
	return &Store{engine: engine, api: api, feed: feed, queue: newQueue(), metrics: newStoreMetrics()}
}
