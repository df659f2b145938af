package domain

import "time"

// Epoch is one history of the database. A new one begins where events that a client has
// seen may be lost: after a restore, or a failover to a server that lacked commits.
type Epoch struct {
	ID EpochID
	// Number is 1 for the first.
	Number  int
	BegunAt time.Time
	Reason  string
}

// First reports whether nothing was ever lost.
func (e Epoch) First() bool { return e.Number <= 1 }
