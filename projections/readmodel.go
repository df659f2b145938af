package projections

import (
	"context"

	"docket/domain"
	"docket/eventstore/feed"

	"github.com/ThreeDotsLabs/watermill/message"
)

// ReadModel is a read model without the types of its keys and rows: what the feed and a
// rebuild need of it.
type ReadModel struct {
	// Name is also the name of the subscription that keeps the rows.
	Name string
	// FoldVersion is the version of the fold that this program has.
	FoldVersion int
	Table       string
	// Ignores are the types of events that touch no row.
	Ignores []string
	// Key is the column that is the key beside tenant and generation, and KeyType its
	// type, uuid or bigint. Columns are the others, which a fold writes.
	Key, KeyType string
	Columns      []string
	// Apply folds a page into the rows of the page's generation. It reads rows in the
	// page's transaction and queues its writes there.
	Apply func(context.Context, *feed.Page) error

	handles func(domain.Recorded) bool
}

// readModel is the model without its types.
func (m *model[K, R]) readModel() ReadModel {
	return ReadModel{
		Name: m.Name, FoldVersion: m.FoldVersion, Table: m.Table, Ignores: m.Ignores,
		Key: m.Key, KeyType: m.keyType(), Columns: m.otherColumns(), Apply: m.applyPage,
		handles: func(e domain.Recorded) bool {
			_, ok, err := m.touched(e)
			return ok || err != nil
		},
	}
}

// Interest says which events the read model handles.
func (m ReadModel) Interest() feed.Interest {
	return feed.Interest{Ignores: m.Ignores, NoMeta: true, Handles: m.handles, FoldVersion: m.FoldVersion}
}

// ReadModels are all read models, in the order in which they are rebuilt.
func ReadModels() []ReadModel {
	return []ReadModel{
		tenants.readModel(), members.readModel(), projects.readModel(), tasks.readModel(), comments.readModel(),
		search.readModel(), summaries.readModel(), cycles.readModel(), activity.readModel(),
	}
}

// byName has something of each read model, by its name.
func byName[V any](of func(ReadModel) V) map[string]V {
	out := map[string]V{}
	for _, m := range ReadModels() {
		out[m.Name] = of(m)
	}
	return out
}

// Models are the names of the read models, in the order of ReadModels.
func Models() []string {
	var names []string
	for _, m := range ReadModels() {
		names = append(names, m.Name)
	}
	return names
}

// Tables are the tables of the read models, by name.
func Tables() map[string]string {
	return byName(func(m ReadModel) string { return m.Table })
}

// FoldVersions are the fold versions of this program, by read model.
func FoldVersions() map[string]int {
	return byName(func(m ReadModel) int { return m.FoldVersion })
}

// Subscriptions are the handlers that keep the read models, by the names of their
// subscriptions, for a Watermill Router that subscribes to a feed.Feed.
func Subscriptions() map[string]message.NoPublishHandlerFunc {
	return byName(func(m ReadModel) message.NoPublishHandlerFunc { return feed.Handle(m.Apply) })
}

// Interests say which events each subscription handles.
func Interests() map[string]feed.Interest { return byName(ReadModel.Interest) }

// GroupName is the topic on which the read models of a tenant share their pages.
const GroupName = "read models"

// Group is the handler of the pages that read models share, for a Watermill Router that
// subscribes to a feed.Feed whose Config.Groups has the Models under GroupName.
func Group() (name string, handler message.NoPublishHandlerFunc) {
	apply := byName(func(m ReadModel) func(context.Context, *feed.Page) error { return m.Apply })
	return GroupName, feed.HandleGroup(func(ctx context.Context, pages []*feed.Page) error {
		for _, p := range pages {
			if err := apply[p.Subscription](ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
}

// The registered types of events, by their streams. Every read model names each
// of them, as one that it folds or one that it ignores.
var (
	tenantEvents  = []string{"tenant.created", "tenant.updated", "tenant.founded", "tenant.epoch_begun"}
	userEvents    = []string{"user.registered", "user.renamed"}
	memberEvents  = []string{"member.joined", "member.role_changed", "member.renamed", "member.left"}
	projectEvents = []string{"project.created", "project.updated", "project.status_changed", "project.deleted"}
	taskEvents    = []string{"task.created", "task.updated", "task.deleted"}
	commentEvents = []string{"comment.created", "comment.updated", "comment.deleted"}

	apiKeyEvents       = []string{"api_key.created", "api_key.rotated", "api_key.revoked"}
	subscriptionEvents = []string{"subscription.event_skipped", "subscription.resumed"}
)
