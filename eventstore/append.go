package eventstore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// appendTimeout bounds the wait in the queue and for a connection, and then each
// call of the append function. A call doesn't end with the client's request, because
// its outcome must be known.
const appendTimeout = 10 * time.Second

// Append writes a Commit and returns its events with their seq and time.
//
// Errors: *ConflictError, *ClaimedError, *TenantError, *RememberedError, *SizeError,
// ErrOverloaded, ErrUnavailable, ErrServerChanged, an error for an invalid Commit (an event
// that isn't registered, neither events nor an Entry), and ErrOutcomeUnknown where the
// answer was lost and Postgres stayed unreachable. All but the last mean that nothing was
// written.
//
// ctx bounds the wait in the queue. A batch in flight isn't cancelled with ctx.
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

// try sends the Commit once, in a batch with other Commits that wait.
func (s *Store) try(ctx context.Context, e *encoded) (Appended, error) {
	if err := ctx.Err(); err != nil {
		return Appended{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	w := &queued{encoded: e, outcome: make(chan error, 1), enqueuedAt: time.Now()}
	f, err := s.queue.enqueue(w)
	if err != nil {
		return Appended{}, err
	}
	if f != nil {
		s.dispatch(f)
	}
	select {
	case err := <-w.outcome:
		return e.appended(err)
	default:
	}
	timeout := time.NewTimer(appendTimeout)
	defer timeout.Stop()
	cause := context.DeadlineExceeded
	select {
	case err := <-w.outcome:
		return e.appended(err)
	case <-timeout.C:
	case <-ctx.Done():
		cause = ctx.Err()
	}
	if s.queue.withdraw(w) {
		return Appended{}, fmt.Errorf("%w: %w", ErrUnavailable, cause)
	}
	return e.appended(<-w.outcome)
}
