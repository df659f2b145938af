package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"docket/domain"
	"docket/eventstore"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

func TestUnreachable(t *testing.T) {
	t.Parallel()
	nowhere, err := pgxpool.New(t.Context(), "postgres://docket@127.0.0.1:1/docket?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	for _, err := range []error{
		nowhere.Ping(t.Context()),
		&pgconn.PgError{Code: "57P01"}, &pgconn.PgError{Code: "57P03"}, &pgconn.PgError{Code: "53300"},
		&pgconn.PgError{Code: "08006"}, &pgconn.PgError{Code: "25006"},
		fmt.Errorf("receive: %w", io.ErrUnexpectedEOF),
	} {
		got := eventstore.Unreachable(fmt.Errorf("read: %w", err))
		var coded *domain.Error
		if !errors.As(got, &coded) || coded.Code != domain.CodeOverloaded || !errors.Is(got, err) {
			t.Errorf("%v became %v", err, got)
		}
	}
	for _, err := range []error{
		nil, context.Canceled, errors.New("scan"), domain.ErrScopeStale, domain.NotFound("task"),
		&pgconn.PgError{Code: "42P01"}, &pgconn.PgError{Code: "57014"},
	} {
		if got := eventstore.Unreachable(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}
