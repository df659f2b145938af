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
	// operationsBound is how long a scrape, or a profile, that is under way is waited
	// for when the server stops.
	operationsBound = time.Second
	// scrapesAtOnce bounds the work that asking for metrics can make.
	scrapesAtOnce = 4
)

// operations is what operators may ask on an address of their own: metrics,
// profiles, and /healthz and /readyz as the API answers them. Nobody is asked for
// a token, so none of it but the last two is ever on the public address.
func operations(api http.Handler, metrics *prometheus.Registry, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: scrapesAtOnce,
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

// operationsServer is the listener of operators, or none.
type operationsServer struct {
	*httpServer
	// ended gets why it ended by itself, once; nil where it doesn't listen.
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
		log.WarnContext(ctx, "the operations address can be reached from other machines, and asks for no password", "address", l.Addr().String())
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

// stop waits a moment for what is under way, and cuts it off.
func (s *operationsServer) stop(ctx context.Context) error {
	if s.httpServer == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, operationsBound)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		return s.Close()
	}
	return nil
}
