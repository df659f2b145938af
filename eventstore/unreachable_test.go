package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
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
		&pgconn.PgError{Code: "28P01"}, &pgconn.PgError{Code: "28000"}, &pgconn.PgError{Code: "3D000"},
		&pgconn.PgError{Code: "42501", Routine: "aclcheck_error"}, &pgconn.PgError{Code: "42501", Routine: "aclcheck_error_col"},
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
		// A defect of this program: row-level security, and the trigger that keeps the log.
		&pgconn.PgError{Code: "42501", Routine: "ExecWithCheckOptions"}, &pgconn.PgError{Code: "42501", Routine: "exec_stmt_raise"},
	} {
		if got := eventstore.Unreachable(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}

// The answer of a write tells whether it was carried out; without one that is unknown.
func TestUnacknowledged(t *testing.T) {
	t.Parallel()
	nowhere, err := pgxpool.New(t.Context(), "postgres://docket@127.0.0.1:1/docket?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	for code, errs := range map[domain.Code][]error{
		domain.CodeOutcomeUnknown: {
			io.ErrUnexpectedEOF, context.DeadlineExceeded, &pgconn.PgError{Code: "57P01", SeverityUnlocalized: "FATAL"},
		},
		domain.CodeOverloaded: {
			nowhere.Ping(t.Context()), &pgconn.PgError{Code: "57014", SeverityUnlocalized: "ERROR"},
			&pgconn.PgError{Code: "25006", SeverityUnlocalized: "ERROR"}, &pgconn.PgError{Code: "53100", SeverityUnlocalized: "ERROR"},
		},
	} {
		for _, err := range errs {
			got := eventstore.Unacknowledged(fmt.Errorf("write: %w", err))
			var coded *domain.Error
			if !errors.As(got, &coded) || coded.Code != code || !errors.Is(got, err) {
				t.Errorf("%v became %v, want %s", err, got, code)
			}
		}
	}
	for _, err := range []error{
		nil, context.Canceled, domain.NotFound("task"), &pgconn.PgError{Code: "42P01", SeverityUnlocalized: "ERROR"},
	} {
		if got := eventstore.Unacknowledged(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}

// A read has the code of its refusal from the store: its caller adds none.
func TestReadsOfAnUnreachableServer(t *testing.T) {
	t.Parallel()
	nowhere, err := pgxpool.New(t.Context(), "postgres://docket@127.0.0.1:1/docket?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	s, id := eventstore.New(nowhere, nowhere, nil), domain.TenantID{1}
	_, _, claimant := s.Claimant(t.Context(), id, eventstore.ClaimSlug, "acme")
	_, claimants := s.ClaimantsBut(t.Context(), id, eventstore.ClaimOwner, uuid.Nil, 1)
	_, _, remembered := s.Remembered(t.Context(), id, eventstore.Hash{})
	fold := s.Fold(t.Context(), id, domain.StreamID{}, 0, eventstore.Head, func(domain.Recorded) error { return nil })
	for name, err := range map[string]error{"Claimant": claimant, "ClaimantsBut": claimants, "Remembered": remembered, "Fold": fold} {
		var coded *domain.Error
		if !errors.As(err, &coded) || coded.Code != domain.CodeOverloaded || errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
