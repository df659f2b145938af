package eventstore

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"docket/domain"
)

// appendsPerTenant is how many appends of one tenant may hold a connection: one
// that has the tenant's lock and one that waits for it. More would only wait for
// the same lock, with connections that other tenants want.
const appendsPerTenant = 2

// lanes lets a few appends of each tenant through at once. Those that wait here
// hold nothing.
type lanes struct {
	mu    sync.Mutex
	lanes map[domain.TenantID]*lane
}

// lane is one tenant's; it exists while somebody is in it or waits for it.
type lane struct {
	places chan struct{}
	users  int
}

func newLanes() *lanes { return &lanes{lanes: map[domain.TenantID]*lane{}} }

// enter waits for a place in each tenant's lane, in the order of their keys so
// that no two wait for each other. leave gives the places back; it is called
// once, and only where err is nil.
func (l *lanes) enter(ctx context.Context, tenants []domain.TenantID) (leave func(), err error) {
	sorted := slices.SortedFunc(slices.Values(tenants), func(a, b domain.TenantID) int { return bytes.Compare(a[:], b[:]) })
	for i, t := range sorted {
		if err := l.enterOne(ctx, t); err != nil {
			l.leave(sorted[:i])
			return nil, err
		}
	}
	return func() { l.leave(sorted) }, nil
}

func (l *lanes) enterOne(ctx context.Context, t domain.TenantID) error {
	l.mu.Lock()
	of, ok := l.lanes[t]
	if !ok {
		of = &lane{places: make(chan struct{}, appendsPerTenant)}
		l.lanes[t] = of
	}
	of.users++
	l.mu.Unlock()
	select {
	case of.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		l.forget(t, of)
		return ctx.Err()
	}
}

func (l *lanes) leave(tenants []domain.TenantID) {
	for _, t := range tenants {
		l.mu.Lock()
		of := l.lanes[t]
		l.mu.Unlock()
		<-of.places
		l.forget(t, of)
	}
}

func (l *lanes) forget(t domain.TenantID, of *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if of.users--; of.users == 0 {
		delete(l.lanes, t)
	}
}
