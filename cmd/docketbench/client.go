package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answerBound is how long the answer to one request is waited for.
const answerBound = 60 * time.Second

// client is one HTTP/1.1 connection, used by one worker: it writes a request in one
// piece and reads the answer, and nothing else. http.Client with its pool and its
// goroutines takes several times the processor time, which on a shared machine
// would be the server's. It isn't for use from several goroutines.
type client struct {
	addr string
	conn net.Conn
	in   *bufio.Reader
	out  []byte
}

// answer is what came back.
type answer struct {
	Status int
	// Seq is the header Docket-Seq; 0 where there is none.
	Seq  int64
	Body []byte // only where it was asked for
}

// credentials are sent with a request.
type credentials struct{ token, tenant string }

// do sends a request and reads the answer; keep tells whether to keep its body.
// The error of a connection that broke is a *failure "network".
func (c *client) do(ctx context.Context, as credentials, r request, keep bool) (answer, error) {
	a, err := c.try(ctx, as, r, keep)
	if err != nil {
		c.close()
		return answer{}, &failure{"network", err}
	}
	return a, nil
}

func (c *client) try(ctx context.Context, as credentials, r request, keep bool) (answer, error) {
	if err := ctx.Err(); err != nil {
		return answer{}, err
	}
	if c.conn == nil {
		if err := c.dial(ctx); err != nil {
			return answer{}, err
		}
	}
	if err := c.conn.SetDeadline(time.Now().Add(answerBound)); err != nil {
		return answer{}, err
	}
	c.compose(as, r)
	if _, err := c.conn.Write(c.out); err != nil {
		return answer{}, err
	}
	got, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	a := answer{Status: got.StatusCode}
	if s := got.Header.Get("Docket-Seq"); s != "" {
		if a.Seq, err = strconv.ParseInt(s, 10, 64); err != nil {
			return answer{}, fmt.Errorf("Docket-Seq: %w", err)
		}
	}
	if keep || a.Status >= http.StatusBadRequest {
		a.Body, err = io.ReadAll(got.Body)
	} else {
		_, err = io.Copy(io.Discard, got.Body)
	}
	if err == nil && got.Close {
		c.close()
	}
	return a, err
}

func (c *client) dial(ctx context.Context) (err error) {
	var d net.Dialer
	if c.conn, err = d.DialContext(ctx, "tcp", c.addr); err != nil {
		c.conn = nil
		return err
	}
	c.in = bufio.NewReader(c.conn)
	return nil
}

// compose writes the request into out.
func (c *client) compose(as credentials, r request) {
	b := append(c.out[:0], r.method...)
	b = append(append(append(b, ' '), r.path...), " HTTP/1.1\r\nHost: "...)
	b = append(b, c.addr...)
	if as.token != "" {
		b = append(append(b, "\r\nAuthorization: Bearer "...), as.token...)
	}
	if as.tenant != "" {
		b = append(append(b, "\r\nX-Tenant-ID: "...), as.tenant...)
	}
	if r.body != "" {
		b = append(b, "\r\nContent-Type: application/json\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(r.body)), 10)
	}
	c.out = append(append(b, "\r\n\r\n"...), r.body...)
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close() // nobody is waiting for it
		c.conn = nil
	}
}

// expect is do for what must succeed.
func (c *client) expect(ctx context.Context, as credentials, r request, keep bool) (answer, error) {
	a, err := c.do(ctx, as, r, keep)
	if err == nil && a.Status != r.want {
		err = &failure{strconv.Itoa(a.Status), errors.New(r.method + " " + r.path + ": " + strings.TrimSpace(string(a.Body)))}
	}
	return a, err
}
