package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"docket/domain"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Deliver is the handler of every channel's messages. It never nacks: the ack records
// the attempt's outcome, and another attempt is another message.
func (q *Queue) Deliver(m *message.Message) error {
	a, err := attemptOf(m.Context())
	if err != nil {
		return err
	}
	a.outcome = q.try(m.Context(), a)
	return nil
}

// try makes the attempt.
func (q *Queue) try(ctx context.Context, a *attempt) outcome {
	ctx, cancel := context.WithTimeout(ctx, q.cfg.Timeout)
	defer cancel()
	defer context.AfterFunc(q.cut, cancel)()
	log := q.cfg.Logger.With("delivery", a.id, "tenant", a.tenant, "channel", a.channel, "attempt", a.number)

	// Attempts whose lease ended count: a message that kills its workers ends too.
	if a.number > q.cfg.Attempts {
		log.WarnContext(ctx, "delivery is dead", "error", "the last attempt did not finish")
		return dead{"no attempts left: the last one did not finish"}
	}
	err := q.send(ctx, a)
	if err != nil && q.cut.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		q.givenBack.WithLabelValues(a.channel).Inc()
		return givenBack{0, "interrupted: the server was stopping"}
	}
	o := outcomeOf(err, a.number, q.cfg.Attempts, a.age)
	switch o := o.(type) {
	case retry:
		log.InfoContext(ctx, "attempt failed", "retry_in", o.after, "error", err)
	case givenBack:
		q.givenBack.WithLabelValues(a.channel).Inc()
		q.claims.channels[a.channel].foreign.add(a.tenant, time.Now())
		log.WarnContext(ctx, "this server can't send the delivery; another may", "retry_in", o.after, "error", err)
	case dead:
		log.WarnContext(ctx, "delivery is dead", "error", err)
	}
	return o
}

// send passes a delivery's message to its channel's provider. A panic is an error.
func (q *Queue) send(ctx context.Context, a *attempt) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = transient("internal error", fmt.Errorf("panic: %v\n%s", r, debug.Stack()))
		}
	}()
	p, ok := q.cfg.Providers[domain.Channel(a.channel)]
	if !ok {
		return transient("internal error", fmt.Errorf("no provider for channel %q", a.channel))
	}
	var m Message
	if err := json.Unmarshal(a.message, &m); err != nil {
		return permanent("internal error", fmt.Errorf("stored message: %w", err))
	}
	return p.Send(ctx, m)
}
