package eventstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// dropLostEntrySQL deletes the idempotency record of a key ($1 tenant, $2 hash) whose stream
// ends before the version that was answered.
const dropLostEntrySQL = `delete from commands k where k.tenant_id = $1 and k.key_hash = $2
and not exists (select from events e where e.tenant_id = k.stream_tenant and e.stream_id = k.stream_id and e.version >= k.version)`

// dropLost deletes an idempotency record if the events of its answer are lost, and reports
// whether they are. A restore of some tables leaves such a record, because the append
// writes both at once. Without the events there is no answer to replay, so the
// command has to be decided again. A concurrent request may have deleted the record first;
// the append finds out if that one has written another.
func (s *Store) dropLost(ctx context.Context, e Entry) (bool, error) {
	if e.Answer == nil {
		return false, nil
	}
	var version int
	err := s.scoped(ctx, e.Answer.Tenant, VersionSQL, []any{e.Answer.Tenant.UUID(), e.Answer.Stream.ID}, func(rows pgx.Rows) (err error) {
		version, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
		return err
	})
	if err != nil {
		return false, fmt.Errorf("version of %s in tenant %s: %w", e.Answer.Stream, e.Answer.Tenant, err)
	}
	if version >= e.Answer.Version {
		return false, nil
	}
	if _, err := s.engine.Exec(ctx, dropLostEntrySQL, e.Tenant.UUID(), e.Key[:]); err != nil {
		return false, fmt.Errorf("delete an idempotency record of tenant %s: %w", e.Tenant, Unreachable(err))
	}
	return true, nil
}
