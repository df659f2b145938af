package commands

import (
	"context"

	"docket/domain"

	"github.com/google/uuid"
)

// subscriptionIDs is the namespace of the ids of subscriptions' streams: UUIDs of
// version 5 (RFC 9562) over the subscription's name.
var subscriptionIDs = uuid.MustParse("6b0f1a56-6ff0-4b5c-8d4e-0c9e3c1f7a52")

// Intervene records an operator's action on a subscription as an event of the
// scope's tenant, which may be the platform. feed.Parking carries it out. recorded is
// the seq of the event; of the earlier one where the event was skipped before.
//
// Errors: CodeValidationFailed, and those of every command.
func (c *Commands) Intervene(ctx context.Context, s domain.Scope, cmd domain.SubscriptionCommand) (recorded int64, err error) {
	target := subscriptions.in(s.Tenant(), uuid.NewSHA1(subscriptionIDs, []byte(cmd.Intent().Subscription)))
	result, err := execute(ctx, c, Origin{}, target, func(ctx context.Context, a *attempt) (domain.Actor, error) {
		state, err := load(ctx, a, target)
		if err != nil {
			return domain.Actor{}, err
		}
		events, err := domain.DecideSubscription(state, cmd)
		if err != nil {
			return domain.Actor{}, err
		}
		a.write(target.key, events)
		return domain.Actor{}, nil
	})
	if err != nil {
		return 0, err
	}
	if skip, ok := cmd.(domain.SkipEvent); ok {
		recorded, _ = result.State.Skipped(skip.Seq)
		return recorded, nil
	}
	return result.Seq, nil
}
