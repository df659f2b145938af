//go:build linux

package faults_test

import (
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// leastAcked is how many commands must be acknowledged for each fault, so that it
// proves something.
func leastAcked() int { return scaled(150) }

// loadedTenants is how many tenants the load is in.
const loadedTenants = 3

// The program keeps its promises under load, whatever happens to it and to
// Postgres.
func TestFaults(t *testing.T) {
	r := newRun(t, *seedFlag, loadedTenants)
	t.Logf("-faults.seed %d", r.seed)
	if !r.positions {
		t.Log("min_seq isn't known: no read can be held against a write")
	}
	settling, settled := untilNearlyOver(t)
	defer settled()
	r.settling = settling
	stop := r.load()
	done := r.schedule(*durationFlag)
	loaded := r.now()
	if t.Failed() {
		settled() // some may never be told
	}
	stop()
	if t.Failed() {
		r.keep()
		t.Fatal(r.report(done, loaded, 0))
	}
	r.caughtUp()
	quiet := r.now() - loaded
	for _, replica := range r.replicas {
		replica.stop()
	}
	t.Log(r.report(done, loaded, quiet))
	r.wantsReal(done)
	r.check()
	if t.Failed() {
		r.keep()
		t.Logf("repeat with -faults.seed %d", r.seed)
	}
}

// wantsReal fails where a fault hit no request, or there was too little load.
func (r *run) wantsReal(done []struck) {
	r.t.Helper()
	hit := map[string]int{}
	for _, s := range done {
		hit[s.fault] += s.hit
	}
	for _, f := range chosen() {
		if hit[f.name] == 0 {
			r.t.Errorf("%s: it hit no request, so nothing is proved", f.name)
		}
	}
	if n, needed := r.acked.value(), leastAcked()*len(done); n < needed || n == 0 {
		r.t.Errorf("%d commands were acknowledged, %d are needed to prove something", n, needed)
	}
	if *onlyFlag != "" {
		return
	}
	if r.unknowns.value() == 0 {
		r.t.Error("no outcome was ever unknown, so the faults were too kind")
	}
	of := map[string]int{}
	for _, c := range r.record() {
		of[string(c.Kind)]++
		of[string(c.Outcome)]++
		of[string(c.Code)]++
	}
	for _, needed := range []string{string(createProject), string(moveProject), string(createTask), string(editTask),
		string(assignTask), string(comment), string(changeRole), "version-conflict", "insufficient-role", "invalid-transition"} {
		if of[needed] == 0 {
			r.t.Errorf("not one %s in the whole run", needed)
		}
	}
}

// record is what all clients asked, in no order.
func (r *run) record() []*command {
	var all []*command
	for _, c := range r.clients {
		all = append(all, c.commands...)
	}
	return all
}

// report is what happened, as a table.
func (r *run) report(done []struck, loaded, quiet time.Duration) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nfault\tat\tuntil healed\tin the middle of something\tacknowledged since the last")
	for _, s := range done {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\n", s.fault, s.at.Round(time.Millisecond), s.took.Round(time.Millisecond), s.hit, s.acked)
	}
	outcomes := map[outcome]int{}
	retried, replayed, reads := 0, 0, 0
	for _, c := range r.record() {
		outcomes[c.Outcome]++
		if c.Attempts > 1 {
			retried++
		}
		if c.Replayed {
			replayed++
		}
	}
	for _, c := range r.clients {
		reads += len(c.reads)
	}
	_ = w.Flush()
	fmt.Fprintf(&text, "%d acknowledged, %d refused, %d unknown at the end; %d answers said nothing, %d commands were asked again, %d answers were replays; %d reads; load for %s, then %s until all was read\n",
		outcomes[acked], outcomes[refused], outcomes[unknown], r.unknowns.value(), retried, replayed, reads,
		loaded.Round(time.Millisecond), quiet.Round(time.Millisecond))
	return text.String()
}
