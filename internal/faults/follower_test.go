//go:build linux

package faults_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/postgres"

	"github.com/google/uuid"
)

// A follower is this test binary run again as a replica with one subscription and
// one worker, which writes what it reads into the table journal. It holds its
// first page, rows written and nothing committed, until an order says how to end it.
const (
	// followerVariable has the engine's connection string and makes a follower of
	// the binary; nameVariable its name.
	followerVariable = "DOCKET_TEST_FOLLOWER"
	nameVariable     = "DOCKET_TEST_FOLLOWER_NAME"
	journal          = "journal"
)

// journalSQL is the table. It has no key: what is written twice is to be seen.
const journalSQL = `create table journal (tenant_id uuid, seq bigint, by text);
create index on journal (tenant_id, seq);
grant select, insert on journal to docket_engine`

// lastWrittenSQL is how far the journal of a tenant ($1) goes.
const lastWrittenSQL = `select coalesce(max(seq), 0) from journal where tenant_id = $1`

// writeSQL writes a seq ($2) of a tenant ($1) by a follower ($3).
const writeSQL = `insert into journal values ($1, $2, $3)`

// idleSQL tells how long Postgres lets the session idle in the middle of a page,
// in milliseconds.
const idleSQL = `select extract(epoch from current_setting('idle_in_transaction_session_timeout')::interval) * 1000`

// longIdleSQL lets it idle for as long as a test takes.
const longIdleSQL = `select set_config('idle_in_transaction_session_timeout', '0', true)`

// shortIdleSQL makes that shorter than a test would have to wait.
const shortIdleSQL = `select set_config('idle_in_transaction_session_timeout', '500ms', true)`

// follow is the follower's main.
func follow() int {
	ctx := context.Background()
	pool, err := postgres.Pool(ctx, os.Getenv(followerVariable), postgres.PoolConfig{Role: postgres.EngineRole, MaxConns: 6, AppName: "follower"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	events := feed.New(feed.Config{
		Pool: pool, PageSize: 20, Workers: 1, Sweep: 100 * time.Millisecond, Timeout: 10 * time.Minute,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}, nil)
	messages, err := events.Subscribe(ctx, journal)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	orders, first := bufio.NewReader(os.Stdin), true
	handle := feed.Handle(func(ctx context.Context, p *feed.Page) error {
		if err := write(ctx, p, os.Getenv(nameVariable)); err != nil || !first {
			return err
		}
		first = false
		return holdPage(ctx, p, orders)
	})
	for m := range messages {
		if err := handle(m); err != nil {
			m.Nack()
		} else {
			m.Ack()
		}
	}
	return 0
}

// write writes a page into the journal. It fails where an event comes twice, or
// not after the one before.
func write(ctx context.Context, p *feed.Page, by string) error {
	var last int64
	if err := p.Tx.QueryRow(ctx, lastWrittenSQL, p.Tenant.UUID()).Scan(&last); err != nil {
		return err
	}
	for _, e := range p.Events {
		if e.Tenant != p.Tenant || e.Seq != last+1 {
			return fmt.Errorf("event %d of tenant %s comes after %d of %s", e.Seq, e.Tenant, last, p.Tenant)
		}
		last = e.Seq
		if _, err := p.Tx.Exec(ctx, writeSQL, p.Tenant.UUID(), e.Seq, by); err != nil {
			return err
		}
	}
	return nil
}

// holdPage says that it has a page and waits for the order to finish or fail it.
func holdPage(ctx context.Context, p *feed.Page, orders *bufio.Reader) error {
	var idle float64
	if err := p.Tx.QueryRow(ctx, idleSQL).Scan(&idle); err != nil {
		return err
	}
	if _, err := p.Tx.Exec(ctx, longIdleSQL); err != nil {
		return err
	}
	fmt.Printf("holding %s %.0f\n", p.Tenant, idle)
	for {
		order, err := orders.ReadString('\n')
		if err != nil {
			return err
		}
		switch order {
		case "short\n":
			if _, err := p.Tx.Exec(ctx, shortIdleSQL); err != nil {
				return err
			}
			fmt.Println("short")
		case "fail\n":
			return errors.New("ordered to fail")
		default:
			return nil
		}
	}
}

// follower is one of them, from outside.
type follower struct {
	t      *testing.T
	cmd    *exec.Cmd
	orders *os.File
	says   io.Reader
	// holds is the tenant of its first page, and idle how long Postgres would let
	// its session idle in the middle of it.
	holds domain.TenantID
	idle  time.Duration
}

// newFollower starts one and returns when it holds its first page.
func newFollower(t *testing.T, url, name string) *follower {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, orders, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), followerVariable+"="+url, nameVariable+"="+name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stdin = in
	var trouble strings.Builder
	cmd.Stderr = &trouble
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f := &follower{t: t, cmd: cmd, orders: orders, says: out}
	t.Cleanup(func() {
		f.signal(syscall.SIGKILL)
		_ = cmd.Wait()
		_ = orders.Close()
		if t.Failed() {
			t.Logf("%s said: %s", name, trouble.String())
		}
	})
	var (
		tenant string
		idle   int64
	)
	if _, err := fmt.Fscanf(out, "holding %s %d\n", &tenant, &idle); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	f.holds, f.idle = domain.TenantID(uuid.MustParse(tenant)), time.Duration(idle)*time.Millisecond
	return f
}

// stop stops it where it stands, after Postgres was told to lose patience soon.
func (f *follower) stop() {
	f.t.Helper()
	f.order("short")
	if _, err := fmt.Fscanf(f.says, "short\n"); err != nil {
		f.t.Fatal(err)
	}
	f.signal(syscall.SIGSTOP)
}

// order lets it go on with its first page: "go" or "fail".
func (f *follower) order(what string) {
	f.t.Helper()
	if _, err := f.orders.WriteString(what + "\n"); err != nil {
		f.t.Fatal(err)
	}
}

func (f *follower) signal(sig syscall.Signal) {
	_ = f.cmd.Process.Signal(sig) // one that is gone already is what we want
}
