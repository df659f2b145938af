package feed

import (
	"context"
	"sync"

	"docket/domain"
)

// outbox is the set of tenants whose appends other replicas have yet to be notified of.
type outbox struct {
	mu      sync.Mutex
	tenants map[domain.TenantID]struct{}
	signal  chan struct{}
}

func newOutbox() *outbox {
	return &outbox{tenants: map[domain.TenantID]struct{}{}, signal: make(chan struct{}, 1)}
}

func (o *outbox) add(tenants ...domain.TenantID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, t := range tenants {
		o.tenants[t] = struct{}{}
	}
	o.wakeNotify()
}

// wakeNotify signals notify, if there is something to take. The caller holds mu.
func (o *outbox) wakeNotify() {
	if len(o.tenants) == 0 {
		return
	}
	select {
	case o.signal <- struct{}{}:
	default:
	}
}

// take waits for tenants, then removes and returns notifyMost of them at most. It is false
// when ctx ended.
func (o *outbox) take(ctx context.Context) (tenants []string, ok bool) {
	select {
	case <-o.signal:
	case <-ctx.Done():
		return nil, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for t := range o.tenants {
		if len(tenants) == notifyMost {
			break
		}
		delete(o.tenants, t)
		tenants = append(tenants, t.String())
	}
	o.wakeNotify()
	return tenants, true
}
