package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Config says where the private Postgres lives. The zero value of all but
// DataDir is what "docket serve" uses.
type Config struct {
	// DataDir is Docket's data directory; made when absent (mode 0700; as root
	// 0711, since Postgres runs as another user and must pass through).
	DataDir string
	// Unsafe turns durability off. For tests only: a crash may lose everything.
	Unsafe bool
	// MaxConnections is the server's max_connections; 0: 100.
	MaxConnections int
	// Binaries is a directory with postgres and initdb; empty: search (see Find).
	Binaries string
	// Logger gets a line on what was started or adopted; nil: none.
	Logger *slog.Logger
}

// How long Start waits for a server that is not busy starting (crash recovery may
// take as long as it takes), and Stop for each of its signals.
const (
	silenceBound = 60 * time.Second
	stopBound    = 30 * time.Second
	pollEvery    = 10 * time.Millisecond
)

// Server is a running private Postgres and the lock on its data directory.
type Server struct {
	dataDir string
	cluster string
	socket  string
	main    postmaster
	adopted bool
	lock    *os.File
	log     *slog.Logger
	exited  chan struct{} // closed when the postmaster is gone

	stopOnce sync.Once
	stopErr  error
}

// Start starts the private Postgres of cfg.DataDir, or adopts the one that a
// killed docket left there, and returns when it accepts connections and its
// logins and database exist. On a fresh directory that takes about a second.
//
// ctx ends the waiting, not the server. Errors: *LockedError when another docket
// has the directory; ErrNoBinaries when Postgres is not installed; anything else
// carries the last lines of the server's log where there are any. After an error
// nothing that Start started is left.
func Start(ctx context.Context, cfg Config) (_ *Server, err error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.DataDir, err = prepareDataDir(cfg.DataDir); err != nil {
		return nil, err
	}
	lock, err := lockDataDir(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	s := &Server{
		dataDir: cfg.DataDir,
		cluster: filepath.Join(cfg.DataDir, clusterDir),
		lock:    lock,
		log:     cfg.Logger,
		exited:  make(chan struct{}),
	}
	defer func() {
		if err != nil {
			_ = unlock(lock)
		}
	}()
	if err := s.startOrAdopt(ctx, cfg); err != nil {
		return nil, err
	}
	if err := s.bootstrap(ctx); err != nil {
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

func prepareDataDir(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("postgres: no data directory given")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("postgres: %w", err)
	}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		mode := os.FileMode(0o700)
		if os.Geteuid() == 0 {
			mode = 0o711
		}
		// Chmod because of the umask: root's often is 077.
		if err := errors.Join(os.MkdirAll(dir, mode), os.Chmod(dir, mode)); err != nil {
			return "", fmt.Errorf("postgres: %w", err)
		}
	}
	// One directory, one name: the socket's directory may be a hash of it.
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", fmt.Errorf("postgres: %w", err)
	}
	return dir, nil
}

func (s *Server) startOrAdopt(ctx context.Context, cfg Config) error {
	id, err := identify(s.cluster)
	if err != nil {
		return err
	}
	if adopted, err := s.adoptOrOutlive(ctx, id); err != nil || adopted {
		return err
	}
	if err := id.canEnter(s.dataDir); err != nil {
		return err
	}
	b, err := chooseBinaries(ctx, cfg, s.cluster)
	if err != nil {
		return err
	}
	if err := initCluster(ctx, s.cluster, b, id, cfg.Unsafe); err != nil {
		return err
	}
	s.socket = socketDir(s.dataDir)
	if err := makeSocketDir(s.socket, id); err != nil {
		return err
	}
	if err := s.takeLockFiles(id); err != nil {
		return err
	}
	return s.launch(ctx, b, id, cfg)
}

// adopt takes over a server that is running on the cluster. One that is still
// starting is waited for; one that is shutting down is waited for until it is
// gone, and not adopted. Its settings are those of the docket that started it,
// until the next stop.
func (s *Server) adopt(ctx context.Context, id identity) (bool, error) {
	p, err := readPostmaster(s.cluster)
	if err != nil || !p.listens() {
		return false, nil
	}
	if err := checkSocketDir(p.socketDir, id); err != nil {
		return false, err
	}
	s.main, s.socket, s.adopted = p, p.socketDir, true
	go s.watch()
	err = s.awaitAnswer(ctx)
	switch {
	case errors.Is(err, errExited):
		s.adopted, s.exited = false, make(chan struct{})
		return false, nil
	case err != nil:
		return false, err
	}
	s.log.InfoContext(ctx, "adopted a running private Postgres", "pid", p.pid)
	return true, nil
}

// watch closes exited when an adopted server is gone. It is not our child, so
// there is nothing to wait on. The pid file goes a moment before the process; the wait
// for that moment has a bound, as the pid may be another program's by then.
func (s *Server) watch() {
	exited := s.exited
	defer close(exited)
	for s.main.alive(s.cluster) {
		time.Sleep(pollEvery)
	}
	for range 100 {
		if !processExists(s.main.pid) {
			return
		}
		time.Sleep(pollEvery)
	}
}

// launch starts the postmaster as a child and waits until it answers.
func (s *Server) launch(ctx context.Context, b Binaries, id identity, cfg Config) error {
	logFile, begin, err := openLog(s.dataDir)
	if err != nil {
		return err
	}
	defer logFile.Close()
	cmd := id.command(s.cluster, b.path("postgres"), serverArgs(s.cluster, s.socket, cfg)...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("postgres: start: %w", err)
	}
	exited := s.exited
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended stands in its log
	}()
	s.main = postmaster{pid: cmd.Process.Pid}
	err = s.awaitAnswer(ctx)
	if errors.Is(err, errExited) {
		return fmt.Errorf("postgres: the server did not start: %s", logTail(s.dataDir, begin))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%w: %s", err, logTail(s.dataDir, begin)), s.Stop(context.WithoutCancel(ctx)))
	}
	if p, err := readPostmaster(s.cluster); err == nil {
		s.main = p
	}
	s.log.InfoContext(ctx, "started a private Postgres", "version", b.Major, "pid", s.main.pid)
	return nil
}

var errExited = errors.New("postgres: the server exited")

// awaitAnswer returns nil when the server accepts connections, errExited when it
// is gone. A server that says it is starting up or shutting down is waited for
// without bound, one that says nothing for silenceBound. Its pid file says so, so that it
// isn't asked before it answers.
func (s *Server) awaitAnswer(ctx context.Context) error {
	deadline := time.Now().Add(silenceBound)
	for {
		p, err := readPostmaster(s.cluster)
		if err == nil && p.accepts() {
			var c *pgconn.PgConn
			if c, err = pgconn.Connect(ctx, s.URL(Superuser, "postgres")); err == nil {
				return c.Close(ctx)
			}
		} else if err == nil && p.busy() {
			deadline = time.Now().Add(silenceBound)
		}
		if hasCode(err, codeCannotConnectNow) {
			deadline = time.Now().Add(silenceBound)
		} else if time.Now().After(deadline) {
			return fmt.Errorf("postgres: server with pid %d does not answer: %w", s.main.pid, err)
		}
		select {
		case <-s.exited:
			return errExited
		case <-ctx.Done():
			return fmt.Errorf("postgres: waiting for the server: %w", ctx.Err())
		case <-time.After(pollEvery):
		}
	}
}

// URL is the pgx connection string of a login for a database on this server.
func (s *Server) URL(login Login, database string) string {
	return socketURL(s.socket, login, database)
}

// PID is the postmaster's process id.
func (s *Server) PID() int { return s.main.pid }

// Adopted tells whether Start found the server running.
func (s *Server) Adopted() bool { return s.adopted }

// Exited is closed when the postmaster is gone, stopped or crashed.
func (s *Server) Exited() <-chan struct{} { return s.exited }

// Stop ends the server and waits until it is gone: connections are cut and a
// checkpoint written (SIGINT, "fast"); a server that is still there after 30 s,
// or when ctx ends, is made to leave without a checkpoint (SIGQUIT, recovered by
// the next start). It then releases the data directory. Further calls return the
// first one's answer.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() { s.stopErr = s.stop(ctx) })
	return s.stopErr
}

func (s *Server) stop(ctx context.Context) error {
	defer func() { _ = unlock(s.lock) }()
	// Only worth it outside the data directory; one that is not empty stays.
	defer os.Remove(s.socket)
	bounded, cancel := context.WithTimeout(ctx, stopBound)
	defer cancel()
	s.signal(syscall.SIGINT)
	select {
	case <-s.exited:
		return nil
	case <-bounded.Done():
	}
	s.log.WarnContext(ctx, "the private Postgres is slow to stop; stopping it without a checkpoint", "pid", s.main.pid)
	s.signal(syscall.SIGQUIT)
	select {
	case <-s.exited:
		return nil
	case <-time.After(stopBound):
		return fmt.Errorf("postgres: server with pid %d does not stop", s.main.pid)
	}
}

// signal goes to the postmaster alone, by pid, and only while that pid is its.
func (s *Server) signal(sig syscall.Signal) {
	select {
	case <-s.exited:
	default:
		if !s.adopted || s.main.alive(s.cluster) {
			_ = syscall.Kill(s.main.pid, sig) // gone already: what we want
		}
	}
}

// runWithContext is cmd.Run that kills the program's whole group when ctx ends.
func runWithContext(ctx context.Context, cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer stop()
	return cmd.Wait()
}
