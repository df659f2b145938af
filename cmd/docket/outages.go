package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"docket/eventstore"

	"github.com/jackc/pgx/v5/pgconn"
)

// An outage of the database is one line when it begins, one a minute, and one when it ends.
// Without that each of the subscriptions, the delivery queue and the builds would write a
// line at each of their attempts:
//
//	a line with an error of an outage ─▶ held back ─▶ the database is asked
//	    it answers ─▶ the lines are written: one connection broke, or one right is missing
//	    it doesn't ─▶ "the database is out", and such lines are left out until it answers
const (
	outageTimeout = 3 * time.Second // of one question
	outageEvery   = time.Second     // the pause between two questions
	outageLine    = time.Minute     // the pause between two lines
	// outageTries are the questions, so far apart, that get no answer before it is an outage:
	// the first may meet a connection that has ended.
	outageTries = 3
	outagePause = 300 * time.Millisecond
	// mostHeldBack is how many lines wait for the first answer; further ones are counted.
	mostHeldBack = 100
)

// outages is a slog.Handler that leaves out lines about an outage of the database.
type outages struct {
	slog.Handler
	state *outageState
}

// outageState is shared by a logger and those made from it.
type outageState struct {
	log *slog.Logger // leaves out nothing
	// ask returns why the database is out, or nil.
	ask func(context.Context) error
	// pause between two lines.
	every time.Duration

	mu      sync.Mutex
	ctx     context.Context // ended by stop; nil: not watched
	cancel  context.CancelFunc
	watches sync.WaitGroup
	asking  bool // from the first line with such an error to the end of the outage
	out     bool
	held    []func()
	leftOut int
}

// newOutages wraps the handler of a logger. It leaves out nothing before watch.
func newOutages(log *slog.Logger) (*slog.Logger, *outageState) {
	s := &outageState{log: log, every: outageLine}
	return slog.New(&outages{log.Handler(), s}), s
}

// watch begins to leave out lines; ask returns why the database is out, or nil.
func (s *outageState) watch(ctx context.Context, ask func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ask = ask
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
}

// stop writes every line again.
func (s *outageState) stop(context.Context) error {
	s.cancel()
	s.watches.Wait()
	return nil
}

// Handle implements slog.Handler.
func (h *outages) Handle(ctx context.Context, r slog.Record) error {
	if h.state.holds(r, func() { _ = h.Handler.Handle(context.WithoutCancel(ctx), r) }) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *outages) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &outages{h.Handler.WithAttrs(attrs), h.state}
}

// WithGroup implements slog.Handler.
func (h *outages) WithGroup(name string) slog.Handler {
	return &outages{h.Handler.WithGroup(name), h.state}
}

// holds reports whether a line is of an outage, so that write may be called later or never.
func (s *outageState) holds(r slog.Record, write func()) bool {
	if r.Level < slog.LevelWarn {
		return false
	}
	err := errorOf(r)
	if err == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil || s.ctx.Err() != nil || !eventstore.Outage(err) && !(s.asking && followsOutage(err)) {
		return false
	}
	if s.out || len(s.held) == mostHeldBack {
		s.leftOut++
		return true
	}
	s.held = append(s.held, write)
	if !s.asking {
		s.asking = true
		s.watches.Add(1)
		go s.follow(r.Time)
	}
	return true
}

// errorOf is the error of a line; nil: it has none.
func errorOf(r slog.Record) (found error) {
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok {
			found = err
		}
		return found == nil
	})
	return found
}

// followsOutage reports whether an error may come of an outage that is known: a statement
// that is waited for no longer.
func followsOutage(err error) bool {
	var answered *pgconn.PgError
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, eventstore.ErrUnavailable) ||
		errors.As(err, &answered) && answered.Code == "57014"
}

// follow asks the database until it answers.
func (s *outageState) follow(began time.Time) {
	defer s.watches.Done()
	cause := s.once()
	for try := 1; cause != nil && s.ctx.Err() == nil && try < outageTries; try++ {
		select {
		case <-time.After(outagePause):
			cause = s.once()
		case <-s.ctx.Done():
		}
	}
	s.mu.Lock()
	held := s.held
	s.held, s.out = nil, cause != nil && s.ctx.Err() == nil
	s.asking = s.out
	s.leftOut += len(held)
	if !s.out {
		s.leftOut = 0
	}
	s.mu.Unlock()
	if cause == nil {
		for write := range slices.Values(held) {
			write()
		}
		return
	}
	if s.ctx.Err() != nil {
		return
	}
	s.log.Error("the database is out: requests get 503, subscriptions and deliveries wait and go on by themselves", "error", cause)
	if !s.untilItAnswers(began) {
		return
	}
	s.mu.Lock()
	left := s.leftOut
	s.asking, s.out, s.leftOut = false, false, 0
	s.mu.Unlock()
	s.log.Info("the database answers again", "out_for", time.Since(began), "lines_left_out", left)
}

// untilItAnswers writes a line a minute until the database answers; false: it was stopped.
func (s *outageState) untilItAnswers(began time.Time) bool {
	tick := time.NewTicker(outageEvery)
	defer tick.Stop()
	for told := time.Now(); ; {
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return false
		}
		cause := s.once()
		if cause == nil {
			return true
		}
		if s.ctx.Err() == nil && time.Since(told) >= s.every {
			told = time.Now()
			s.mu.Lock()
			left := s.leftOut
			s.mu.Unlock()
			s.log.Error("the database is still out", "out_for", time.Since(began), "lines_left_out", left, "error", cause)
		}
	}
}

func (s *outageState) once() error {
	ctx, cancel := context.WithTimeout(s.ctx, outageTimeout)
	defer cancel()
	return s.ask(ctx)
}
