package edge

import (
	"encoding/binary"
	"testing"

	"docket/domain"
)

// The positions are bounded in all, however many tenants a user is in; the least recently
// used are dropped.
func TestPositionsAreBounded(t *testing.T) {
	t.Parallel()
	p := NewPositions()
	const users, each = 50, 10_000 // more than are kept
	tenant := func(n int) (id domain.TenantID) {
		binary.BigEndian.PutUint64(id[:], uint64(n+1))
		return id
	}
	for u := range users {
		for n := range each {
			p.Acknowledge(domain.UserID{byte(u + 1)}, tenant(n), int64(n+1))
			p.Acknowledge(domain.UserID{byte(u + 1)}, tenant(n), 1)
		}
	}
	kept := 0
	for u := range users {
		kept += len(p.All(domain.UserID{byte(u + 1)}))
	}
	if kept != positionsKept || p.kept != kept {
		t.Errorf("%d positions are kept, counted as %d, want %d", kept, p.kept, positionsKept)
	}
	if n := p.Last(domain.UserID{users}, tenant(each-1)); n != each {
		t.Errorf("the last user's position is %d, want %d", n, each)
	}
	if n := p.Last(domain.UserID{1}, tenant(0)); n != 0 {
		t.Errorf("the first user's position is %d, want none", n)
	}
	p.Forget()
	if p.kept != 0 {
		t.Errorf("after Forget %d positions are counted", p.kept)
	}
}
