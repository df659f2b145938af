package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
)

// Limits of a connection. httpapi sets shorter ones where it reads a body or leaves one
// unread, and lifts requestTimeout and answerTimeout for streamed answers.
const (
	headerTimeout = 5 * time.Second
	// requestTimeout is for reading a whole request, also the rest of a body that no
	// handler has read. A read that fails ends the request's context, so it is longer
	// than body and handler may take together.
	requestTimeout = 45 * time.Second
	// answerTimeout is from the end of the headers to the end of the answer.
	answerTimeout  = 60 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 16 << 10
)

// listener is the address of a server.
type listener struct{ net.Listener }

func listen(ctx context.Context, addr string) (*listener, error) {
	return listenOn(ctx, addr, "DOCKET_ADDR or --addr")
}

// listenOn is listen for an address of another setting.
func listenOn(ctx context.Context, addr, setting string) (*listener, error) {
	var cfg net.ListenConfig
	l, err := cfg.Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("can't listen on %s: another program does; choose another address with %s", addr, setting)
	case err != nil:
		return nil, fmt.Errorf("can't listen on %s (%s): %w", addr, setting, err)
	}
	return &listener{l}, nil
}

// close is for a listener that no server has taken over, or that one has closed.
func (l *listener) close() error {
	if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// url is an address that works in a browser on this machine.
func (l *listener) url() string {
	addr := l.Addr().(*net.TCPAddr)
	if addr.IP.IsUnspecified() {
		return fmt.Sprintf("http://localhost:%d", addr.Port)
	}
	return "http://" + addr.String()
}

// httpServer is a running HTTP server.
type httpServer struct {
	*http.Server
	log *slog.Logger
	// ended gets, once, why the server ended by itself.
	ended chan error
}

func startHTTP(l *listener, h http.Handler, log *slog.Logger) *httpServer {
	s := &httpServer{
		Server: &http.Server{
			Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: answerTimeout,
			IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		},
		log:   log,
		ended: make(chan error, 1),
	}
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.ended <- err
		}
	}()
	return s
}

// stop stops accepting and waits for the requests under way. It cuts off those that
// aren't done when the time is over or ctx ends.
func (s *httpServer) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestsTimeout)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		s.log.Warn("requests were cut off", "error", err)
		return s.Close()
	}
	return nil
}
