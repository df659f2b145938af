package eventstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"docket/domain"
	"docket/internal/wait"
)

const (
	// resolveAttempts is how often a Commit is sent again after its answer was lost.
	resolveAttempts = 3
	// resolvePause is the pause before each attempt: a killed server needs a moment
	// to come back.
	resolvePause = 500 * time.Millisecond
)

// resolve finds the outcome of a Commit whose answer was lost by sending it again.
// If it was applied, its streams have moved, and the events after the expected
// version have its command id; if it wasn't, it is applied now. Should the first
// call still run, the tenant's lock orders the two.
func (s *Store) resolve(ctx context.Context, e *encoded, unknown error) (Appended, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendTimeout)
	defer cancel()
	for range resolveAttempts {
		if !wait.Sleep(ctx, resolvePause) {
			break
		}
		appended, err := s.try(ctx, e)
		if err == nil {
			return appended, nil
		}
		appended, found, findErr := s.find(ctx, e.commit)
		switch {
		case findErr != nil:
			continue
		case found:
			if s.follower != nil {
				s.follower.Grew(e.tenants)
			}
			return appended, nil
		case errors.Is(err, ErrOutcomeUnknown), errors.Is(err, ErrUnavailable):
			continue // the first call may still run
		}
		return Appended{}, err // refused, so the first call was refused too
	}
	return Appended{}, fmt.Errorf("%w: Postgres stayed away", unknown)
}

// find looks for the events of a Commit in their streams.
func (s *Store) find(ctx context.Context, c Commit) (_ Appended, found bool, _ error) {
	if c.Entry != nil {
		switch e, found, err := s.Remembered(ctx, c.Entry.Tenant, c.Entry.Key); {
		case err != nil || !found || e.Command != c.Command:
			return Appended{}, false, err
		}
	}
	var events []domain.Recorded
	for _, p := range c.Parts {
		if len(p.Events) == 0 {
			continue
		}
		var after []domain.Recorded
		err := s.Fold(ctx, p.Tenant, p.Stream, p.Expected, p.Expected+len(p.Events), func(e domain.Recorded) error {
			after = append(after, e)
			return nil
		})
		if err != nil {
			return Appended{}, false, err
		}
		if len(after) < len(p.Events) || after[0].Command != c.Command {
			return Appended{}, false, nil
		}
		events = append(events, after...)
	}
	return Appended{Events: events}, true, nil
}
