//go:build linux

package faults_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"docket/internal/postgres"
)

// binary is the program: the one that DOCKET_TEST_PROGRAM names, or else one that is built for
// all tests.
var binary = sync.OnceValues(func() (string, error) {
	if given := os.Getenv("DOCKET_TEST_PROGRAM"); given != "" {
		return given, nil
	}
	dir, err := os.MkdirTemp("", "docket-faults-bin-")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "docket")
	if out, err := exec.Command("go", "build", "-o", path, "docket/cmd/docket").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return path, nil
})

// built is the folder of the binary; empty while there is none.
var built string

func removeBinary() error {
	if built == "" {
		return nil
	}
	return os.RemoveAll(built)
}

// The secrets of all replicas: what they protect lives as long as the test.
var (
	jwtKeys   = "k1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("j", 32)))
	masterKey = base64.StdEncoding.EncodeToString([]byte(strings.Repeat("m", 32)))
)

// replica is one "docket serve".
type replica struct {
	t    *testing.T
	name string
	// engine and api are the connection strings of its logins.
	engine, api string
	// proxy is what stands between it and Postgres; nil where nothing does.
	proxy *proxy
	log   *os.File

	cmd   *exec.Cmd
	ended chan error
	url   atomic.Pointer[string]

	// asking is how many requests wait for an answer of it, and acked how many
	// commands it has acknowledged.
	asking, acked *gauge
}

// newReplica is one on a proxy of its own.
func (c *cluster) newReplica(name string) *replica {
	c.t.Helper()
	p := newProxy(c.t, c.socket())
	url := func(login postgres.Login) string {
		return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", login, p.addr(), postgres.Database)
	}
	r := newReplica(c.t, name, url(postgres.EngineLogin), url(postgres.APILogin))
	r.proxy = p
	return r
}

func newReplica(t *testing.T, name, engine, api string) *replica {
	t.Helper()
	log, err := os.Create(filepath.Join(t.ArtifactDir(), name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return &replica{t: t, name: name, engine: engine, api: api, log: log, asking: newGauge(), acked: newGauge()}
}

// start starts the program and returns when it listens. The error is the
// program's: it doesn't start without Postgres.
func (r *replica) start() error {
	path, err := binary()
	if err != nil {
		return err
	}
	cmd := exec.Command(path, "serve")
	// Whatever becomes of this test, the program doesn't outlive it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Dir = "/"
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "DOCKET_ADDR=127.0.0.1:0", "DOCKET_LOG_FORMAT=json",
		"DATABASE_URL=" + r.engine, "DOCKET_API_DATABASE_URL=" + r.api,
		"DOCKET_JWT_KEYS=" + jwtKeys, "DOCKET_MASTER_KEY=" + masterKey,
		// All load is of one address and few users.
		"DOCKET_WRONG_LOGINS=0", "DOCKET_WRONG_LOGINS_PER_ADDRESS=0", "DOCKET_WRONG_LOGINS_PER_ACCOUNT=0", "DOCKET_NEW_USERS_PER_ADDRESS=0",
		"DOCKET_REQUESTS_PER_ADDRESS=0", "DOCKET_REQUESTS_PER_USER=0", "DOCKET_REQUESTS_PER_TENANT=0",
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	reader := bufio.NewReader(io.TeeReader(stderr, r.log))
	address, said := "", ""
	for address == "" {
		line, err := reader.ReadString('\n')
		said += line
		if err != nil {
			return errors.Join(fmt.Errorf("%s ended before it listened: %s", r.name, said), cmd.Wait())
		}
		var entry struct{ Msg, URL string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "listening" {
			address = entry.URL
		}
	}
	r.t.Cleanup(func() { _ = cmd.Process.Kill() }) // gone, unless the test failed
	r.cmd, r.ended = cmd, make(chan error, 1)
	r.url.Store(&address)
	go func() {
		_, _ = io.Copy(io.Discard, reader) // before Wait, which closes the pipe
		r.ended <- cmd.Wait()
	}()
	return nil
}

// kill ends the program where it stands.
func (r *replica) kill() {
	r.t.Helper()
	r.signal(syscall.SIGKILL)
	<-r.ended
}

// stop ends the program as an operator does.
func (r *replica) stop() {
	r.t.Helper()
	r.signal(syscall.SIGTERM)
	if err := <-r.ended; err != nil {
		r.t.Errorf("%s didn't end well: %v", r.name, err)
	}
}

func (r *replica) signal(sig syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatalf("%s: %v", r.name, err)
	}
}
