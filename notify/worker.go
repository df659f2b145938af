package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"time"

	"docket/domain"

	"github.com/ThreeDotsLabs/watermill/message"
)

// The states of a delivery.
const (
	stateQueued = "queued"
	stateSent   = "sent"
	stateDead   = "dead"
)

const (
	// firstPause is the time between the first attempt and the second; it doubles
	// from attempt to attempt.
	firstPause = 10 * time.Second
	// longestPause bounds it, and what the other side may ask for.
	longestPause = 6 * time.Hour
)

// outcome is what became of an attempt.
type outcome struct {
	state   string
	wait    time.Duration // until the next attempt, if it is still queued
	problem string
}

// Deliver is the handler of every channel's messages. It never nacks: what an
// attempt came to is recorded with the ack, and another attempt is another message.
func (q *Queue) Deliver(m *message.Message) error {
	o := q.attempt(m)
	m.Metadata.Set(metaState, o.state)
	m.Metadata.Set(metaWait, strconv.FormatFloat(o.wait.Seconds(), 'f', -1, 64))
	m.Metadata.Set(metaProblem, o.problem)
	return nil
}

// attempt makes one attempt and judges it.
func (q *Queue) attempt(m *message.Message) outcome {
	ctx, cancel := context.WithTimeout(m.Context(), q.cfg.Timeout)
	defer cancel()
	defer context.AfterFunc(q.cut, cancel)()
	log := q.cfg.Logger.With("delivery", m.UUID, "tenant", m.Metadata.Get(metaTenant))

	number, err := strconv.Atoi(m.Metadata.Get(metaAttempt))
	if err != nil {
		log.ErrorContext(ctx, "delivery without a number of attempt", "error", err)
		return outcome{stateQueued, longestPause, "internal error"}
	}
	// Attempts that ended with their lease count too: a message that kills its
	// worker doesn't do so for ever.
	if number > q.cfg.Attempts {
		log.WarnContext(ctx, "delivery given up", "attempts", number-1, "error", "its workers never came back")
		return outcome{state: stateDead, problem: "given up: no attempt came to an end"}
	}
	channel := domain.Channel(m.Metadata.Get(metaChannel))
	err = q.send(ctx, channel, m.Payload)
	if err == nil {
		return outcome{state: stateSent}
	}
	if q.cut.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		return outcome{stateQueued, 0, "broken off: the server was stopping"}
	}
	o := judge(err, number, q.cfg.Attempts)
	if o.state == stateDead {
		log.WarnContext(ctx, "delivery given up", "channel", channel, "attempts", number, "error", err)
	} else {
		log.InfoContext(ctx, "delivery failed", "channel", channel, "attempt", number, "again_in", o.wait, "error", err)
	}
	return o
}

// send hands a stored message to its channel's provider.
func (q *Queue) send(ctx context.Context, c domain.Channel, payload []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = transient("internal error", fmt.Errorf("panic: %v\n%s", r, debug.Stack()))
		}
	}()
	p, ok := q.cfg.Providers[c]
	if !ok {
		return transient("internal error", fmt.Errorf("no provider for channel %q", c))
	}
	m, err := unmarshal(payload)
	if err != nil {
		return permanent("internal error", err)
	}
	return p.Send(ctx, m)
}

// judge says what follows from a failed attempt, the number-th of at most most.
func judge(err error, number, most int) outcome {
	f := &Failure{Problem: "internal error"}
	errors.As(err, &f)
	switch {
	case f.Verdict == Permanent:
		return outcome{state: stateDead, problem: f.Problem}
	case number >= most:
		return outcome{state: stateDead, problem: "given up: " + f.Problem}
	}
	return outcome{stateQueued, max(pauseAfter(number), min(f.After, longestPause)), f.Problem}
}

// pauseAfter is the pause after the number-th attempt, give or take a quarter, so
// that what failed together doesn't come again together.
func pauseAfter(number int) time.Duration {
	pause := min(firstPause<<min(number-1, 20), longestPause)
	return pause*3/4 + rand.N(pause/2)
}
