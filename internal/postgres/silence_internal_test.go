package postgres

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// A peer that takes a request and never answers is closed; a deadline of the caller comes
// before that, and one that is lifted is followed by the connection's own.
func TestAnsweredConnection(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close() // silent until the test ends
		}
	}()
	for name, prepare := range map[string]func(net.Conn) error{
		"no deadline": func(net.Conn) error { return nil },
		"one that is lifted": func(c net.Conn) error {
			return errors.Join(c.SetDeadline(time.Now().Add(time.Hour)), c.SetDeadline(time.Time{}))
		},
		"one that is past": func(c net.Conn) error { return c.SetDeadline(time.Unix(1, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			silence := 50 * time.Millisecond
			if name == "one that is past" {
				silence = time.Hour
			}
			c, err := dialer(time.Minute, silence)(context.Background(), "tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := prepare(c); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a read without an answer ended with %v, want a deadline", err)
			}
		})
	}
}
