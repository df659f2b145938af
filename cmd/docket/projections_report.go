package main

import (
	"bufio"
	"context"
	"docket/projections/rebuild"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"docket/domain"
	"docket/internal/cli"
)

// report writes what a command on read models finds, line by line.
type report struct {
	out      *bufio.Writer
	failures io.Writer // for people, on standard error
	json     bool
	names    *tenantNames
	began    time.Time
	err      error // the first error of writing
}

func (p *program) newReport(asJSON bool) report {
	return report{out: bufio.NewWriter(p.stdout), failures: p.stderr, json: asJSON}
}

// start begins to measure the time.
func (r *report) start(names *tenantNames) { r.names, r.began = names, time.Now() }

func (r *report) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *report) printf(format string, args ...any) {
	_, err := fmt.Fprintf(r.out, format, args...)
	r.keep(err)
}

func (r *report) writeJSON(object any) { r.keep(cli.WriteJSON(r.out, object)) }

func (r *report) flush() { r.keep(r.out.Flush()) }

// failf writes a line on a read model that failed.
func (r *report) failf(tenant, model, format string, args ...any) {
	fmt.Fprintf(r.failures, "%s  %s  %s\n", cli.Printable(tenant), model, fmt.Sprintf(format, args...))
}

// took is the time since the work began, in milliseconds for machines.
func (r *report) took() (took time.Duration, ms int64) {
	took = time.Since(r.began)
	return took.Round(time.Millisecond), took.Milliseconds()
}

// result is the error of a command by which so many read models could not be verified,
// rebuilt or compared; answer is its error where none failed. It is independent of
// whether the output was read to its end; another error of writing comes first.
func (r *report) result(failed int, verb string, answer error) error {
	switch {
	case r.err != nil && !errors.Is(r.err, syscall.EPIPE):
		return r.err
	case failed > 0:
		return fmt.Errorf("%d read models couldn't be %s", failed, verb)
	case answer != nil:
		return answer
	}
	return r.err
}

const (
	// oldRowsLeft is the line on a read model that is rebuilt, but whose old rows could
	// not be deleted.
	oldRowsLeft = "rebuilt, and its old rows are still there; a server deletes them"
	// interrupted is the cause of what a signal has interrupted.
	interrupted = "interrupted"
)

// isOldRows reports whether what failed for a read model is the deletion of its old rows.
func isOldRows(err error) bool {
	var failure *rebuild.Error
	return errors.As(err, &failure) && failure.Op == rebuild.OpDeleteOldRows
}

// causeOf is why one read model failed, without what its line says anyway.
func causeOf(err error) string {
	var failure *rebuild.Error
	if errors.As(err, &failure) {
		err = failure.Cause
	}
	text := cli.OneLine(err.Error())
	switch {
	case errors.Is(err, context.Canceled):
		return interrupted
	case errors.Is(err, domain.ErrUnknownEvent):
		return "left to a newer docket, which wrote what this one can't read: " + text
	}
	return text
}
