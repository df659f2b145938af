package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// buildPage is how many events of a rebuild are folded in one transaction: so
	// many that the round trips don't count, so few that the largest events of all
	// fit into memory.
	buildPage = 2000
	// dropChunk is how many rows of an old generation are deleted in one
	// transaction, so that none is long.
	dropChunk = 5000
)

// UnknownModelError says that there is no read model of that name.
type UnknownModelError struct{ Name string }

func (e *UnknownModelError) Error() string {
	return fmt.Sprintf("no read model %q; there are %v", e.Name, Models())
}

// RebuildError says that one read model of one tenant wasn't rebuilt, and why. Its
// old rows are read on.
type RebuildError struct {
	Tenant domain.TenantID
	Model  string
	Cause  error
}

func (e *RebuildError) Error() string {
	return fmt.Sprintf("rebuild %s of tenant %s: %v", e.Model, e.Tenant, e.Cause)
}

func (e *RebuildError) Unwrap() error { return e.Cause }

// Progress says how far the rebuild of one read model of one tenant is.
type Progress struct {
	Tenant domain.TenantID
	Model  string
	// Seq is the last event folded, and Head the log's last when it began.
	Seq, Head int64
	// Done says that the new rows are the ones that are read.
	Done bool
	// Err is why it came to nothing, a *RebuildError; nil while it didn't.
	Err error
}

// Rebuilder folds read models anew from the log, while the old rows are read and
// kept up to date. Readers see the old rows, then at once the new ones.
type Rebuilder struct {
	engine   *pgxpool.Pool
	pageSize int
}

// NewRebuilder makes a Rebuilder over a pool of the engine role that has at least
// two connections; it stays the caller's to close.
func NewRebuilder(engine *pgxpool.Pool) *Rebuilder {
	return &Rebuilder{engine: engine, pageSize: buildPage}
}

// Rebuild rebuilds read models of tenants one after the other: all models if none
// is named, all tenants if none is given. report, which may be nil, is called after
// each page and at the end of each.
//
// What can't be rebuilt keeps its old rows, and the others go on; only the end of
// ctx ends it all. It may be broken off at any point: each read model of each
// tenant is then old or new, and the next call goes on with the one that was in hand.
//
// Errors: *UnknownModelError before anything is done, and then a *RebuildError for
// each that failed, joined. Its cause is *eventstore.TenantError for a tenant
// without a log; *eventstore.BuildRunningError where another process rebuilds the
// same; what a fold says of an event that it can't fold; or domain.ErrUnknownEvent
// for one of a newer version.
func (r *Rebuilder) Rebuild(ctx context.Context, tenants []domain.TenantID, models []string, report func(Progress)) error {
	chosen, err := choose(models)
	if err != nil {
		return err
	}
	if len(tenants) == 0 {
		if tenants, err = r.Tenants(ctx); err != nil {
			return err
		}
	}
	if report == nil {
		report = func(Progress) {}
	}
	var failures []error
	for _, t := range tenants {
		for _, m := range chosen {
			if err := ctx.Err(); err != nil {
				return errors.Join(append(failures, err)...)
			}
			if err := r.rebuild(ctx, t, m, report); err != nil {
				err = &RebuildError{Tenant: t, Model: m.name, Cause: err}
				failures = append(failures, err)
				report(Progress{Tenant: t, Model: m.name, Err: err})
			}
		}
	}
	return errors.Join(failures...)
}

// choose finds read models by their names; all for none.
func choose(names []string) ([]readModel, error) {
	if len(names) == 0 {
		return readModels(), nil
	}
	var chosen []readModel
	for _, name := range names {
		i := slices.IndexFunc(readModels(), func(m readModel) bool { return m.name == name })
		if i < 0 {
			return nil, &UnknownModelError{Name: name}
		}
		chosen = append(chosen, readModels()[i])
	}
	return chosen, nil
}

// tenantsSQL lists all logs, the platform's too.
const tenantsSQL = `select tenant_id from tenant_logs order by tenant_id`

// Tenants are all tenants that have a log, in the order of their ids, which is
// that of their making. The platform's is among them.
func (r *Rebuilder) Tenants(ctx context.Context) ([]domain.TenantID, error) {
	rows, err := r.engine.Query(ctx, tenantsSQL)
	if err != nil {
		return nil, fmt.Errorf("list tenants: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("list tenants: %w", err)
	}
	tenants := make([]domain.TenantID, len(ids))
	for i, id := range ids {
		tenants[i] = domain.TenantID(id)
	}
	return tenants, nil
}

func (r *Rebuilder) rebuild(ctx context.Context, t domain.TenantID, m readModel, report func(Progress)) error {
	build, err := eventstore.StartBuild(ctx, r.engine, t, m.name, m.foldVersion)
	if err != nil {
		return err
	}
	defer build.Close()
	p := Progress{Tenant: t, Model: m.name}
	if err := r.engine.QueryRow(ctx, headSQL, t.UUID()).Scan(&p.Head); err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	for full := true; full; {
		n, err := build.Page(ctx, r.pageSize, m.fill)
		if err != nil {
			return err
		}
		full = n >= r.pageSize
		p.Seq = build.Seq()
		report(p)
	}
	if err := build.Flip(ctx, r.pageSize, m.fill); err != nil {
		return err
	}
	p.Seq, p.Done = build.Seq(), true
	report(p)
	return r.drop(ctx, t, m, build.Generation())
}

// dropSQL deletes up to $3 rows of a tenant ($1) whose generation is below
// another ($2). It is made for one table. The order is that of the key: no other
// index finds those rows.
func dropSQL(table string) string {
	return `delete from ` + table + ` where ctid = any (array(
  select ctid from ` + table + ` where tenant_id = $1 and generation < $2 order by generation limit $3))`
}

// drop deletes the rows of all generations below one, those of builds that were
// given up too.
func (r *Rebuilder) drop(ctx context.Context, t domain.TenantID, m readModel, below int) error {
	for {
		done, err := r.engine.Exec(ctx, dropSQL(m.table), t.UUID(), below, dropChunk)
		if err != nil {
			return fmt.Errorf("delete old rows: %w", err)
		}
		if done.RowsAffected() < dropChunk {
			return nil
		}
	}
}
