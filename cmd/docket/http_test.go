package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

// stuck is a server during a request.
type stuck struct {
	*httpServer
	addr string
	// release lets the request end by itself.
	release chan struct{}
	// answered gets the error of the request.
	answered chan error
}

var errStatus = errors.New("another status than 200")

func startStuck(t *testing.T) *stuck {
	t.Helper()
	l, err := listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stuck{addr: l.Addr().String(), release: make(chan struct{}), answered: make(chan error, 1)}
	entered := make(chan struct{})
	s.httpServer = startHTTP(l, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		select {
		case <-s.release:
		case <-r.Context().Done():
		}
	}), slog.New(slog.DiscardHandler))
	go func() {
		got, err := http.Get(l.url())
		if err == nil {
			_, err = io.Copy(io.Discard, got.Body)
			got.Body.Close()
			if got.StatusCode != http.StatusOK {
				err = errStatus
			}
		}
		s.answered <- err
	}()
	<-entered
	return s
}

func TestRequestsUnderWayAreAnswered(t *testing.T) {
	t.Parallel()
	s := startStuck(t)
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop(t.Context()) }()
	await(t, "it stops accepting", func() bool {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	select {
	case err := <-stopped:
		t.Fatalf("it stopped with a request under way: %v", err)
	case err := <-s.answered:
		t.Fatalf("the request was cut off: %v", err)
	default:
	}
	close(s.release)
	if err := errors.Join(<-s.answered, <-stopped); err != nil {
		t.Error(err)
	}
}

func TestRequestsUnderWayAreCutOffAtTheSecondSignal(t *testing.T) {
	t.Parallel()
	s := startStuck(t)
	cutOff, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop(cutOff) }()
	cancel()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if err := <-s.answered; err == nil {
		t.Error("the request was answered")
	}
}

// Headers that are too large are refused, and the connection is closed.
func TestLargeHeaders(t *testing.T) {
	t.Parallel()
	l, err := listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := startHTTP(l, http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	for size, want := range map[int]int{maxHeaderBytes / 2: http.StatusNotFound, 2 * maxHeaderBytes: http.StatusRequestHeaderFieldsTooLarge} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.url(), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Large", strings.Repeat("x", size))
		got, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
		if got.StatusCode != want {
			t.Errorf("%d bytes: %s, want %d", size, got.Status, want)
		}
	}
	if err := s.stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{"127.0.0.1:0": "http://127.0.0.1:", ":0": "http://localhost:"} {
		l, err := listen(t.Context(), addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.url(); got[:len(want)] != want {
			t.Errorf("%s: %s", addr, got)
		}
		if err := errors.Join(l.close(), l.close()); err != nil {
			t.Error(err)
		}
	}
}
