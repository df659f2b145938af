package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// How docket is waited for.
const (
	listenBound = 2 * time.Minute
	endBound    = 90 * time.Second
	lookEvery   = 2 * time.Millisecond
)

// maxServerLog is how long the server's log may grow, in bytes, before it is
// emptied: it has a line for every request.
const maxServerLog = 64 << 20

// docket is a docket serve that runs as a process of its own.
type docket struct {
	cmd  *exec.Cmd
	log  string
	addr string
	// took is the time from its start until it said that it is ready.
	took  time.Duration
	ended chan struct{}
	err   error // of its end; read it after ended
}

// buildDocket builds the program into dir, unless it is given.
func buildDocket(ctx context.Context, given, dir string) (string, error) {
	if given != "" {
		return given, nil
	}
	path := filepath.Join(dir, "docket")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "docket/cmd/docket").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build docket (run docketbench in its checkout, or give --docket): %w: %s", err, bytes.TrimSpace(out))
	}
	return path, nil
}

// startDocket starts a server with these settings, and returns when it is ready.
func startDocket(ctx context.Context, program, dir string, environ map[string]string, settings map[string]string) (_ *docket, err error) {
	d := &docket{log: filepath.Join(dir, "docket.log"), ended: make(chan struct{})}
	// To append: so that it can be emptied under the server.
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.cmd = exec.Command(program, "serve", "--addr", "127.0.0.1:0", "--log-format", "json")
	d.cmd.Env = childEnviron(environ, settings)
	d.cmd.Stderr = log
	// Ctrl-C in a terminal goes to the whole group; we end the server ourselves.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	begin := time.Now()
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start docket: %w", err)
	}
	go func() {
		d.err = d.cmd.Wait()
		close(d.ended)
	}()
	if err := d.await(ctx); err != nil {
		return nil, errors.Join(err, d.stop(ctx))
	}
	d.took = time.Since(begin)
	go d.keepLogShort()
	return d, nil
}

// childEnviron is ours with some settings changed; an empty one is taken out.
func childEnviron(environ, settings map[string]string) []string {
	var out []string
	for k, v := range environ {
		if _, ok := settings[k]; !ok {
			out = append(out, k+"="+v)
		}
	}
	for k, v := range settings {
		if v != "" {
			out = append(out, k+"="+v)
		}
	}
	slices.Sort(out)
	return out
}

// onDatabase are the settings of a server on a database.
func onDatabase(db *database) map[string]string {
	secret := func() string {
		b := make([]byte, 32)
		_, _ = rand.Read(b) // never fails
		return base64.StdEncoding.EncodeToString(b)
	}
	return map[string]string{
		"DATABASE_URL": db.Engine, "DOCKET_OWNER_DATABASE_URL": db.Owner, "DOCKET_API_DATABASE_URL": db.API,
		"DOCKET_JWT_KEYS": "bench:" + secret(), "DOCKET_MASTER_KEY": secret(),
	}
}

// await waits until the server's log says where it listens, and it answers there
// that it is ready.
func (d *docket) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, listenBound)
	defer cancel()
	for {
		if d.addr == "" {
			d.addr = listensAt(d.log)
		}
		if d.addr != "" {
			c := &client{addr: d.addr}
			a, err := c.do(ctx, credentials{}, get("/readyz"), false)
			c.close()
			if err == nil && a.Status == 200 {
				return nil
			}
		}
		select {
		case <-time.After(lookEvery):
		case <-d.ended:
			return fmt.Errorf("docket ended: %w: %s", errors.Join(d.err, errors.New("before it was ready")), lastLine(d.log))
		case <-ctx.Done():
			return fmt.Errorf("docket isn't ready: %w", ctx.Err())
		}
	}
}

// listensAt finds the address in the server's log; empty: not yet there.
func listensAt(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(raw) {
		var said struct{ Msg, URL string }
		if json.Unmarshal(line, &said) == nil && said.Msg == "listening" {
			if u, err := url.Parse(said.URL); err == nil {
				return u.Host
			}
		}
	}
	return ""
}

func lastLine(path string) string {
	raw, _ := os.ReadFile(path) // without it the other error must do
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return lines[len(lines)-1]
}

// keepLogShort empties the log whenever it has grown long.
func (d *docket) keepLogShort() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if info, err := os.Stat(d.log); err == nil && info.Size() > maxServerLog {
				_ = os.Truncate(d.log, 0) // the next tick tries again
			}
		case <-d.ended:
			return
		}
	}
}

func (d *docket) pid() int { return d.cmd.Process.Pid }

// stop ends the server and waits for it: as an operator would, and when that takes
// too long or ctx ends, at once.
func (d *docket) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, endBound)
	defer cancel()
	_ = d.cmd.Process.Signal(syscall.SIGTERM) // gone already: what we want
	select {
	case <-d.ended:
	case <-ctx.Done():
		_ = d.cmd.Process.Kill()
		<-d.ended
	}
	if d.err != nil {
		return fmt.Errorf("docket ended: %w: %s", d.err, lastLine(d.log))
	}
	return nil
}
