package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Time limits of a docket serve.
const (
	readyBound = 2 * time.Minute
	endBound   = 90 * time.Second
)

// docket is the docket that is measured.
type docket struct {
	path, dir string // of the program, and of its logs
	environ   []string
}

// docketOn returns the program at path on a database that it has migrated. Where path is
// empty it builds one from this checkout. It gets this environment, but for the settings
// of the database.
func (p *program) docketOn(ctx context.Context, db *database, path string) (docket, error) {
	d := docket{path: cmp.Or(path, filepath.Join(db.dir, "docket")), dir: db.dir}
	if path == "" {
		if err := buildDocket(ctx, d.path); err != nil {
			return d, err
		}
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	key := base64.StdEncoding.EncodeToString(secret)
	environ := maps.Clone(p.environ)
	maps.Copy(environ, map[string]string{"DATABASE_URL": db.Engine, "DOCKET_OWNER_DATABASE_URL": db.Owner,
		"DOCKET_API_DATABASE_URL": db.API, "DOCKET_JWT_KEYS": "bench:" + key, "DOCKET_MASTER_KEY": key})
	d.withoutLimits(ctx, environ)
	for k, v := range environ {
		d.environ = append(d.environ, k+"="+v)
	}
	_, err := d.run(ctx, "migrate")
	return d, err
}

// withoutLimits turns the limits off, as all load is of one address and few users. An older
// program doesn't know the settings, and refuses them.
func (d docket) withoutLimits(ctx context.Context, environ map[string]string) {
	help, _ := exec.CommandContext(ctx, d.path, "serve", "--help").Output()
	for _, name := range []string{"DOCKET_REQUESTS_PER_ADDRESS", "DOCKET_REQUESTS_PER_USER", "DOCKET_REQUESTS_PER_TENANT", "DOCKET_WRONG_LOGINS",
		"DOCKET_WRONG_LOGINS_PER_ACCOUNT", "DOCKET_WRONG_LOGINS_PER_ADDRESS", "DOCKET_NEW_USERS_PER_ADDRESS"} {
		if bytes.Contains(help, []byte(name+" ")) {
			environ[name] = "0"
		}
	}
}

func buildDocket(ctx context.Context, path string) error {
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "docket/cmd/docket").CombinedOutput(); err != nil {
		return fmt.Errorf("build docket (run docketbench in its checkout, or give --docket): %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// process is a docket that runs or ran.
type process struct {
	cmd    *exec.Cmd
	log    string        // path of what it writes to standard error
	addr   string        // of a server
	begin  time.Time     // of the process
	took   time.Duration // until a server was ready, otherwise to its end
	peakMB float64       // the most memory; only of run
	ended  chan struct{}
	err    error // of its end, to be read after ended
}

// start starts a docket in a process group of its own: Ctrl-C in a terminal goes to the
// whole group, and docketbench ends it itself.
func (d docket) start(args ...string) (*process, error) {
	log, err := os.CreateTemp(d.dir, "docket-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{cmd: exec.Command(d.path, args...), log: log.Name(), ended: make(chan struct{}), begin: time.Now()}
	p.cmd.Env, p.cmd.Stderr, p.cmd.SysProcAttr = d.environ, log, &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start docket: %w", err)
	}
	go func() {
		if p.err = p.cmd.Wait(); p.err != nil {
			said, _ := os.ReadFile(p.log) // the error has to do without it
			lines := strings.Split(strings.TrimSpace(string(said)), "\n")
			p.err = fmt.Errorf("docket %s ended: %w: %s", args[0], p.err, lines[len(lines)-1])
		}
		close(p.ended)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// run runs a docket to its end, and reads its memory every 50 ms. Where ctx ends first, it
// is stopped.
func (d docket) run(ctx context.Context, args ...string) (*process, error) {
	p, err := d.start(args...)
	if err != nil {
		return &process{}, err
	}
	for {
		select {
		case <-p.ended:
			p.took = time.Since(p.begin)
			return p, p.err
		case <-time.After(50 * time.Millisecond):
			_, most := memoryOf(p.pid())
			p.peakMB = max(p.peakMB, most)
		case <-ctx.Done():
			_ = p.stop(context.WithoutCancel(ctx)) // ctx says why
			return p, ctx.Err()
		}
	}
}

// serve starts a server and returns when it is ready.
func (d docket) serve(ctx context.Context) (*process, error) {
	p, err := d.start("serve", "--addr", "127.0.0.1:0", "--log-format", "json")
	if err != nil {
		return nil, err
	}
	if err := p.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, p.stop(ctx))
	}
	p.took = time.Since(p.begin)
	return p, nil
}

var listening = regexp.MustCompile(`"url":"http://([^"/]+)`)

// awaitReady waits until the log has the server's address and /readyz answers 200 there.
func (p *process) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyBound)
	defer cancel()
	for {
		log, _ := os.ReadFile(p.log)
		if m := listening.FindSubmatch(log); m != nil {
			p.addr = string(m[1])
			c := &client{addr: p.addr}
			_, err := c.do(ctx, "", get("/readyz"))
			c.close()
			if err == nil {
				return nil
			}
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-p.ended:
			return errors.New("docket ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("docket isn't ready: %w", ctx.Err())
		}
	}
}

// stop ends a docket as an operator does, and kills it when ctx ends or it takes too long.
// It returns when the process is gone.
func (p *process) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, endBound)
	defer cancel()
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
	case <-ctx.Done():
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	return p.err
}
