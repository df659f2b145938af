package postgres

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// A network may go silent: packets are dropped, and no connection is closed. The kernel
// notices that while a request isn't acknowledged or a connection is idle. It doesn't notice
// a peer that acknowledges and never answers, such as a proxy whose other side is gone.
const (
	// unacknowledged is how long sent data may stay unacknowledged (TCP_USER_TIMEOUT).
	unacknowledged = 20 * time.Second
	// Keepalives find a dead peer after keepAliveIdle and keepAliveCount times keepAliveEvery.
	keepAliveIdle  = 10 * time.Second
	keepAliveEvery = 5 * time.Second
	keepAliveCount = 3
	// silenceMargin is how much longer than statement_timeout an answer is waited for: the
	// server ends each statement by then.
	silenceMargin = 10 * time.Second
)

// dialer dials with the kernel's means against silence. Connections wait for an answer no
// longer than silence; 0: for ever.
func dialer(connect, silence time.Duration) pgconn.DialFunc {
	d := &net.Dialer{
		Timeout: connect, ControlContext: setUserTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepAliveIdle, Interval: keepAliveEvery, Count: keepAliveCount},
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, addr)
		if err != nil || silence == 0 {
			return c, err
		}
		return &answered{Conn: c, silence: silence}, nil
	}
}

// answered is a connection on which each read has a deadline, also where the caller has set
// none. pgx reads only while it waits for an answer.
type answered struct {
	net.Conn
	silence time.Duration

	mu sync.Mutex
	// deadline says that the caller has set one.
	deadline bool
}

func (c *answered) Read(b []byte) (int, error) {
	c.mu.Lock()
	if !c.deadline {
		if err := c.Conn.SetReadDeadline(time.Now().Add(c.silence)); err != nil {
			c.mu.Unlock()
			return 0, err
		}
	}
	c.mu.Unlock()
	return c.Conn.Read(b)
}

func (c *answered) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = !t.IsZero()
	return c.Conn.SetDeadline(t)
}

func (c *answered) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = !t.IsZero()
	return c.Conn.SetReadDeadline(t)
}
