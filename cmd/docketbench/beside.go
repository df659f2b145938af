package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"docket/domain"
)

// rebuilds are docket projections rebuild, in processes of their own, one after the
// other, of the first tenant: what an operator does while the API is used.
type rebuilds struct {
	program string
	environ []string
	tenant  string

	stop context.CancelFunc
	done chan error
	// finished is how many came to their end, and peak the most memory, in bytes, of
	// the one that runs or ran last.
	finished int
	peak     int64
}

// lengthen fills the first tenant's log, and has its read models rebuilt once, so that the
// live subscriptions needn't go through all of it. That takes a while, so all log in anew.
func (b *httpBench) lengthen(ctx context.Context, program string, environ map[string]string, settings map[string]string) error {
	if b.plan.Rebuild == 0 {
		return nil
	}
	first := b.companies[0]
	id, err := domain.ParseID[any](first.id)
	if err != nil {
		return err
	}
	c, err := newCorpus()
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := c.extend(ctx, b.db, domain.TenantID(id), int64(b.plan.Rebuild)); err != nil {
		return err
	}
	if err := b.db.tidy(ctx); err != nil {
		return err
	}
	b.log("%d events written in %.0f s", b.plan.Rebuild, time.Since(begin).Seconds())
	b.rebuilds = &rebuilds{program: program, environ: childEnviron(environ, settings), tenant: first.id}
	begin = time.Now()
	if err := b.rebuilds.once(ctx, "--full-speed"); err != nil { // nobody uses the API yet
		return err
	}
	b.log("rebuilt in %.0f s, with at most %.0f MB", time.Since(begin).Seconds(), megabytes(b.rebuilds.peak))
	// From here on our own Postgres uses files of the write-ahead log again, as one that has
	// run for a while.
	if err := b.db.checkpoint(ctx); err != nil {
		return err
	}
	return logIn(ctx, b.addr, b.companies)
}

// begin rebuilds until end is called.
func (r *rebuilds) begin(ctx context.Context) {
	ctx, r.stop = context.WithCancel(ctx)
	r.done, r.finished, r.peak = make(chan error, 1), 0, 0
	go func() {
		for {
			if err := r.once(ctx); err != nil {
				r.done <- err
				return
			}
			r.finished++
		}
	}()
}

// end breaks off the one that runs.
func (r *rebuilds) end() error {
	r.stop()
	if err := <-r.done; !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// once rebuilds all read models of the tenant.
func (r *rebuilds) once(ctx context.Context, how ...string) error {
	var said bytes.Buffer
	cmd := exec.Command(r.program, append([]string{"projections", "rebuild", "--tenant", r.tenant}, how...)...)
	cmd.Env, cmd.Stderr = r.environ, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start a rebuild: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				return fmt.Errorf("rebuild: %w: %s", err, bytes.TrimSpace(said.Bytes()))
			}
			return nil
		case <-look.C:
			if _, most := residentMemory(cmd.Process.Pid); most > 0 {
				r.peak = most
			}
		case <-ctx.Done():
			_ = cmd.Process.Signal(syscall.SIGTERM) // gone already: what we want
			<-ended
			return ctx.Err()
		}
	}
}
