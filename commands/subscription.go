package commands

import (
	"context"

	"docket/domain"

	"github.com/google/uuid"
)

// subscriptionIDs is the namespace (RFC 9562, version 5) of the ids of
// subscriptions' streams, which are made from their names.
var subscriptionIDs = uuid.MustParse("6b0f1a56-6ff0-4b5c-8d4e-0c9e3c1f7a52")

// Intervene records what an operator does to a subscription of the scope's tenant,
// which may be the platform, as an event of that tenant's log by the system. What
// it has an effect on is the caller's: see feed.Parking. recorded is the seq
// of the event; of the earlier one where the same was skipped before.
//
// Errors: CodeValidationFailed, and those of every command.
func (c *Commands) Intervene(ctx context.Context, s domain.Scope, cmd domain.SubscriptionCommand) (recorded int64, err error) {
	id := uuid.NewSHA1(subscriptionIDs, []byte(cmd.Intent().Subscription))
	a, err := c.execute(ctx, Origin{}, func(ctx context.Context, a *attempt) (domain.Actor, error) {
		now, err := look(ctx, a, subscriptions, s.Tenant(), id)
		if err != nil {
			return domain.Actor{}, err
		}
		events, err := domain.DecideSubscription(now, cmd)
		if err != nil {
			return domain.Actor{}, err
		}
		a.answer = streamKey{s.Tenant(), domain.StreamID{Type: domain.SubscriptionStream, ID: id}}
		a.write(s.Tenant(), a.answer.stream, events)
		return domain.Actor{}, nil
	})
	if err != nil {
		return 0, err
	}
	d, err := done(ctx, a, subscriptions)
	if err != nil {
		return 0, err
	}
	if skip, ok := cmd.(domain.SkipEvent); ok {
		recorded, _ = d.State.Skipped(skip.Seq)
		return recorded, nil
	}
	return d.Seq, nil
}
