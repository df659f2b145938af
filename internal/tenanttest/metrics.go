package tenanttest

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// Measured is what a registry has: for each metric, by its name and the values of its
// labels, the value; for a histogram how many were observed.
func Measured(t testing.TB, r prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := f.GetName()
			for _, l := range m.GetLabel() {
				key += " " + l.GetValue()
			}
			if h := m.GetHistogram(); h != nil {
				all[key] = float64(h.GetSampleCount())
			} else {
				all[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return all
}

// WantsMeasured fails the test where a metric is missing or has another value.
func WantsMeasured(t testing.TB, r prometheus.Gatherer, want map[string]float64) {
	t.Helper()
	got := Measured(t, r)
	for name, value := range want {
		if have, ok := got[name]; !ok || have != value {
			t.Errorf("%s is %v (there: %t), want %v", name, have, ok, value)
		}
	}
}
