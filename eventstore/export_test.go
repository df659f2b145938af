package eventstore

import (
	"context"

	"docket/domain"

	"github.com/jackc/pgx/v5"
)

// AppendIn calls the append function inside a transaction, which Append never does.
func AppendIn(ctx context.Context, tx pgx.Tx, c Commit) error {
	b, err := encode(c)
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, appendSQL, b.args()...)
	if err != nil {
		return err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByPos[appendLine])
	if err != nil {
		return err
	}
	return b.refusal(lines)
}

// RetryDelay is the pause before a failed event is tried again.
var RetryDelay = retryDelay

// News tells the Feed of appends that no Store of its own has made.
func (f *Feed) News(tenants []domain.TenantID) { f.news(tenants) }
