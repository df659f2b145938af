//go:build linux

package faults_test

import (
	"cmp"
	"fmt"
	"slices"

	"docket/domain"
)

// checkRoles checks that no user acted in a role that they hadn't: in the log, no
// event of a viewer, an auditor or a user without a role; in the record, no
// success that was asked for after the role was known to be gone, and answered
// before anybody asked to give it back.
func checkRoles(record []*command, logs map[domain.TenantID][]domain.Recorded) (violations []string) {
	for _, log := range logs {
		violations = append(violations, checkRolesInLog(log)...)
	}
	changes, acts := map[domain.StreamID][]*command{}, map[domain.StreamID][]*command{}
	roles := rolesGiven(logs)
	for _, c := range record {
		if c.Kind == changeRole {
			changes[c.Stream] = append(changes[c.Stream], c)
		} else {
			actor := domain.Stream(domain.MemberStream, c.Actor)
			acts[actor] = append(acts[actor], c)
		}
	}
	for member, list := range changes {
		slices.SortFunc(list, func(a, b *command) int { return cmp.Compare(a.Invoked, b.Invoked) })
		for i, change := range list {
			if change.Outcome != acked || mayWrite(roles[change.ID]) {
				continue
			}
			for _, act := range acts[member] {
				if act.Outcome == acked && act.Invoked > change.Completed && (i+1 == len(list) || act.Completed < list[i+1].Invoked) {
					violations = append(violations, fmt.Sprintf("obeyed after the role was revoked: %s\n  revoked by %s", act, change))
				}
			}
		}
	}
	return violations
}

// rolesGiven is by command which role it gave.
func rolesGiven(logs map[domain.TenantID][]domain.Recorded) map[string]domain.Role {
	roles := map[string]domain.Role{}
	for _, log := range logs {
		for _, e := range log {
			if change, ok := e.Event.(domain.MemberRoleChanged); ok {
				if id, ok := commandOf(e.Meta.RequestID); ok {
					roles[id] = change.To
				}
			}
		}
	}
	return roles
}

func mayWrite(r domain.Role) bool {
	return r == domain.Owner || r == domain.Manager || r == domain.Member
}

// checkRolesInLog goes through a log and holds that whoever acted was, at that
// point, one who may write.
func checkRolesInLog(log []domain.Recorded) (violations []string) {
	roles := map[domain.UserID]domain.Role{}
	for _, e := range log {
		if e.Stream.Type != domain.MemberStream && e.Stream.Type != domain.TenantStream && !mayWrite(roles[e.Actor]) {
			violations = append(violations, fmt.Sprintf("seq %d, %s, is by %s, whose role then is %q", e.Seq, e.Event.EventType(), e.Actor, roles[e.Actor]))
		}
		switch m := e.Event.(type) {
		case domain.MemberJoined:
			roles[m.UserID] = m.Role
		case domain.MemberRoleChanged:
			roles[m.UserID] = m.To
		case domain.MemberLeft:
			delete(roles, m.UserID)
		}
	}
	return violations
}
