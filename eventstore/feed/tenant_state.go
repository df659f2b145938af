package feed

import (
	"time"
)

// phase is what this replica does about a subscription in one tenant.
type phase int

const (
	idle          phase = iota // nothing to do now: no event is known to be left, or it is parked
	pending                    // in the queue: the log may have grown
	running                    // a worker handles a page, or an idle advance moves the checkpoint
	heldElsewhere              // another replica has locked the checkpoint
	backingOff                 // the data can't be read, or Postgres has a problem
	outdated                   // another fold version fills the rows, or a build does
)

// trigger is what changes a phase.
type trigger int

const (
	wokenUp      trigger = iota // the log may have grown
	taken                       // by a worker or an idle advance
	caughtUp                    // the page reached the end of what is known of the log
	moreIsLeft                  // the page didn't reach it
	foundHeld                   // another transaction has the checkpoint
	failed                      // no page could be read or written
	foundForeign                // the checkpoint isn't this version's to move
	pauseIsOver                 // of a phase that has one
)

// transitions lead from a phase to the next. What isn't in it changes no phase, but a
// wake-up is remembered: see tenantState.on.
var transitions = map[phase]map[trigger]phase{
	idle:    {wokenUp: pending, taken: running},
	pending: {wokenUp: pending, taken: running},
	running: {
		caughtUp: idle, moreIsLeft: pending,
		foundHeld: heldElsewhere, failed: backingOff, foundForeign: outdated,
	},
	heldElsewhere: {wokenUp: pending, taken: running, pauseIsOver: pending},
	backingOff:    {pauseIsOver: pending},
	outdated:      {wokenUp: pending, taken: running},
}

// tenantState is what this replica knows of a subscription in one tenant. It may be lost:
// the sweep finds a checkpoint that is behind, and a page reads the rest. What clients may
// rely on is in Positions.
type tenantState struct {
	phase phase
	// wokenAgain says that a wake-up came while the phase had no use for it.
	wokenAgain bool
	// due says that the log must be read: the wake-up had another reason than this replica's
	// own append, which the recent-events cache has.
	due bool
	// deferred says that the checkpoint stays behind for a while (worker.idle).
	deferred bool
	// failures is how often reading the tenant's data has failed in a row.
	failures int
	// ignored is the range of ignored events that the checkpoint has yet to move past.
	ignored idleRange
	// owner says whose fold fills the rows.
	owner owner
	// reported is what leftToNewer and leaveTenant have logged last. They may take turns.
	reported [2]int64
}

// on follows the table. A wake-up that comes while the tenant is running or backing off
// makes it pending afterwards. So does one that an idle advance takes out of the queue.
func (s *tenantState) on(t trigger) {
	next, ok := transitions[s.phase][t]
	switch {
	case !ok:
		s.wokenAgain = s.wokenAgain || t == wokenUp
		return
	case s.wokenAgain && next != running && next != backingOff:
		next = pending
	}
	s.phase = next
	if next == pending {
		s.wokenAgain = false
		s.due = s.due || t != wokenUp && t != caughtUp
	}
}

// rests reports whether the state only remembers: no worker or timer is coming back to it.
func (s *tenantState) rests() bool { return s.phase == idle || s.phase == outdated }

// backOff counts a failure to read the tenant's data, and returns the pause before the
// next try.
func (s *tenantState) backOff() time.Duration {
	s.failures++
	return min(troubleMost<<min(s.failures-1, 10), failingMost)
}
