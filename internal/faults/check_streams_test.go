//go:build linux

package faults_test

import (
	"fmt"
	"math"
	"time"

	"docket/domain"

	"github.com/anishathalye/porcupine"
)

// checkReads holds that a read that asks for a seq shows at least what was
// acknowledged with it.
func (r *run) checkReads() (violations []string) {
	for _, c := range r.clients {
		for _, read := range c.reads {
			if read.Shown < read.Least {
				violations = append(violations, fmt.Sprintf("%s at %s: %s is shown at version %d, and was at %d before",
					read.Request, read.At.Round(time.Millisecond), read.Stream, read.Shown, read.Least))
			}
		}
	}
	return violations
}

// attempted is what a command tried on a stream, and told what it learned.
type attempted struct {
	// expected is the version of If-Match; 0 where any would do.
	expected int
}

// register is a stream as a command sees it: a number that a write raises by one,
// if it is the expected one.
var register = porcupine.Model{
	Init: func() any { return 0 },
	Step: func(state, input, output any) (bool, any) {
		version, in, out := state.(int), input.(attempted), output.(*command)
		fits := in.expected == 0 || in.expected == version
		switch out.Outcome {
		case acked:
			return fits && out.Version == version+1, version + 1
		case refused:
			return out.Current == version && in.expected != version, version
		default:
			// It may have been carried out at any time, or never: then it stands after
			// all that is known, where it does no harm.
			if fits {
				return true, version + 1
			}
			return true, version
		}
	},
	DescribeOperation: func(input, output any) string { return output.(*command).String() },
}

// checkLinearizable holds that there is, for each stream, one order of all
// commands that explains every answer and agrees with real time. Not to find one
// before the test's time is nearly over fails.
func (r *run) checkLinearizable() (violations []string) {
	type key struct {
		tenant domain.TenantID
		stream domain.StreamID
	}
	streams := map[key][]porcupine.Operation{}
	for _, c := range r.record() {
		told := c.Outcome == acked || c.Outcome == unknown || c.Outcome == refused && c.Current > 0
		if c.Stream.ID == (domain.StreamID{}).ID || !told {
			continue
		}
		completed := int64(c.Completed)
		if c.Outcome == unknown {
			completed = math.MaxInt64
		}
		k := key{c.Tenant, c.Stream}
		streams[k] = append(streams[k], porcupine.Operation{
			ClientId: len(streams[k]), Input: attempted{c.Expected}, Call: int64(c.Invoked), Output: c, Return: completed,
		})
	}
	ctx, cancel := untilNearlyOver(r.t)
	defer cancel()
	deadline, bounded := ctx.Deadline()
	for k, operations := range streams {
		var left time.Duration // 0: for ever
		if bounded {
			left = max(time.Until(deadline), 1)
		}
		switch porcupine.CheckOperationsTimeout(since(k.stream, operations), operations, left) {
		case porcupine.Ok:
		case porcupine.Unknown:
			violations = append(violations, fmt.Sprintf("the test's time is over before there is an answer for the %d commands on %s", len(operations), k.stream))
		default:
			violations = append(violations, fmt.Sprintf("the %d commands on %s can't be put into an order", len(operations), k.stream))
		}
	}
	return violations
}

// since is the model of a stream that began before the record did: projects and
// members that the set-up made start at version 1.
func since(s domain.StreamID, operations []porcupine.Operation) porcupine.Model {
	m := register
	for _, o := range operations {
		if k := o.Output.(*command).Kind; k == createTask || k == createProject || k == comment {
			return m
		}
	}
	m.Init = func() any { return 1 }
	return m
}
