package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	// operationsTimeout is how long the server waits for a scrape or a profile when it
	// stops.
	operationsTimeout = time.Second
	// maxScrapes bounds the scrapes at a time.
	maxScrapes = 4
)

// operations is the handler of the operations address: metrics, profiles, and /healthz
// and /readyz as the API answers them. It needs no token, so only the last two are on
// the public address.
func operations(api http.Handler, metrics *prometheus.Registry, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
	}))
	mux.Handle("GET /healthz", api)
	mux.Handle("GET /readyz", api)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// operationsServer serves the operations address, if there is one.
type operationsServer struct {
	*httpServer
	// ended gets, once, why it ended by itself; nil if there is no address.
	ended <-chan error
}

// listenForOperations listens, unless addr is empty.
func listenForOperations(ctx context.Context, addr string, log *slog.Logger) (*listener, error) {
	if addr == "" {
		return nil, nil
	}
	l, err := listenOn(ctx, addr, "DOCKET_OPS_ADDR or --ops-addr")
	if err != nil {
		return nil, err
	}
	if ip := l.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
		log.WarnContext(ctx, "the operations address can be reached from other machines, and needs no password", "address", l.Addr().String())
	}
	return l, nil
}

// startOperations serves on l, which may be nil.
func startOperations(l *listener, h http.Handler, log *slog.Logger) *operationsServer {
	if l == nil {
		return &operationsServer{}
	}
	s := startHTTP(l, h, log)
	log.Info("operations", "url", l.url()+"/metrics")
	return &operationsServer{httpServer: s, ended: s.ended}
}

// stop waits a moment for requests under way, and cuts them off.
func (s *operationsServer) stop(ctx context.Context) error {
	if s.httpServer == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, operationsTimeout)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		return s.Close()
	}
	return nil
}
