package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answerBound is how long a request may take.
const answerBound = 60 * time.Second

// client is one HTTP/1.1 connection of one worker. It writes a request in one piece and
// reads the answer. http.Client, with its pool and goroutines, takes several times the
// processor time, which on a shared machine the server would lack. It isn't for use from
// several goroutines.
type client struct {
	addr string
	conn net.Conn
	in   *bufio.Reader
	out  []byte
}

// request is what one operation asks for.
type request struct {
	method, path, body string
	want               int    // the status of success
	done               func() // called after success; may be nil
}

func get(path string) request {
	return request{method: http.MethodGet, path: path, want: http.StatusOK}
}

func post(path, body string, want int) request {
	return request{method: http.MethodPost, path: path, body: body, want: want}
}

// headers are those of the credentials, each with its end of line.
type headers string

// answer is an answer of the wanted status. Seq is the header Docket-Seq, 0 without.
type answer struct {
	Seq  int64
	Body []byte
}

// do sends a request and reads the answer. Its error is a *failure: "network" where the
// connection broke, otherwise the status where another one was wanted.
func (c *client) do(ctx context.Context, as headers, r request) (answer, error) {
	got, a, err := c.try(ctx, as, r)
	if err != nil {
		c.close()
		return answer{}, &failure{"network", err}
	}
	if got != r.want {
		return answer{}, &failure{strconv.Itoa(got), errors.New(r.method + " " + r.path + ": " + strings.TrimSpace(string(a.Body)))}
	}
	if r.done != nil {
		r.done()
	}
	return a, nil
}

func (c *client) try(ctx context.Context, as headers, r request) (status int, a answer, err error) {
	if err := ctx.Err(); err != nil {
		return 0, a, err
	}
	if c.conn == nil {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.addr)
		if err != nil {
			return 0, a, err
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	if r.body != "" {
		as += "Content-Type: application/json\r\n"
	}
	c.out = fmt.Appendf(c.out[:0], "%s %s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %d\r\n\r\n%s", r.method, r.path, c.addr, as, len(r.body), r.body)
	if err := c.conn.SetDeadline(time.Now().Add(answerBound)); err != nil {
		return 0, a, err
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return 0, a, err
	}
	got, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, a, err
	}
	defer got.Body.Close()
	if a.Seq, err = strconv.ParseInt(got.Header.Get("Docket-Seq"), 10, 64); err != nil {
		a.Seq = 0
	}
	if a.Body, err = io.ReadAll(got.Body); err == nil && got.Close {
		c.close()
	}
	return got.StatusCode, a, err
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close() // nothing waits for it
		c.conn = nil
	}
}

// read is do, and decodes the answer into to.
func (c *client) read(ctx context.Context, as headers, r request, to any) error {
	a, err := c.do(ctx, as, r)
	if err != nil {
		return err
	}
	return json.Unmarshal(a.Body, to)
}
