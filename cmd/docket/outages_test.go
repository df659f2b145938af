package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"docket/internal/tenanttest"

	"github.com/jackc/pgx/v5/pgconn"
)

// An outage is one line when it begins, some while it lasts and one when it ends, however
// many lines are logged meanwhile.
func TestOutageLines(t *testing.T) {
	t.Parallel()
	var out tenanttest.Log
	log, state := newOutages(slog.New(slog.NewTextHandler(&out, nil)))
	gone := &pgconn.PgError{Code: "57P01", Message: "terminating connection"}
	log.Warn("sweep failed", "error", gone)
	if lines := out.Count("sweep failed"); lines != 1 {
		t.Fatalf("%d lines before it watches", lines)
	}
	asked, answers := make(chan struct{}), make(chan error)
	state.every = 0
	state.watch(t.Context(), func(context.Context) error {
		asked <- struct{}{}
		return <-answers
	})
	defer state.stop(t.Context())
	answer := func(err error) {
		t.Helper()
		tenanttest.Receive(t, "the database isn't asked", asked)
		answers <- err
	}

	log.With("subscription", "tasks").Warn("page not handled", "error", fmt.Errorf("read: %w", gone))
	answer(nil) // one connection has broken
	tenanttest.Eventually(t, "the line of a broken connection", func() (bool, any) { return out.Count("page not handled") == 1, out.String() })

	for range 500 {
		log.Warn("claim failed", "error", gone)
	}
	for range outageTries {
		answer(errors.New("connection refused"))
	}
	tenanttest.Eventually(t, "the line that the outage begins", func() (bool, any) { return out.Count("the database is out") == 1, out.String() })
	log.Warn("claim failed", "error", context.DeadlineExceeded)
	log.Warn("disk is slow", "error", errors.New("another matter"))
	answer(errors.New("connection refused"))
	tenanttest.Eventually(t, "the line that the outage lasts", func() (bool, any) { return out.Count("the database is still out") == 1, out.String() })
	answer(nil)
	tenanttest.Eventually(t, "the line that the outage ends", func() (bool, any) { return out.Count("the database answers again") == 1, out.String() })
	if out.Count("claim failed") != 0 || out.Count("lines_left_out=501") != 2 || out.Count("another matter") != 1 {
		t.Errorf("it wrote\n%s", out.String())
	}
}

// A duration's key says its unit.
func TestLoggedDurations(t *testing.T) {
	t.Parallel()
	var out tenanttest.Log
	newLogger(&out, settings{LogFormat: "json", LogLevel: "warn"}).Warn("x", "took", outageTimeout)
	newLogger(&out, settings{LogFormat: "json", LogLevel: "warn"}).Info("left out")
	if got := out.String(); !strings.Contains(got, `"took_ms":3000`) || strings.Contains(got, "left out") {
		t.Errorf("got %s", got)
	}
}
