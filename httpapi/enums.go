package httpapi

import (
	"docket/domain"
	"docket/httpapi/edge"
	"docket/notify"
	"docket/projections"
)

// enums are the sets of words in the contract, by the names that clients import. Those of
// roles, project statuses and codes of problems are the edge's own.
func enums() edge.Enums {
	return edge.Enums{
		"ActivityAction":     projections.Actions(),
		"ChangedField":       projections.ChangedFields(),
		"Direction":          {"asc", "desc"},
		"JoinRole":           {string(domain.Manager), string(domain.Member), string(domain.Viewer), string(domain.Auditor)},
		"TaskStatus":         words(domain.TaskStatuses()),
		"Priority":           {string(domain.Low), string(domain.Normal), string(domain.High), string(domain.Urgent)},
		"Visibility":         {string(domain.Private), string(domain.Public)},
		"Registration":       {string(domain.RegistrationOpen), string(domain.RegistrationClosed)},
		"Channel":            {string(domain.ChannelInApp), string(domain.ChannelEmail), string(domain.ChannelSlack)},
		"NotificationKind":   {string(notify.TaskAssigned), string(notify.ProjectStatusChanged), string(notify.Mention), string(notify.TaskCommented)},
		"NotificationReason": {string(notify.ReasonAssignee), string(notify.ReasonProjectOwner), string(notify.ReasonMentioned)},
		"EntityType": {string(domain.TenantStream), string(domain.MemberStream), string(domain.ProjectStream), string(domain.TaskStream),
			string(domain.CommentStream), string(domain.APIKeyStream), string(domain.SubscriptionStream)},
		"ServiceAction": words(domain.ServiceActions()),
		"ProjectSort":   {"created_at", "-created_at", "updated_at", "-updated_at", "due_date", "-due_date", "name", "-name"},
		"TaskSort":      {"created_at", "-created_at", "updated_at", "-updated_at", "due_date", "-due_date", "priority", "-priority", "title", "-title"},
	}
}

func words[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
