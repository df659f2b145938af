package commands

import (
	"context"
	"fmt"
	"sync"

	"docket/eventstore"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// sized is a state that tells how many bytes its texts and lists take.
type sized interface{ Size() int }

const (
	// foldBytes bounds what the cached states take together, in bytes.
	foldBytes = 64 << 20
	// foldOverhead is what an entry takes beside the texts and lists of its state: the
	// state's fixed part, the key, and the cache's own.
	foldOverhead = 640
)

// folded is an aggregate's state and the position up to which it is folded. It is
// never changed, only replaced, so goroutines may share it.
type folded struct {
	state   sized
	version int
	seq     int64
	// partial says that a deadline ended the fold: the stream may have many more events.
	partial bool
}

// size is the estimate of what an entry takes, in bytes.
func (f folded) size() int { return foldOverhead + f.state.Size() }

// foldKey is the key of a cached state: the newest known one of a stream, or the one that
// a replay had reached when its time was over.
type foldKey struct {
	streamKey
	upTo int // eventstore.Head, or the version of the replay
}

// newest is the key of a stream's newest known state.
func (k streamKey) newest() foldKey { return foldKey{k, eventstore.Head} }

// folds is the cache of folded aggregates, bounded in entries and in bytes by dropping the
// least recently used. A stale entry is harmless: the append checks its version. One of
// another server would not be: that database had other events at the same versions.
type folds struct {
	most    int // bytes
	present func() eventstore.ServerNumber

	mu    sync.Mutex
	cache *simplelru.LRU[foldKey, folded]
	bytes int
	// folding are the folds under way that may be long.
	folding map[foldKey]chan struct{}
}

// newFolds makes a cache of so many entries and bytes at most.
func newFolds(entries, most int, present func() eventstore.ServerNumber) (*folds, error) {
	c := &folds{most: most, present: present, folding: map[foldKey]chan struct{}{}}
	var err error
	c.cache, err = simplelru.NewLRU(entries, func(_ foldKey, f folded) { c.bytes -= f.size() })
	return c, err
}

// get is a cached state.
func (c *folds) get(k foldKey) (folded, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cache.Get(k)
}

// turn waits until no other fold of k is under way, which goes on from the last one's end:
// many that begin at the first event at once would all be slow, and none would end in time.
// The caller must call done.
func (c *folds) turn(ctx context.Context, k foldKey) (done func(), err error) {
	for {
		c.mu.Lock()
		under, ok := c.folding[k]
		if !ok {
			ended := make(chan struct{})
			c.folding[k] = ended
			c.mu.Unlock()
			return func() {
				c.mu.Lock()
				defer c.mu.Unlock()
				delete(c.folding, k)
				close(ended)
			}, nil
		}
		c.mu.Unlock()
		select {
		case <-under:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another fold of %s: %w", k.stream, ctx.Err())
		}
	}
}

// put stores f, which was read from the server of a number, unless the cache has the same or a newer
// version.
func (c *folds) put(k foldKey, f folded, of eventstore.ServerNumber) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.present() != of { // clear was called or is about to be
		return
	}
	have, ok := c.cache.Peek(k)
	completes := have.partial && !f.partial && have.version == f.version
	if f.version == 0 || ok && have.version >= f.version && !completes {
		return
	}
	c.cache.Remove(k) // the size is that of the state
	c.bytes += f.size()
	c.cache.Add(k, f)
	for c.bytes > c.most {
		c.cache.RemoveOldest()
	}
}

func (c *folds) remove(k foldKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cache.Remove(k)
}

// clear empties the cache.
func (c *folds) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cache.Purge()
}

// load is the number of entries and of their bytes.
func (c *folds) load() (entries, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cache.Len(), c.bytes
}
