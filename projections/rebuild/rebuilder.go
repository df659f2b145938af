package rebuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/internal/wait"
	"docket/projections"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
)

// Rebuilder builds the rows of read models again from the log. The old rows are read
// and kept up to date until a switch; a query sees either all old rows or all new ones.
type Rebuilder struct {
	// Workers is how many tenants are rebuilt at once; 1 if 0. Each uses up to
	// ConnsPerWorker connections of the pool.
	Workers int
	// FullSpeed turns throttling off. A throttled worker writes one read model at a
	// time, and pauses after each page, each switch and each chunk of old rows, so that
	// the API stays quick. More workers take more of the machine.
	FullSpeed bool
	// PageSize is how many events are folded in one transaction; New sets 4,000.
	PageSize int
	// By names the person, program or machine that rebuilds; other processes show it.
	By string

	engine *pgxpool.Pool
	// compareRows is how many rows of either side Verify compares in one statement; the
	// constant if 0.
	compareRows int
	// pause waits for a duration; false when ctx ended first. Tests replace it.
	pause func(context.Context, time.Duration) bool
}

// ConnsPerWorker is how many connections the rebuild of one tenant uses at most: one
// for its locks, one to read the log, and the writers.
const ConnsPerWorker = 2 + fullSpeedWriters

// MaxWorkers bounds Workers: more are slower on any machine, and use too many of the
// database's connections.
const MaxWorkers = 16

// New makes a Rebuilder over a pool of the engine role with at least two connections
// and one more for each worker. The caller closes the pool.
func New(engine *pgxpool.Pool) *Rebuilder {
	return &Rebuilder{engine: engine, PageSize: buildPage, pause: wait.Sleep}
}

// Rebuild rebuilds read models of tenants: all models if models is empty, all tenants if
// tenants is empty; a tenant must not be listed twice. The models of a tenant are rebuilt
// together, in one reading of its log. report, which may be nil, is called after each page
// of each model and at its end, never concurrently.
//
// A read model that can't be rebuilt keeps its old rows, and the others continue; only
// the end of ctx or an unreachable database ends the call. An interrupted call leaves each
// read model of each tenant old or new, and the next call resumes those under way.
//
// Errors: *UnknownModelError before anything is done; else, joined, an *UnreachableError
// if tenants weren't started for that reason, and an *Error for each read model that failed
// (OpRebuild) or whose old rows couldn't be deleted. The cause of OpRebuild is
// *eventstore.TenantError for a tenant without a log; *feed.BuildRunningError if another
// process rebuilds the same; the error of a fold; or domain.ErrUnknownEvent for an event of
// a newer version.
func (r *Rebuilder) Rebuild(ctx context.Context, tenants []domain.TenantID, models []string, report func(Progress)) error {
	chosen, err := chooseModels(models)
	if err != nil {
		return err
	}
	reports := &reporter{report: report}
	err = r.eachTenant(ctx, tenants, func(t domain.TenantID) error {
		return r.rebuildTenant(ctx, t, chosen, reports, (*feed.Builds).Start, (*builder).rebuild)
	})
	return errors.Join(append(reports.failures, err)...)
}

// eachTenant runs do for each tenant, or for all that have a log if tenants is empty, by
// the workers. After an error it starts no other tenant.
func (r *Rebuilder) eachTenant(ctx context.Context, tenants []domain.TenantID, do func(domain.TenantID) error) error {
	if len(tenants) == 0 {
		var err error
		if tenants, err = feed.Logs(ctx, r.engine); err != nil {
			return err
		}
	}
	workers, running := errgroup.WithContext(ctx)
	workers.SetLimit(max(1, r.Workers))
	for _, t := range tenants {
		if running.Err() != nil {
			break
		}
		workers.Go(func() error {
			if running.Err() != nil {
				return nil
			}
			return do(t)
		})
	}
	return errors.Join(workers.Wait(), ctx.Err())
}

// chooseModels finds read models by their names, each once; all for no names.
func chooseModels(names []string) ([]projections.ReadModel, error) {
	all := projections.ReadModels()
	if len(names) == 0 {
		return all, nil
	}
	var chosen []projections.ReadModel
	for _, name := range names {
		i := slices.IndexFunc(all, func(m projections.ReadModel) bool { return m.Name == name })
		if i < 0 {
			return nil, &UnknownModelError{Name: name}
		}
		// Two builds of one model would share a checkpoint: the lock only excludes other sessions.
		if !slices.ContainsFunc(chosen, func(c projections.ReadModel) bool { return c.Name == name }) {
			chosen = append(chosen, all[i])
		}
	}
	return chosen, nil
}

// eventsSumSQL sums up the heads of some tenants' ($1) logs, of all if null.
const eventsSumSQL = `select coalesce(sum(h.seq), 0)::bigint
from (select l.tenant_id from tenant_logs l where $1::uuid[] is null or l.tenant_id = any ($1) order by l.tenant_id) t, lateral (
  select e.seq from events e where e.tenant_id = t.tenant_id order by e.seq desc limit 1) h`

// Events is the number of events in the logs of some tenants; of all if tenants is empty.
func (r *Rebuilder) Events(ctx context.Context, tenants []domain.TenantID) (int64, error) {
	var sum int64
	if err := r.engine.QueryRow(ctx, eventsSumSQL, tenants).Scan(&sum); err != nil {
		return 0, fmt.Errorf("count events: %w", err)
	}
	return sum, nil
}

func (r *Rebuilder) head(ctx context.Context, t domain.TenantID) (int64, error) {
	var head int64
	if err := r.engine.QueryRow(ctx, eventstore.HeadSQL, t.UUID()).Scan(&head); err != nil {
		return 0, fmt.Errorf("read head: %w", err)
	}
	return head, nil
}
