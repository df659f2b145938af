package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// databaseEvery is how often a server tries a Postgres that isn't there yet.
const databaseEvery = 200 * time.Millisecond

// awaitDatabase waits, no longer than the bound, until the Postgres of each login is
// there: after a power cut it may come later than docket. A server that refuses a login
// is there. What is missing after the wait is for checkServer to say.
func awaitDatabase(ctx context.Context, d *database, bound time.Duration, log *slog.Logger) {
	if d.Private {
		return
	}
	deadline := time.Now().Add(bound)
	waiting := false
	for _, url := range []string{d.Engine, d.API, d.Owner} {
		for {
			err := tryServer(ctx, url)
			if !notThereYet(err) || !time.Now().Before(deadline) {
				break
			}
			if !waiting {
				log.WarnContext(ctx, "waiting for Postgres", "at_most", bound, "error", err)
				waiting = true
			}
			select {
			case <-time.After(databaseEvery):
			case <-ctx.Done():
				return
			}
		}
	}
}

func tryServer(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	_, err := askServer(ctx, url)
	return err
}

// codeCannotConnectNow is the SQLSTATE of a server that starts or stops.
const codeCannotConnectNow = "57P03"

// notThereYet tells a server that doesn't answer, or that is starting, from one that
// refuses.
func notThereYet(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code == codeCannotConnectNow
	}
	var connecting *pgconn.ConnectError
	return errors.As(err, &connecting)
}
