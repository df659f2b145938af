package eventstore

import (
	"context"
	"errors"
	"fmt"
	"math"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// ScopeSQL limits the api role to one tenant ($1) until the end of the transaction.
const ScopeSQL = `select set_config('docket.tenant', $1, true)`

// HeadSQL is the last seq of a tenant's log ($1), 0 for an empty one.
const HeadSQL = `select coalesce((select e.seq from events e where e.tenant_id = $1 order by e.seq desc limit 1), 0)`

// VersionSQL is the version of a stream ($2) in a tenant's log ($1), 0 for one that doesn't
// exist.
const VersionSQL = `select coalesce((select e.version from events e
where e.tenant_id = $1 and e.stream_id = $2 order by e.version desc limit 1), 0)`

// streamSQL reads the events of a stream ($1 tenant, $2 stream, $4 its type) after
// a version ($3) up to another ($5). The type keeps a caller that passes a project's id as
// a user's from getting the project's events.
const streamSQL = `select ` + Columns + ` from events
where tenant_id = $1 and stream_id = $2 and version > $3 and version <= $5 and stream_type = $4 order by version`

// claimantSQL finds the holder of a claim ($1 tenant, $2 kind, $3 value).
const claimantSQL = `select holder from claims where tenant_id = $1 and kind = $2 and value = $3`

// claimantsSQL lists up to $3 holders of claims of a kind ($1 tenant, $2 kind) other than $4.
const claimantsSQL = `select holder from claims where tenant_id = $1 and kind = $2 and holder <> $4
order by value limit $3`

// Head, as the version up to which a stream is folded, is its last.
const Head = math.MaxInt32

// Fold reads a stream's events after a version up to another, and hands them to apply
// in order: none for a stream that doesn't exist. It holds one event at a time, because a
// stream may be larger than the memory. What apply got before an error was read well.
//
// The error is apply's, or domain.ErrUnknownEvent where a newer version of Docket wrote an
// event, or domain.CodeOverloaded where Postgres is away (Unreachable).
func (s *Store) Fold(ctx context.Context, t domain.TenantID, stream domain.StreamID, after, upTo int, apply func(domain.Recorded) error) error {
	err := s.scoped(ctx, t, streamSQL, []any{t.UUID(), stream.ID, after, string(stream.Type), upTo}, func(rows pgx.Rows) error {
		for rows.Next() {
			e, err := Scan(rows)
			if err != nil {
				return err
			}
			if err := apply(e); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		return fmt.Errorf("load %s of tenant %s: %w", stream, t, err)
	}
	return nil
}

// Claimant is the holder of a claim; found is false where it is free.
func (s *Store) Claimant(ctx context.Context, t domain.TenantID, kind ClaimKind, value string) (holder uuid.UUID, found bool, err error) {
	err = s.scoped(ctx, t, claimantSQL, []any{t.UUID(), string(kind), value}, func(rows pgx.Rows) error {
		holder, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, false, nil
	}
	if err != nil {
		return uuid.Nil, false, fmt.Errorf("claim %s: %w", kind, err)
	}
	return holder, true, nil
}

// ClaimantsBut lists up to limit holders of claims of a kind, other than but.
func (s *Store) ClaimantsBut(ctx context.Context, t domain.TenantID, kind ClaimKind, but uuid.UUID, limit int) ([]uuid.UUID, error) {
	var holders []uuid.UUID
	err := s.scoped(ctx, t, claimantsSQL, []any{t.UUID(), string(kind), limit, but}, func(rows pgx.Rows) error {
		var err error
		holders, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claims %s: %w", kind, err)
	}
	return holders, nil
}

// scoped runs one query as the api role within one tenant, in one round trip. The
// batch is one implicit transaction, and the scope ends with it.
func (s *Store) scoped(ctx context.Context, t domain.TenantID, sql string, args []any, read func(pgx.Rows) error) error {
	b := &pgx.Batch{}
	b.Queue(ScopeSQL, t.String())
	b.Queue(sql, args...).Query(read)
	return Unreachable(s.api.SendBatch(ctx, b).Close())
}
