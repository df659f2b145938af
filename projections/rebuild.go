package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"docket/domain"
	"docket/eventstore/feed"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
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

// UnreachableError says that the database couldn't be reached for some seconds, so that the
// tenants which were left weren't begun. The same call goes on with them.
type UnreachableError struct{ Cause error }

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("the database is gone, and what was left wasn't begun: %v", e.Cause)
}

func (e *UnreachableError) Unwrap() error { return e.Cause }

// Progress says how far the rebuild of one read model of one tenant is.
type Progress struct {
	Tenant domain.TenantID
	Model  string
	// Seq is the last event folded, and Head the log's last when it began.
	Seq, Head int64
	// Done says that the new rows are the ones that are read.
	Done bool
	// Err is why it came to nothing, a *RebuildError; nil while it didn't. Of what is Done
	// it is an *OldRowsError, told after that.
	Err error
}

// Rebuilder folds read models anew from the log, while the old rows are read and
// kept up to date. Readers see the old rows, then at once the new ones.
type Rebuilder struct {
	// Workers is how many tenants are in hand at once; 1 if 0. Each wants up to
	// ConnsPerWorker connections of the pool.
	Workers int
	// FullSpeed has it take as much of the machine as it can get. Else it gives way: it
	// writes one read model of a tenant at a time, and pauses after each page, each flip
	// and each chunk of old rows, so that those who use the API hardly notice. That is
	// so for each worker: more of them take more of the machine.
	FullSpeed bool
	// By is how others are told who rebuilds: a person, a program, a machine.
	By string

	engine   *pgxpool.Pool
	pageSize int
	// compareRows is how many rows of either side Verify compares in one statement; the
	// constant if 0.
	compareRows int
	// breathe is pause, but in tests.
	breathe func(context.Context, time.Duration) bool
}

// ConnsPerWorker is how many connections the rebuild of one tenant takes at most: one
// holds its locks, one reads the log, and the others write.
const ConnsPerWorker = 2 + writers

// MaxWorkers bounds Workers: more are slower, whatever the machine, and keep too many
// of the database's connections.
const MaxWorkers = 16

// NewRebuilder makes a Rebuilder over a pool of the engine role that has at least
// two connections and one more for each worker; it stays the caller's to close.
func NewRebuilder(engine *pgxpool.Pool) *Rebuilder {
	return &Rebuilder{engine: engine, pageSize: buildPage, breathe: pause}
}

// Rebuild rebuilds read models of tenants: all models if none is named, all tenants
// if none is given; no tenant may be given twice. The models of a tenant are rebuilt together,
// in one pass over its log. report, which may be nil, is called after each page of each and at its end,
// never twice at a time.
//
// What can't be rebuilt keeps its old rows, and the others go on; only the end of ctx ends
// it all, and a database that is gone. It may be broken off at any point: each read model
// of each tenant is then old or new, and the next call goes on with those that were in hand.
//
// Errors: *UnknownModelError before anything is done, and then, joined, an
// *UnreachableError where tenants weren't begun for that reason, an *OldRowsError for each
// whose old rows couldn't be deleted, and a *RebuildError for each that failed. Its cause
// is *eventstore.TenantError for a tenant without a log; *feed.BuildRunningError where
// another process rebuilds the same; what a fold says of an event that it can't fold; or
// domain.ErrUnknownEvent for one of a newer version.
func (r *Rebuilder) Rebuild(ctx context.Context, tenants []domain.TenantID, models []string, report func(Progress)) error {
	chosen, err := choose(models)
	if err != nil {
		return err
	}
	if len(tenants) == 0 {
		if tenants, err = feed.Logs(ctx, r.engine); err != nil {
			return err
		}
	}
	told := &reporter{report: report}
	hands, going := errgroup.WithContext(ctx)
	hands.SetLimit(max(1, r.Workers))
	for _, t := range tenants {
		if going.Err() != nil {
			break
		}
		hands.Go(func() error {
			if going.Err() != nil {
				return nil
			}
			return r.pass(ctx, t, chosen, told, (*feed.Builds).Start, (*follower).rebuild)
		})
	}
	gone := hands.Wait()
	return errors.Join(append(told.failures, gone, ctx.Err())...)
}

// reporter tells how a rebuild goes, from whichever goroutine.
type reporter struct {
	mu       sync.Mutex
	report   func(Progress)
	failures []error
}

func (r *reporter) tell(p Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.Err != nil {
		r.failures = append(r.failures, p.Err)
	}
	if r.report != nil {
		r.report(p)
	}
}

// alone runs something while nothing is told.
func (r *reporter) alone(do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do()
}

// fail tells that one read model of a tenant came to nothing.
func (r *reporter) fail(t domain.TenantID, model string, cause error) {
	r.tell(Progress{Tenant: t, Model: model, Err: &RebuildError{Tenant: t, Model: model, Cause: cause}})
}

// choose finds read models by their names, each once; all for none.
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
		// Two builds of one would be taken for one: a lock excludes other sessions only.
		if m := readModels()[i]; !slices.ContainsFunc(chosen, func(c readModel) bool { return c.name == m.name }) {
			chosen = append(chosen, m)
		}
	}
	return chosen, nil
}

// eventsSumSQL sums up the last seqs of some tenants' ($1) logs, of all if null.
const eventsSumSQL = `select coalesce(sum(h.seq), 0)::bigint
from (select l.tenant_id from tenant_logs l where $1::uuid[] is null or l.tenant_id = any ($1) order by l.tenant_id) t, lateral (
  select e.seq from events e where e.tenant_id = t.tenant_id order by e.seq desc limit 1) h`

// Events is how many events the logs of some tenants have together; all tenants if
// none is given.
func (r *Rebuilder) Events(ctx context.Context, tenants []domain.TenantID) (int64, error) {
	var sum int64
	if err := r.engine.QueryRow(ctx, eventsSumSQL, tenants).Scan(&sum); err != nil {
		return 0, fmt.Errorf("count events: %w", err)
	}
	return sum, nil
}
