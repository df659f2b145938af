package eventstore

import (
	"errors"

	"docket/domain"
)

// ServerNumber counts the database servers that a process has reached, one after the other. A
// server that takes over after a failover or a restore may lack events that the one before
// had acknowledged, so what was read from that one holds no longer.
type ServerNumber int64

// ErrServerChanged says that a Commit was decided on what another database server had.
// Nothing was written: decide again.
var ErrServerChanged = errors.New("the database server is another one than the one that the command was decided on")

// ServerNumber is the number of the present server. A decision takes it before its first read
// and puts it into the Commit.
func (s *Store) ServerNumber() ServerNumber {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.server
}

// ServerChanged raises the ServerNumber. It is called before a connection to the other
// server is used. When it returns the follower gets no more events of the server before.
func (s *Store) ServerChanged() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.server++
}

// notify hands events that were appended at a server to the follower. If the server is
// another one by now, the follower only learns that these logs may have grown.
func (s *Store) notify(server ServerNumber, tenants []domain.TenantID, events []domain.Recorded, sizes []int) {
	if len(events) == 0 {
		return
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	present := s.server == server
	if present {
		last := events[len(events)-1]
		s.last.Store(&last)
	}
	switch {
	case s.follower == nil:
	case present:
		s.follower.Appended(events, sizes)
	default:
		s.follower.Grew(tenants)
	}
}

// refuseOtherServer gives ErrServerChanged to the Commits of a batch that were decided on
// another server, and returns the rest. Its caller has acquired a connection, so the
// present number is the one of that connection's server or a later one.
func (s *Store) refuseOtherServer(b *batch) *batch {
	present, rest := s.ServerNumber(), newBatch()
	for _, w := range b.commits {
		if w.commit.ServerNumber == 0 || w.commit.ServerNumber == present {
			rest.add(w)
		} else {
			w.outcome <- ErrServerChanged
		}
	}
	return rest
}
