package eventstore

import (
	"context"
	"time"

	"docket/domain"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// appendSingleSQL appends one event without a batch; migrations/0002_events.sql
// explains the parameters and the result.
const appendSingleSQL = `select head, at, refused_at, refused_version
from append_one($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

// single reports whether append_one can write the batch: one Commit of one event
// in one log, without new tenants, claims or an Entry.
func (b *batch) single() bool {
	if len(b.commits) != 1 || len(b.tenants) != 1 {
		return false
	}
	w := b.commits[0]
	c := w.commit
	return len(w.events) == 1 && len(c.Parts) == 1 && len(c.NewTenants) == 0 && len(c.Claims) == 0 && c.Entry == nil
}

// sendSingle is send for such a batch.
func sendSingle(ctx context.Context, conn *pgx.Conn, b *batch, lockTimeout int32) (result, error) {
	w := b.commits[0]
	checks, versions := make(ids, len(w.checks)), make([]int32, len(w.checks))
	for i, k := range w.checks {
		checks[i], versions[i] = idOf(k.Stream.ID), int32(k.Version)
	}
	tenant := w.tenants[0]
	b.tenants = map[domain.TenantID]int{tenant: 1}
	w.firstCheck = 0
	actor := idOf(w.commit.Actor.UUID())
	actor.Valid = !w.commit.Actor.IsZero()
	e := w.events[0]
	var (
		head           pgtype.Int8
		at             *time.Time
		refusedAt      *int
		refusedVersion *int
	)
	err := conn.QueryRow(ctx, appendSingleSQL, lockTimeout, idOf(tenant.UUID()), string(e.Stream.Type), checks, versions,
		e.Event.EventType(), w.schema[0], actor, idOf(w.commit.Command.UUID()), []byte(w.data[0]), []byte(w.meta)).
		Scan(&head, &at, &refusedAt, &refusedVersion)
	r := result{Heads: []int64{head.Int64}, Times: []time.Time{{}}}
	switch {
	case err != nil:
		return r, outcome(err)
	case refusedAt == nil:
		r.Times[0] = *at
	case *refusedAt == 0:
		r.refuse("tenant", 1, nil)
	default:
		r.refuse("version", *refusedAt, refusedVersion)
	}
	return r, nil
}

func (r *result) refuse(reason string, at int, version *int) {
	r.Refused, r.Refusals = []int{1}, []string{reason}
	r.RefusedAt, r.RefusedVersion = []int{at}, []*int{version}
}
