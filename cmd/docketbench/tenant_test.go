package main

import (
	"math/rand/v2"
	"strings"
	"testing"

	"docket/domain"
)

func newDesk() *desk {
	return &desk{
		tenant:  &tenant{projects: []string{"p1", "p2"}, tasks: []string{"t1"}},
		project: &ownProject{id: "own", status: "draft"}, random: rand.New(rand.NewPCG(1, 1)),
	}
}

func TestMixHasItsShares(t *testing.T) {
	t.Parallel()
	if len(mix) != len(operations)-1 { // bulk-create is measured beside create-task alone
		t.Fatalf("%d operations in the mix", len(mix))
	}
	d := newDesk()
	const n = 10_000
	counts := map[string]int{}
	for range n {
		r := d.next(opMix)
		switch {
		case strings.HasSuffix(r.path, "/transitions"):
			counts["transition"]++
		case r.method == "POST":
			counts["create-task"]++
		case strings.HasPrefix(r.path, "/v1/tasks/"):
			counts["get-task"]++
		case strings.HasPrefix(r.path, "/v1/projects?"):
			counts["list-projects"]++
		case strings.HasSuffix(r.path, "/tasks?limit=50"):
			counts["list-tasks"]++
		default:
			counts["get-project"]++
		}
	}
	sum := 0
	for _, s := range mix {
		sum += s.percent
		if got, want := counts[s.op], n*s.percent/100; got < want*8/10 || got > want*12/10 {
			t.Errorf("%d of %s, want about %d", got, s.op, want)
		}
	}
	if sum != 100 {
		t.Errorf("the mix has %d percent", sum)
	}
}

// A project's owner may make every move that transition makes, and the next one
// follows from what succeeded.
func TestTransitionsAreAllowed(t *testing.T) {
	t.Parallel()
	d := newDesk()
	at := domain.Draft
	for range 6 {
		r := d.transition()
		to, ok := strings.CutPrefix(r.body, `{"to":"`)
		to = strings.TrimSuffix(to, `"}`)
		if _, allowed := domain.FindTransition(at, domain.Status(to)); !ok || !allowed {
			t.Fatalf("from %s to %s", at, to)
		}
		if again := d.transition(); again.body != r.body {
			t.Errorf("after a failure %s, before %s", again.body, r.body)
		}
		r.done()
		at = domain.Status(to)
	}
	if at != domain.OnHold && at != domain.Active {
		t.Errorf("at %s", at)
	}
}
