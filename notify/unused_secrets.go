package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// markUnusedSQL notes of up to $2 secrets older than $1 seconds that the subscription's
// settings don't name them. A younger one may be of a command that has not been appended yet.
// Only secrets without a note are read, along an index; that is all but the replaced ones,
// one a tenant with a channel that needs it.
const markUnusedSQL = `update tenant_secrets set unused_since = now() where (tenant_id, id) in (
  select s.tenant_id, s.id from tenant_secrets s
  where s.unused_since is null and s.created_at < now() - make_interval(secs => $1)
    and not exists (select from tenant_channels c where c.tenant_id = s.tenant_id and c.slack_webhook = s.id)
  order by s.created_at limit $2)`

// unusedSQL reads up to $2 secrets that were noted as unused more than $1 seconds ago.
const unusedSQL = `select tenant_id, id from tenant_secrets where unused_since < now() - make_interval(secs => $1)
order by unused_since limit $2`

// deleteSecretSQL deletes a secret ($2) of a tenant ($1).
const deleteSecretSQL = `delete from tenant_secrets where tenant_id = $1 and id = $2 and unused_since is not null`

// usedAgainSQL takes the note of a secret ($2) of a tenant ($1) away.
const usedAgainSQL = `update tenant_secrets set unused_since = null, created_at = now() where tenant_id = $1 and id = $2`

// DeleteUnusedSecrets deletes up to limit secrets that no setting has named for longer than
// age, and returns how many. A secret is noted first and deleted a whole age later, and only
// if the tenant's settings as its log has them don't name it then: the subscription's may be
// behind, or parked. A name is never used for another secret, so none is named again. pool
// is of the engine role; store reads the logs.
func DeleteUnusedSecrets(ctx context.Context, pool *pgxpool.Pool, store *eventstore.Store, age time.Duration, limit int) (int, error) {
	if _, err := pool.Exec(ctx, markUnusedSQL, age.Seconds(), limit); err != nil {
		return 0, fmt.Errorf("note unused secrets: %w", eventstore.Unreachable(err))
	}
	rows, err := pool.Query(ctx, unusedSQL, age.Seconds(), limit)
	if err != nil {
		return 0, fmt.Errorf("list unused secrets: %w", eventstore.Unreachable(err))
	}
	unused, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ Tenant, ID uuid.UUID }])
	if err != nil {
		return 0, fmt.Errorf("list unused secrets: %w", eventstore.Unreachable(err))
	}
	var failed []error
	for _, s := range unused {
		named, err := names(ctx, store, domain.TenantID(s.Tenant), domain.SecretID(s.ID))
		sql := deleteSecretSQL
		if named {
			sql = usedAgainSQL
		}
		if err == nil {
			_, err = pool.Exec(ctx, sql, s.Tenant, s.ID)
		}
		if err != nil { // a damaged log keeps its secrets, and no other's
			failed = append(failed, fmt.Errorf("unused secret of tenant %s: %w", s.Tenant, eventstore.Unreachable(err)))
		}
	}
	return len(unused) - len(failed), errors.Join(failed...)
}

// names reports whether a tenant's settings, as its log has them, name a secret.
func names(ctx context.Context, store *eventstore.Store, t domain.TenantID, id domain.SecretID) (bool, error) {
	var tenant domain.Tenant
	err := store.Fold(ctx, t, domain.Stream(domain.TenantStream, t), 0, eventstore.Head, func(e domain.Recorded) (err error) {
		tenant, err = tenant.Evolve(e)
		return err
	})
	return tenant.SlackWebhook != nil && *tenant.SlackWebhook == id, err
}
