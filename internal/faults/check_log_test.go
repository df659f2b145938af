//go:build linux

package faults_test

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"docket/domain"
)

// checkLogs holds that every log is 1..n, every stream 1..n, and that time goes
// forward.
func checkLogs(logs map[domain.TenantID][]domain.Recorded) (violations []string) {
	for id, log := range logs {
		versions := map[domain.StreamID]int{}
		for i, e := range log {
			if e.Seq != int64(i+1) {
				violations = append(violations, fmt.Sprintf("tenant %s: event %d of the log has seq %d", id, i+1, e.Seq))
				break
			}
			if versions[e.Stream]++; e.Version != versions[e.Stream] {
				violations = append(violations, fmt.Sprintf("tenant %s, seq %d: version %d of %s, want %d", id, e.Seq, e.Version, e.Stream, versions[e.Stream]))
			}
			if i > 0 && !e.At.After(log[i-1].At) {
				violations = append(violations, fmt.Sprintf("tenant %s, seq %d: it happened at %s, the one before at %s", id, e.Seq, e.At, log[i-1].At))
			}
		}
	}
	return violations
}

// checkEffects checks that the log has each acknowledged command once, with the seq
// and version of its answer, no refused command, and a command of unknown outcome
// at most once.
func checkEffects(record []*command, logs map[domain.TenantID][]domain.Recorded) (violations []string) {
	written := map[string][]domain.Recorded{}
	for _, log := range logs {
		for _, e := range log {
			if id, ok := commandOf(e.Meta.RequestID); ok {
				written[id] = append(written[id], e)
			}
		}
	}
	wrong := func(c *command, what string, events []domain.Recorded) {
		violations = append(violations, fmt.Sprintf("%s: %s; its events: %s", what, c, describe(events)))
	}
	for _, c := range record {
		events := written[c.ID]
		delete(written, c.ID)
		switch {
		case len(events) > 1:
			wrong(c, "applied twice", events)
		case len(events) == 1 && events[0].Tenant != c.Tenant:
			wrong(c, "written to another tenant's log", events)
		case c.Outcome == refused && len(events) > 0:
			wrong(c, "refused, and applied", events)
		case c.Outcome == acked && len(events) == 0:
			wrong(c, "acknowledged, and lost", events)
		case c.Outcome == acked && (events[0].Seq != c.Seq || events[0].Version != c.Version || c.Stream.ID != events[0].Stream.ID):
			wrong(c, "acknowledged as something else", events)
		}
	}
	for id, events := range written {
		violations = append(violations, fmt.Sprintf("no client sent %s: %s", id, describe(events)))
	}
	return violations
}

func describe(events []domain.Recorded) string {
	var all []string
	for _, e := range events {
		all = append(all, fmt.Sprintf("%s seq %d version %d of %s by request %s, command %s", e.Event.EventType(), e.Seq, e.Version, e.Stream, e.Meta.RequestID, e.Command))
	}
	return fmt.Sprint(all)
}

// checkOrder holds that what was acknowledged before something else was asked
// stands before it in the log.
func checkOrder(record []*command) (violations []string) {
	type moment struct {
		at   time.Duration
		done bool
		c    *command
	}
	byTenant := map[domain.TenantID][]moment{}
	for _, c := range record {
		if c.Outcome == acked {
			byTenant[c.Tenant] = append(byTenant[c.Tenant], moment{c.Invoked, false, c}, moment{c.Completed, true, c})
		}
	}
	for _, moments := range byTenant {
		slices.SortFunc(moments, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
		var latest *command // of the acknowledged, the last in the log
		before := map[*command]*command{}
		for _, m := range moments {
			switch {
			case !m.done:
				before[m.c] = latest
			default:
				if b := before[m.c]; b != nil && b.Seq >= m.c.Seq {
					violations = append(violations, fmt.Sprintf("%s\n  stands before what was acknowledged earlier, %s", m.c, b))
				}
				if latest == nil || m.c.Seq > latest.Seq {
					latest = m.c
				}
			}
		}
	}
	return violations
}
