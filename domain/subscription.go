package domain

import "slices"

// MaxReason is the longest reason of an operator, in characters.
const MaxReason = 1000

// Subscription is the state of a subscription in one tenant as operators changed it.
type Subscription struct {
	// Skips are the events that it skips, in the order in which they were skipped.
	Skips   []Skip
	Version int
}

// Skip is one event that a subscription skips.
type Skip struct {
	// Seq is the position of the skipped event, Recorded that of the
	// SubscriptionEventSkipped.
	Seq, Recorded int64
}

// Intervention is an operator's action on a subscription, with its reason. Operators
// aren't users: Operator is the name that they give, stored as plain text.
type Intervention struct {
	Subscription string
	// Seq is the position of the failing event at which the subscription is parked.
	Seq      int64
	Operator string
	Reason   string
}

// SubscriptionCommand is one of SkipEvent and ResumeSubscription.
type SubscriptionCommand interface {
	// Intent is the command's intervention.
	Intent() Intervention
}

// SkipEvent makes the subscription skip the event for good.
type SkipEvent struct{ Intervention }

// ResumeSubscription makes the subscription retry the event at once.
type ResumeSubscription struct{ Intervention }

// Intent is i itself.
func (i Intervention) Intent() Intervention { return i }

// DecideSubscription decides an operator's command on a subscription. A second skip
// of an event changes nothing. Error: CodeValidationFailed.
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

// Skipped returns the seq of the SubscriptionEventSkipped of an event, if there is
// one.
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

// SubscriptionEventSkipped says that an operator made a subscription skip an event of
// this log.
type SubscriptionEventSkipped struct {
	Subscription string `json:"subscription"`
	Seq          int64  `json:"seq"`
	Operator     string `json:"operator"`
	Reason       string `json:"reason"`
}

// SubscriptionResumed says that an operator made a subscription retry an event.
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
