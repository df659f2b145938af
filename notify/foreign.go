package notify

import (
	"sync"
	"time"

	"github.com/google/uuid"
)

// foreignFor is how long a replica leaves a tenant's deliveries to others after it could
// not open the tenant's secret. Then it claims one again: the tenant may have set the
// secret anew.
const foreignFor = time.Minute

// foreignTenants are the tenants whose secrets this replica can't open, because another
// master key has sealed them. A claim of their deliveries would only delay them.
type foreignTenants struct {
	mu    sync.Mutex
	until map[uuid.UUID]time.Time
}

func (f *foreignTenants) add(t uuid.UUID, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.until == nil {
		f.until = map[uuid.UUID]time.Time{}
	}
	f.until[t] = now.Add(foreignFor)
}

// list is never nil, because SQL's null isn't an empty list.
func (f *foreignTenants) list(now time.Time) []uuid.UUID {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]uuid.UUID, 0, len(f.until))
	for t, until := range f.until {
		if now.Before(until) {
			out = append(out, t)
		} else {
			delete(f.until, t)
		}
	}
	return out
}
