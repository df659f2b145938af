package eventstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Hash is a SHA-256.
type Hash [32]byte

// Entry is the idempotency record of a command: a second request with the same key
// gets a replay of the first answer. It is written with its Commit or not at all.
type Entry struct {
	// Tenant is the log to which the key belongs.
	Tenant domain.TenantID
	// Key is the hash of the key and its scope. The key itself isn't stored.
	Key Hash
	// Fingerprint is the request fingerprint, a hash.
	Fingerprint Hash
	// Command is the Commit's, given by Append.
	Command domain.CommandID
	// Seq is the position in the answer; nil for that of the Commit's last event in the
	// log of Answer's stream.
	Seq *int64
	// Answer is the stream whose state the answer had; nil where it had no body.
	Answer *Version
	// Aside is the part of the answer that isn't in that state; nil if there is none.
	Aside json.RawMessage
	// Refusal is the problem in the answer; nil for an accepted command.
	Refusal json.RawMessage
}

// Version is a stream at one of its versions.
type Version struct {
	Tenant  domain.TenantID
	Stream  domain.StreamID
	Version int
}

// rememberedSQL reads an idempotency record ($1 tenant, $2 hash of the key).
const rememberedSQL = `select fingerprint, command_id, seq, stream_tenant, stream_type, stream_id, version, aside, refusal
from commands where tenant_id = $1 and key_hash = $2`

// forgetSQL deletes up to $2 idempotency records that are older than $1 seconds by
// Postgres' clock, which is also that of their times: a replica's may be wrong.
const forgetSQL = `delete from commands where (tenant_id, key_hash) in
(select tenant_id, key_hash from commands where at < now() - make_interval(secs => $1) order by at limit $2)`

// ForgetLostSQL deletes the idempotency records of commands whose events a tenant's ($1) log
// has lost: they may be sent again. The log ended at a seq ($2) after the loss. It may have
// grown since: a record stays if the event at its seq is of its command, or older than the
// record, whose command then wrote none. A record's seq is of the log of its answer, which
// may be another than the key's.
const ForgetLostSQL = `delete from commands k where coalesce(k.stream_tenant, k.tenant_id) = $1 and k.seq > $2
  and not exists (select from events e where e.tenant_id = $1 and e.seq = k.seq
    and (e.command_id = k.command_id or e.occurred_at <= k.at))`

// Remembered reads the idempotency record of a key; found is false for a new key.
func (s *Store) Remembered(ctx context.Context, t domain.TenantID, key Hash) (e Entry, found bool, err error) {
	err = s.scoped(ctx, t, rememberedSQL, []any{t.UUID(), key[:]}, func(rows pgx.Rows) error {
		e, err = pgx.CollectExactlyOneRow(rows, scanEntry)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Entry{}, false, nil
	}
	if err != nil {
		return Entry{}, false, fmt.Errorf("idempotency record of tenant %s: %w", t, err)
	}
	e.Tenant, e.Key = t, key
	lost, err := s.dropLost(ctx, e)
	return e, !lost && err == nil, err
}

// rememberedAllSQL reads idempotency records ($1 tenant, $2 hashes of the keys), and leaves
// out those whose stream ends before the version that was answered (dropLost).
const rememberedAllSQL = `select key_hash, fingerprint, command_id, seq, stream_tenant, stream_type, stream_id, version, aside, refusal
from commands k where tenant_id = $1 and key_hash = any($2::bytea[]) and (stream_id is null
  or exists (select from events e where e.tenant_id = k.stream_tenant and e.stream_id = k.stream_id and e.version = k.version))`

// RememberedAll reads the idempotency records of several keys of a tenant.
func (s *Store) RememberedAll(ctx context.Context, t domain.TenantID, keys []Hash) (map[Hash]Entry, error) {
	hashes := make([][]byte, len(keys))
	for i := range keys {
		hashes[i] = keys[i][:]
	}
	all := map[Hash]Entry{}
	err := s.scoped(ctx, t, rememberedAllSQL, []any{t.UUID(), hashes}, func(rows pgx.Rows) error {
		for rows.Next() {
			var key []byte
			e, err := scanEntry(keyed{rows, &key})
			if err != nil {
				return err
			}
			copy(e.Key[:], key)
			e.Tenant = t
			all[e.Key] = e
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("idempotency records of tenant %s: %w", t, err)
	}
	return all, nil
}

// keyed scans a row whose first column is the key.
type keyed struct {
	pgx.Rows
	key *[]byte
}

// Scan reads the key and the other columns.
func (k keyed) Scan(to ...any) error { return k.Rows.Scan(append([]any{k.key}, to...)...) }

func scanEntry(row pgx.CollectableRow) (Entry, error) {
	var (
		e              Entry
		fingerprint    []byte
		command        uuid.UUID
		tenant, id     *uuid.UUID
		kind           *string
		version        *int
		aside, refusal *string
	)
	if err := row.Scan(&fingerprint, &command, &e.Seq, &tenant, &kind, &id, &version, &aside, &refusal); err != nil {
		return e, err
	}
	copy(e.Fingerprint[:], fingerprint)
	e.Command = domain.CommandID(command)
	if id != nil {
		e.Answer = &Version{
			Tenant: domain.TenantID(*tenant), Stream: domain.StreamID{Type: domain.StreamType(*kind), ID: *id}, Version: *version,
		}
	}
	if aside != nil {
		e.Aside = json.RawMessage(*aside)
	}
	if refusal != nil {
		e.Refusal = json.RawMessage(*refusal)
	}
	return e, nil
}

// Forget deletes up to limit idempotency records that are older than age, and returns their
// number.
func (s *Store) Forget(ctx context.Context, age time.Duration, limit int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	tag, err := s.engine.Exec(ctx, forgetSQL, age.Seconds(), limit)
	if err != nil {
		return 0, fmt.Errorf("delete idempotency records: %w", Unreachable(err))
	}
	return int(tag.RowsAffected()), nil
}
