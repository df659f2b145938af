package edge

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// counted is what a registry has of requests: by operation and status the number
// of requests, by operation and "seconds" how many were timed.
func counted(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch labels := m.GetLabel(); {
			case m.GetHistogram() != nil:
				all[labels[0].GetValue()+" seconds"] = float64(m.GetHistogram().GetSampleCount())
			case len(labels) == 2:
				all[labels[0].GetValue()+" "+labels[1].GetValue()] = m.GetCounter().GetValue()
			default:
				all[f.GetName()] = m.GetGauge().GetValue()
			}
		}
	}
	return all
}

// Requests are counted by operation, never by what a client can invent.
func TestRequestsAreCounted(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	s := newSample(t, func(cfg *Config) { cfg.Metrics = reg })
	register(s.Router, Operation{
		Method: http.MethodGet, Path: "/v1/stream", ID: "stream", Summary: "Go on for ever", Tag: "projects", access: public, Streams: true,
	}, func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })

	s.send(http.MethodGet, thingPath, "")
	s.send(http.MethodHead, thingPath, "")
	s.send(http.MethodGet, thingPath+"?unknown=1", "")
	s.respond = func(context.Context) error { return errSecret }
	s.send(http.MethodGet, thingPath, "")
	s.respond = func(context.Context) error { panic("out of cheese") }
	s.send(http.MethodGet, thingPath, "")
	s.respond = func(context.Context) error { panic(http.ErrAbortHandler) }
	func() {
		defer func() { _ = recover() }()
		s.send(http.MethodGet, thingPath, "")
	}()
	s.respond = nil
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(gone, http.MethodGet, thingPath, http.NoBody))
	s.send(http.MethodGet, "/v1/stream", "")
	s.send(http.MethodGet, "/v1/nothing/here", "")
	s.send(http.MethodPut, thingPath, "")
	s.send("INVENTED", thingPath, "")
	s.send(http.MethodGet, "/docs/swagger-ui.css", "")

	got := counted(t, reg)
	for name, want := range map[string]float64{
		"get-thing 2xx": 2, "get-thing 4xx": 1, "get-thing 5xx": 3, "get-thing gone": 1, "get-thing seconds": 6,
		"stream 2xx": 1, "none 4xx": 3, "other 2xx": 1, "list-things 2xx": 0,
		"docket_http_requests_in_flight": 0,
	} {
		if have, ok := got[name]; !ok || have != want {
			t.Errorf("%s is %v (there: %t), want %v", name, have, ok, want)
		}
	}
	if _, ok := got["stream seconds"]; ok {
		t.Error("a stream is timed")
	}
}
