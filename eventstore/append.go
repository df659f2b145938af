package eventstore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// appendTimeout bounds the wait in the queue and for a connection, and then one
// call of the append function. Its outcome must be known, so it doesn't end with
// the client's request.
const appendTimeout = 10 * time.Second

// Append writes a Commit and returns its events with their places.
//
// Errors, all of which mean that nothing was written except the last:
// *ConflictError, *ClaimedError, *TenantError, *RememberedError, *SizeError,
// ErrOverloaded, ErrUnavailable, one of the programmer's (an event that isn't
// registered, a Commit with neither events nor an Entry), and ErrOutcomeUnknown
// where the answer was lost and Postgres stayed away.
//
// ctx bounds the wait in the queue. Once the append is under way it isn't
// cancelled with ctx.
func (s *Store) Append(ctx context.Context, c Commit) (Appended, error) {
	appended, err := s.write(ctx, c)
	s.metrics.answered(err, len(appended.Events))
	return appended, err
}

func (s *Store) write(ctx context.Context, c Commit) (Appended, error) {
	e, err := encode(c)
	if err != nil {
		return Appended{}, err
	}
	appended, err := s.try(ctx, e)
	if errors.Is(err, ErrOutcomeUnknown) {
		s.metrics.lost.Inc()
		appended, err = s.resolve(ctx, e, err)
		if !errors.Is(err, ErrOutcomeUnknown) {
			s.metrics.resolved.Inc()
		}
	}
	return appended, err
}

// try sends the Commit once, with whatever others wait.
func (s *Store) try(ctx context.Context, e *encoded) (Appended, error) {
	if err := ctx.Err(); err != nil {
		return Appended{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	w := &waiting{encoded: e, answer: make(chan error, 1), entered: time.Now()}
	f, err := s.queue.enter(w)
	if err != nil {
		return Appended{}, err
	}
	if f != nil {
		s.fly(f) // nobody else would: this goroutine carries the batch itself
	}
	// A timer of its own is made only where there is something to wait for.
	select {
	case err := <-w.answer:
		return e.appended(err)
	default:
	}
	patience := time.NewTimer(appendTimeout)
	defer patience.Stop()
	cause := context.DeadlineExceeded
	select {
	case err := <-w.answer:
		return e.appended(err)
	case <-patience.C:
	case <-ctx.Done():
		cause = ctx.Err()
	}
	if s.queue.leave(w) {
		return Appended{}, fmt.Errorf("%w: %w", ErrUnavailable, cause)
	}
	return e.appended(<-w.answer)
}
