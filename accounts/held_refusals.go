package accounts

import (
	"context"
	"time"
)

// maxHeld is how many refusals of logins are held back at once. More are answered at once:
// memory is bounded, and waiting is never what an attack costs the server.
const maxHeld = 512

// heldRefusals holds refusals back that are known without Postgres. Clients that ask again
// as soon as they have an answer would otherwise take all processors with refusals, which
// other requests wait for. Honest clients read Retry-After.
type heldRefusals struct {
	pause time.Duration
	held  chan struct{}
}

func newHeldRefusals(pause time.Duration) heldRefusals {
	return heldRefusals{pause, make(chan struct{}, maxHeld)}
}

// hold returns the refusal after the pause, or when the request ends.
func (h heldRefusals) hold(ctx context.Context, refusal error) error {
	select {
	case h.held <- struct{}{}:
	default:
		return refusal
	}
	defer func() { <-h.held }()
	timer := time.NewTimer(h.pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	return refusal
}
