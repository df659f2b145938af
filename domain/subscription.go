package domain

import "slices"

// MaxReason is how many characters an operator's reason may have.
const MaxReason = 1000

// Subscription is what operators have done to a subscription in one tenant's log.
type Subscription struct {
	// Skips are the events that it leaves out, in the order of the skipping.
	Skips   []Skip
	Version int
}

// Skip is one event that a subscription leaves out.
type Skip struct {
	// Seq is the event's, and Recorded that of the event which says so.
	Seq, Recorded int64
}

// Intervention is who acts on a subscription, and why. Operators are no users: they
// are known by what they call themselves, which is kept in the clear.
type Intervention struct {
	Subscription string
	// Seq is the event at which the subscription stands still.
	Seq      int64
	Operator string
	Reason   string
}

// SubscriptionCommand is one of SkipEvent and ResumeSubscription.
type SubscriptionCommand interface {
	// Intent is the command's intervention.
	Intent() Intervention
}

// SkipEvent has the subscription leave the event out for ever.
type SkipEvent struct{ Intervention }

// ResumeSubscription has the subscription try the event again at once.
type ResumeSubscription struct{ Intervention }

// Intent is i itself.
func (i Intervention) Intent() Intervention { return i }

// DecideSubscription says what an operator's command does to a subscription. To
// skip what is skipped already changes nothing. Error: CodeValidationFailed.
func DecideSubscription(s Subscription, c SubscriptionCommand) ([]Event, error) {
	i := c.Intent()
	var f findings
	f.text("/operator", i.Operator, 1, MaxName)
	f.text("/reason", i.Reason, 1, MaxReason)
	if err := f.err(); err != nil {
		return nil, err
	}
	switch c.(type) {
	case SkipEvent:
		if _, skipped := s.Skipped(i.Seq); skipped {
			return nil, nil
		}
		return []Event{SubscriptionEventSkipped(i)}, nil
	case ResumeSubscription:
		return []Event{SubscriptionResumed(i)}, nil
	}
	return nil, unknownCommand(c)
}

// Skipped is the seq of the event by which another was skipped, if it was.
func (s Subscription) Skipped(seq int64) (recorded int64, skipped bool) {
	for _, k := range s.Skips {
		if k.Seq == seq {
			return k.Recorded, true
		}
	}
	return 0, false
}

// Evolve folds one event of the subscription's stream.
func (s Subscription) Evolve(r Recorded) (Subscription, error) {
	switch e := r.Event.(type) {
	case SubscriptionEventSkipped:
		s.Skips = append(slices.Clip(s.Skips), Skip{Seq: e.Seq, Recorded: r.Seq})
	case SubscriptionResumed:
	default:
		return s, unknownTo("subscription", r.Event)
	}
	s.Version = r.Version
	return s, nil
}

// SubscriptionEventSkipped says that an operator had a subscription leave out an
// event of this log.
type SubscriptionEventSkipped struct {
	Subscription string `json:"subscription"`
	Seq          int64  `json:"seq"`
	Operator     string `json:"operator"`
	Reason       string `json:"reason"`
}

// SubscriptionResumed says that an operator had a subscription try an event again.
type SubscriptionResumed struct {
	Subscription string `json:"subscription"`
	Seq          int64  `json:"seq"`
	Operator     string `json:"operator"`
	Reason       string `json:"reason"`
}

// EventType is the stored name.
func (SubscriptionEventSkipped) EventType() string { return "subscription.event_skipped" }

// EventType is the stored name.
func (SubscriptionResumed) EventType() string { return "subscription.resumed" }
