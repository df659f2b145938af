package commands_test

import (
	"context"
	"fmt"
	"testing"

	"docket/commands"
	"docket/domain"
	"docket/eventstore"

	"github.com/prometheus/client_golang/prometheus"
)

// rivals is a store in which, before each append, another command gets in first.
type rivals struct {
	commands.Store
	before func()
}

func (r *rivals) Append(ctx context.Context, c eventstore.Commit) (eventstore.Appended, error) {
	r.before()
	return r.Store.Append(ctx, c)
}

// measured is what a registry has, by name; of a histogram the sum.
func measured(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		m := f.GetMetric()[0]
		all[f.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetHistogram().GetSampleSum()
	}
	return all
}

// Attempts, conflicts and what the cache did are counted.
func TestCommandsAreCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.register("ann@example.org")
	scope := w.scope(w.two, ann)
	reg, busy := prometheus.NewRegistry(), &rivals{Store: w.store, before: func() {}}
	cmds, err := commands.New(commands.Config{Store: busy, Metrics: reg})
	if err != nil {
		t.Fatal(err)
	}
	wants := func(want map[string]float64) {
		t.Helper()
		got := measured(t, reg)
		for name, value := range want {
			if have, ok := got[name]; !ok || have != value {
				t.Errorf("%s is %v (there: %t), want %v", name, have, ok, value)
			}
		}
	}
	p, err := cmds.CreateProject(t.Context(), scope, commands.Origin{}, domain.CreateProject{Name: "P", Visibility: domain.Private})
	if err != nil {
		t.Fatal(err)
	}
	wants(map[string]float64{
		"docket_command_attempts": 1, "docket_command_conflicts_total": 0, "docket_command_given_up_total": 0,
		"docket_fold_cache_misses_total": 1, "docket_fold_cache_hits_total": 0, "docket_fold_cache_entries": 2,
	})

	names := 0
	rename := func(c *commands.Commands) error {
		names++
		_, err := c.EditProject(t.Context(), scope, commands.Origin{}, p.State.ID, domain.EditProject{Name: domain.To(fmt.Sprint("P ", names))})
		return err
	}
	// Always beaten: each of the ten attempts is a conflict.
	busy.before = func() {
		if err := rename(w.two); err != nil {
			t.Error(err)
		}
	}
	w.wants(rename(cmds), domain.CodeConcurrentUpdate)
	wants(map[string]float64{
		"docket_command_attempts": 11, "docket_command_conflicts_total": 10, "docket_command_given_up_total": 1,
		"docket_command_stale_total": 0, "docket_fold_cache_misses_total": 1, "docket_fold_cache_hits_total": 20,
	})
}
