//go:build linux

package faults_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands between one replica and Postgres and can cut, hold and slow what
// goes through. It leads from TCP to a Unix socket, and it knows which
// connections have asked something and were not answered yet.
type proxy struct {
	listener net.Listener
	upstream string
	done     sync.WaitGroup

	mu    sync.Mutex
	links map[*link]struct{}
	// open is closed while data may pass; holding replaces it.
	open chan struct{}
	// silent is the end of the application_name of the connections on which everything is
	// dropped; until heal those of new ones too if silentNew.
	silent    string
	silentNew bool
	dropped   atomic.Int64
	// delay is added to each piece of data in either direction.
	delay time.Duration
	// slowed counts the pieces that were delayed, held those that were kept back.
	slowed, held atomic.Int64
	// lose is how many more appends are to be sent on and never answered, lost how
	// many were.
	lose atomic.Int64
	lost *gauge
}

// link is one connection through the proxy.
type link struct {
	client, server net.Conn
	// app is the application_name that the client has told.
	app atomic.Pointer[string]
	// silent: what goes through is dropped, for good.
	silent atomic.Bool
	// asked: something went to the server, and nothing came back since.
	asked atomic.Bool
	gone  chan struct{}
	once  sync.Once
}

// newProxy starts one that leads to the Unix socket.
func newProxy(t *testing.T, upstream string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, upstream: upstream, links: map[*link]struct{}{}, open: make(chan struct{}), lost: newGauge()}
	close(p.open)
	p.done.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.heal()
		p.cut()
		p.done.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.mu.Lock()
		upstream := p.upstream
		p.mu.Unlock()
		server, err := net.Dial("unix", upstream)
		if err != nil {
			reset(client)
			continue
		}
		k := &link{client: client, server: server, gone: make(chan struct{})}
		p.mu.Lock()
		p.links[k] = struct{}{}
		p.mu.Unlock()
		p.done.Go(func() { p.pump(k, client, server, true) })
		p.done.Go(func() { p.pump(k, server, client, false) })
	}
}

// lead has new connections lead to another socket, and cuts those that there are.
func (p *proxy) lead(upstream string) {
	p.mu.Lock()
	p.upstream = upstream
	p.mu.Unlock()
	p.cut()
}

// marker stands in what a replica sends to append: the id of a client's request.
var marker = []byte(`"cmd-`)

// pump carries one direction of a link until either end is gone.
func (p *proxy) pump(k *link, from io.Reader, to io.Writer, asking bool) {
	defer p.drop(k)
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if asking {
				k.asked.Store(true)
			}
			if asking && k.app.Load() == nil {
				name := applicationName(buffer[:n])
				k.app.Store(&name)
			}
			if p.drops(k) {
				p.dropped.Add(1)
				continue
			}
			if !p.pass(k) {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
			if !asking {
				k.asked.Store(false)
			} else if bytes.Contains(buffer[:n], marker) && p.lose.Add(-1) >= 0 {
				p.lost.add(1)
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// name is the application_name, once it is known.
func (k *link) name() string {
	if name := k.app.Load(); name != nil {
		return *name
	}
	return ""
}

// startupName stands before the application_name in a startup message.
var startupName = []byte("application_name\x00")

// applicationName reads it from a startup message; "-" if there is none.
func applicationName(startup []byte) string {
	_, rest, found := bytes.Cut(startup, startupName)
	name, _, ended := bytes.Cut(rest, []byte{0})
	if !found || !ended {
		return "-"
	}
	return string(name)
}

// silence drops all that goes through the connections of a pool from now on, in both
// directions and without closing them; with new, those that are made until heal as well.
func (p *proxy) silence(pool string, new bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent, p.silentNew = pool, new
	for k := range p.links {
		if strings.HasSuffix(k.name(), " "+pool) {
			k.silent.Store(true)
		}
	}
}

// drops reports whether what goes through a link is dropped.
func (p *proxy) drops(k *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return k.silent.Load() || p.silentNew && strings.HasSuffix(k.name(), " "+p.silent)
}

// pass waits as long as the proxy's state asks for; it is false when the link
// was cut meanwhile.
func (p *proxy) pass(k *link) bool {
	p.mu.Lock()
	open, delay := p.open, p.delay
	p.mu.Unlock()
	select {
	case <-open:
	default:
		p.held.Add(1)
		select {
		case <-open:
		case <-k.gone:
			return false
		}
	}
	if delay == 0 {
		return true
	}
	p.slowed.Add(1)
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-k.gone:
		return false
	}
}

func (p *proxy) drop(k *link) {
	k.once.Do(func() {
		close(k.gone)
		reset(k.client)
		_ = k.server.Close()
		p.mu.Lock()
		delete(p.links, k)
		p.mu.Unlock()
	})
}

// all are the links of this moment.
func (p *proxy) all() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*link
	for k := range p.links {
		all = append(all, k)
	}
	return all
}

// busy is how many links wait for an answer.
func (p *proxy) busy() int {
	n := 0
	for _, k := range p.all() {
		if k.asked.Load() {
			n++
		}
	}
	return n
}

// cut resets all connections, and says how many waited for an answer. What was
// asked goes on in Postgres.
func (p *proxy) cut() int {
	n := 0
	for _, k := range p.all() {
		if k.asked.Load() {
			n++
		}
		p.drop(k)
	}
	return n
}

// hold lets nothing through in either direction, without a word: new connections
// too come to nothing until heal.
func (p *proxy) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = make(chan struct{})
}

// slow delays everything.
func (p *proxy) slow(by time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = by
}

// heal lets everything through again, also what was held.
func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay, p.silentNew = 0, false
	select {
	case <-p.open:
	default:
		close(p.open)
	}
}

// reset ends a TCP connection with RST instead of a farewell.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
