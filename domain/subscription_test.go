package domain_test

import (
	"strings"
	"testing"

	"docket/domain"

	"github.com/google/go-cmp/cmp"
)

var operated = subject[domain.Subscription, domain.SubscriptionCommand]{
	stream: domain.StreamID{Type: domain.SubscriptionStream, ID: nth(6)},
	decide: func(s domain.Subscription, _ domain.Actor, c domain.SubscriptionCommand) ([]domain.Event, error) {
		return domain.DecideSubscription(s, c)
	},
}

func intervention(seq int64) domain.Intervention {
	return domain.Intervention{Subscription: "tasks", Seq: seq, Operator: "on-call", Reason: "no such task"}
}

func TestSubscription(t *testing.T) {
	t.Parallel()
	skip, resume := domain.SkipEvent{Intervention: intervention(7)}, domain.ResumeSubscription{Intervention: intervention(7)}
	skipped := domain.SubscriptionEventSkipped(skip.Intervention)
	operated.run(t, []scenario[domain.SubscriptionCommand]{
		{name: "skip", when: skip, then: []domain.Event{skipped}},
		{name: "skip again", given: []domain.Event{skipped}, when: skip},
		{
			name: "skip another", given: []domain.Event{skipped}, when: domain.SkipEvent{Intervention: intervention(8)},
			then: []domain.Event{domain.SubscriptionEventSkipped(intervention(8))},
		},
		{name: "resume", when: resume, then: []domain.Event{domain.SubscriptionResumed(resume.Intervention)}},
		{
			name: "resume again", given: []domain.Event{domain.SubscriptionResumed(resume.Intervention)},
			when: resume, then: []domain.Event{domain.SubscriptionResumed(resume.Intervention)},
		},
		{name: "without operator and reason", when: domain.SkipEvent{}, refused: domain.CodeValidationFailed, at: "/operator /reason"},
		{
			name: "reason too long", when: domain.ResumeSubscription{Intervention: domain.Intervention{Operator: "x", Reason: strings.Repeat("x", 1001)}},
			refused: domain.CodeValidationFailed, at: "/reason",
		},
	})
}

func TestSubscriptionFold(t *testing.T) {
	t.Parallel()
	got := fold[domain.Subscription](t, operated.stream, operated.author,
		domain.SubscriptionEventSkipped(intervention(7)), domain.SubscriptionResumed(intervention(9)), domain.SubscriptionEventSkipped(intervention(8)))
	want := domain.Subscription{Skips: []domain.Skip{{Seq: 7, Recorded: 1}, {Seq: 8, Recorded: 3}}, Version: 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}
