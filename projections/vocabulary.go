package projections

// The registered types of events, by their streams. Every read model names each
// of them, as one that it folds or one that it ignores.
var (
	tenantEvents  = []string{"tenant.created", "tenant.updated", "tenant.founded"}
	userEvents    = []string{"user.registered", "user.renamed"}
	memberEvents  = []string{"member.joined", "member.role_changed", "member.renamed", "member.left"}
	projectEvents = []string{"project.created", "project.updated", "project.status_changed", "project.deleted"}
	taskEvents    = []string{"task.created", "task.updated", "task.deleted"}
	commentEvents = []string{"comment.created", "comment.updated", "comment.deleted"}

	subscriptionEvents = []string{"subscription.event_skipped", "subscription.resumed"}
)
