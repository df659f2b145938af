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

// busyStore is a store that runs another command before each append.
type busyStore struct {
	commands.Store
	before func()
}

func (s *busyStore) Append(ctx context.Context, c eventstore.Commit) (eventstore.Appended, error) {
	s.before()
	return s.Store.Append(ctx, c)
}

// measured returns the values of a registry by name; of a histogram the sum.
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

// Metrics count attempts, conflicts and the uses of the cache.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.register("ann@example.org")
	scope := w.scope(w.two, ann)
	reg, busy := prometheus.NewRegistry(), &busyStore{Store: w.store, before: func() {}}
	cmds, err := commands.New(commands.Config{Store: busy, Metrics: reg})
	if err != nil {
		t.Fatal(err)
	}
	wantMetrics := func(want map[string]float64) {
		t.Helper()
		got := measured(t, reg)
		for name, value := range want {
			if have, ok := got[name]; !ok || have != value {
				t.Errorf("%s is %v (registered: %t), want %v", name, have, ok, value)
			}
		}
	}
	p, err := cmds.CreateProject(t.Context(), scope, commands.Origin{}, domain.CreateProject{Name: "P", Visibility: domain.Private})
	if err != nil {
		t.Fatal(err)
	}
	wantMetrics(map[string]float64{
		"docket_command_attempts": 1, "docket_command_conflicts_total": 0, "docket_command_given_up_total": 0,
		"docket_fold_cache_misses_total": 1, "docket_fold_cache_hits_total": 0, "docket_fold_cache_entries": 2,
	})

	names := 0
	rename := func(c *commands.Commands) error {
		names++
		_, err := c.EditProject(t.Context(), scope, commands.Origin{}, p.State.ID, domain.EditProject{Name: domain.To(fmt.Sprint("P ", names))})
		return err
	}
	// Another command precedes each of the ten attempts, so each is a conflict.
	busy.before = func() {
		if err := rename(w.two); err != nil {
			t.Error(err)
		}
	}
	w.wantCode(rename(cmds), domain.CodeConcurrentUpdate)
	wantMetrics(map[string]float64{
		"docket_command_attempts": 11, "docket_command_conflicts_total": 10, "docket_command_given_up_total": 1,
		"docket_command_stale_total": 0, "docket_fold_cache_misses_total": 1, "docket_fold_cache_hits_total": 20,
	})
}
