package notify

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"docket/domain"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Deliver is the handler of every channel's messages. It never nacks: the ack records
// the attempt's outcomes, and another attempt is another message.
func (q *Queue) Deliver(m *message.Message) error {
	a, err := attemptOf(m.Context())
	if err != nil {
		return err
	}
	q.try(m.Context(), a)
	return nil
}

// try makes the attempt and sets the outcome of each delivery.
func (q *Queue) try(ctx context.Context, a *attempt) {
	ctx, cancel := context.WithTimeout(ctx, q.cfg.Timeout)
	defer cancel()
	defer context.AfterFunc(q.cut, cancel)()
	log := q.cfg.Logger.With("tenant", a.tenant, "channel", a.channel)

	var due []*delivery
	for _, d := range a.deliveries {
		// Attempts whose lease ended count: a message that kills its workers ends too.
		if d.number > q.cfg.Attempts {
			log.WarnContext(ctx, "delivery is dead", "delivery", d.id, "attempt", d.number, "error", "the last attempt did not finish")
			d.outcome = &outcome{state: dead, problem: "no attempts left: the last one did not finish"}
			continue
		}
		due = append(due, d)
	}
	due, messages, err := q.admit(ctx, a, due)
	for _, d := range a.deliveries {
		if d.outcome != nil && (d.outcome.state == withdrawn || d.outcome.state == capped) {
			q.withheld.WithLabelValues(a.channel, string(d.outcome.state)).Inc()
		}
	}
	if err == nil && len(due) > 0 {
		err = q.send(ctx, a.channel, messages)
	}
	interrupted := err != nil && q.cut.Err() != nil && errors.Is(ctx.Err(), context.Canceled)
	if interrupted {
		err = errors.New("interrupted: the server was stopping")
	}
	if a.receiver != nil && a.pause == nil {
		a.pause = pauseOf(err, a.receiver)
	}
	for _, d := range due {
		log := log.With("delivery", d.id, "attempt", d.number)
		if interrupted {
			q.givenBack.WithLabelValues(a.channel).Inc()
			d.outcome = &outcome{state: queued, problem: err.Error(), givenBack: true}
			continue
		}
		o := outcomeOf(err, d.number, q.cfg.Attempts, d.age)
		d.outcome = &o
		switch {
		case o.givenBack:
			q.givenBack.WithLabelValues(a.channel).Inc()
			q.claims.channels[a.channel].foreign.add(a.tenant, time.Now())
			log.WarnContext(ctx, "this server can't send the delivery; another may", "retry_in", o.after, "error", err)
		case o.state == queued:
			log.InfoContext(ctx, "attempt failed", "retry_in", o.after, "error", err)
		case o.state == dead:
			log.WarnContext(ctx, "delivery is dead", "error", err)
		}
	}
}

// admit looks again, right before the messages leave, at what decides whether they may. It
// sets the outcomes of those that may not, and returns the others with their messages, to
// whom and where they go now. The error is for all of these.
func (q *Queue) admit(ctx context.Context, a *attempt, due []*delivery) ([]*delivery, []Message, error) {
	var (
		readable []*delivery
		stored   []Message
	)
	for _, d := range due {
		m, err := parseMessage(d.message)
		if err != nil {
			o := outcomeOf(err, d.number, q.cfg.Attempts, d.age)
			d.outcome = &o
			continue
		}
		d.user = m.User.UUID()
		readable, stored = append(readable, d), append(stored, m)
	}
	if len(readable) == 0 {
		return nil, nil, nil
	}
	e, err := loadEligibility(ctx, q.cfg.Pool, a.tenant, a.channel, stored)
	if err != nil {
		return readable, stored, transient("internal error", err)
	}
	a.receiver = e.receiver(a.channel)
	var eligible []*delivery
	messages := map[*delivery]Message{}
	for i, d := range readable {
		switch why := e.refusal(a.channel, stored[i]); {
		case why != "":
			d.outcome = &outcome{state: withdrawn, problem: why}
		case e.pausedFor(a.receiver):
			d.outcome = &outcome{state: queued, after: e.paused.rest, problem: "the receiver has asked for a pause", givenBack: true}
		default:
			messages[d], eligible = e.address(stored[i]), append(eligible, d)
		}
	}
	allowed, err := q.cfg.Limits.count(ctx, q.cfg.Pool, a, eligible)
	if err != nil {
		return eligible, nil, transient("internal error", err)
	}
	return allowed, column(allowed, func(d *delivery) Message { return messages[d] }), nil
}

// send passes the messages of an attempt to the channel's provider. A panic is an error.
func (q *Queue) send(ctx context.Context, channel string, list []Message) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = transient("internal error", fmt.Errorf("panic: %v\n%s", r, debug.Stack()))
		}
	}()
	switch p := q.cfg.Providers[domain.Channel(channel)].(type) {
	case nil:
		return transient("internal error", fmt.Errorf("no provider for channel %q", channel))
	case GroupProvider:
		return p.SendGroup(ctx, list)
	default:
		return p.Send(ctx, list[0]) // a channel without groups has one message an attempt
	}
}
