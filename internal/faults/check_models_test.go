//go:build linux

package faults_test

import (
	"context"
	"fmt"

	"docket/domain"
	"docket/internal/postgres"
	"docket/notify"
	"docket/projections"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// rowsSQL are the rows of a read model (whose name is %[1]s, and its table's)
// that are read for a tenant ($1), as texts.
const rowsSQL = `select (to_jsonb(r) - 'generation')::text from %[1]s r
where r.tenant_id = $1 and r.generation = coalesce((select g.current from generations g where g.tenant_id = $1 and g.subscription = '%[1]s'), 1)`

// checkModels holds that every read model is what a fold of the whole log makes.
func (r *run) checkModels() (violations []string) {
	r.t.Helper()
	ctx := r.t.Context()
	admin := r.cluster.session(postgres.Superuser, postgres.Database)
	rows := func(t domain.TenantID, model string) []string {
		found, err := admin.Query(ctx, fmt.Sprintf(rowsSQL, model), t.UUID())
		if err != nil {
			r.t.Fatal(err)
		}
		list, err := pgx.CollectRows(found, pgx.RowTo[string])
		if err != nil {
			r.t.Fatal(err)
		}
		return list
	}
	rebuilder := projections.NewRebuilder(r.cluster.pool(postgres.EngineLogin, postgres.EngineRole))
	for _, t := range r.tenants {
		kept := map[string][]string{}
		for _, model := range projections.Models() {
			kept[model] = rows(t.id, model)
		}
		if err := rebuilder.Rebuild(context.WithoutCancel(ctx), []domain.TenantID{t.id}, nil, nil); err != nil {
			violations = append(violations, err.Error())
			continue
		}
		for model, was := range kept {
			is := rows(t.id, model)
			fresh := map[string]bool{}
			for _, row := range is {
				fresh[row] = true
			}
			if len(is) == 0 {
				violations = append(violations, fmt.Sprintf("%s of tenant %s: nothing to compare", model, t.id))
			}
			for _, row := range was {
				if !fresh[row] {
					violations = append(violations, fmt.Sprintf("%s of tenant %s: kept, but not in a fresh fold: %s", model, t.id, row))
				}
			}
			if len(was) != len(is) {
				violations = append(violations, fmt.Sprintf("%s of tenant %s: %d rows, %d in a fresh fold", model, t.id, len(was), len(is)))
			}
		}
	}
	return violations
}

// inboxSQL is all that was put into a tenant's ($1) inboxes.
const inboxSQL = `select user_id, seq, kind from notifications where tenant_id = $1`

// told is one notification of one user, which must exist once.
type told struct {
	user domain.UserID
	seq  int64
	kind notify.Kind
}

// checkNotifications holds that everybody was told once of what concerns them,
// and of nothing else.
func (r *run) checkNotifications(logs map[domain.TenantID][]domain.Recorded) (violations []string) {
	r.t.Helper()
	admin := r.cluster.session(postgres.Superuser, postgres.Database)
	for id, log := range logs {
		inbox := map[told]int{}
		rows, err := admin.Query(r.t.Context(), inboxSQL, id.UUID())
		if err != nil {
			r.t.Fatal(err)
		}
		var (
			user uuid.UUID
			seq  int64
			kind string
		)
		if _, err := pgx.ForEachRow(rows, []any{&user, &seq, &kind}, func() error {
			inbox[told{domain.UserID(user), seq, notify.Kind(kind)}]++
			return nil
		}); err != nil {
			r.t.Fatal(err)
		}
		expected := 0
		for _, e := range log {
			list, err := notify.Of(e)
			if err != nil {
				r.t.Fatal(err)
			}
			for _, n := range list {
				expected++
				k := told{n.User, n.Seq, n.Kind}
				if inbox[k] != 1 {
					violations = append(violations, fmt.Sprintf("tenant %s: %s was told %d times of %s at seq %d", id, k.user, inbox[k], k.kind, k.seq))
				}
				delete(inbox, k)
			}
		}
		if expected == 0 {
			violations = append(violations, fmt.Sprintf("tenant %s: the test expects no notification at all", id))
		}
		for k := range inbox {
			violations = append(violations, fmt.Sprintf("tenant %s: %s was told of %s at seq %d, where there is nothing to tell", id, k.user, k.kind, k.seq))
		}
	}
	return violations
}
