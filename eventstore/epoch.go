package eventstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"docket/domain"
	"docket/internal/wait"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// epochEvery is the pause between two looks: an operator may begin an epoch.
const epochEvery = 5 * time.Second

// recordAgain is the pause before an epoch is recorded again where that failed.
const recordAgain = 30 * time.Second

// epochTimeout bounds what is asked of Postgres for it.
const epochTimeout = 5 * time.Second

// newestEpochSQL reads the newest epoch, the server that it began on (” and 0: none has
// looked), and this server; and whether an event is there ($1 tenant, $2 seq, $3 command).
const newestEpochSQL = `select e.number, e.id, e.begun_at, e.reason, coalesce(e.system_identifier, ''), coalesce(e.timeline, 0),
  s.system_identifier::text, ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint,
  exists (select from events v where v.tenant_id = $1 and v.seq = $2 and v.command_id = $3)
from epochs e, pg_control_system() s order by e.number desc limit 1`

// lockEpochsSQL lets one program at a time begin an epoch.
const lockEpochsSQL = `select pg_advisory_xact_lock(hashtextextended('docket epochs', 0))`

// beginEpochSQL begins an epoch because of $1 on a server ($2 its system, $3 its timeline).
const beginEpochSQL = `insert into epochs (number, reason, system_identifier, timeline)
select max(number) + 1, $1, $2, $3 from epochs returning number, id, begun_at, reason`

// knowServerSQL records the server ($1, $2) of the newest epoch, where none has looked.
const knowServerSQL = `update epochs set system_identifier = $1, timeline = $2
where number = (select max(number) from epochs) and system_identifier is null`

// epochRecordedSQL reads whether all tenants' logs have an epoch ($1).
const epochRecordedSQL = `select recorded_at is not null from epochs where id = $1`

// recordedEpochSQL says that all tenants' logs have an epoch ($1).
const recordedEpochSQL = `update epochs set recorded_at = clock_timestamp() where id = $1 and recorded_at is null`

// Epochs finds out which epoch is the present one, and begins one where events may be lost:
//
//	the newest event that this process wrote is gone ──┐
//	other system or timeline than the epoch's ─────────┼─▶ begin ─▶ record in the tenants' logs
//	docket epoch begin: an operator, after a restore ──┘
//
// It looks every epochEvery, and whenever the server has changed.
type Epochs struct {
	engine *pgxpool.Pool
	store  *Store
	log    *slog.Logger
	// record, if not nil, records an epoch in the tenants' logs.
	record func(context.Context, domain.Epoch) error

	end  context.CancelFunc
	done sync.WaitGroup

	mu    sync.Mutex
	known domain.Epoch
	// number is the store's ServerNumber when known was read, and err why it couldn't be read last.
	number ServerNumber
	err    error
	// looking is closed when the look under way has ended; nil without one.
	looking chan struct{}
	// recorded is the epoch that record has done; it is only Start's.
	recorded domain.EpochID
}

// NewEpochs makes an Epochs over a pool of the engine role. record, if not nil, is called
// after Start with each epoch but the first, and again after a pause where it fails.
func NewEpochs(engine *pgxpool.Pool, store *Store, record func(context.Context, domain.Epoch) error, log *slog.Logger) *Epochs {
	return &Epochs{engine: engine, store: store, record: record, log: log}
}

// Start looks once, so that the epoch is known, and then again and again until Stop.
func (e *Epochs) Start(ctx context.Context) error {
	if _, err := e.Current(ctx); err != nil {
		return err
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	e.end = end
	e.done.Go(func() {
		for wait.Sleep(running, epochEvery) {
			<-e.look()
		}
	})
	if e.record != nil {
		e.done.Go(func() { e.recordAll(running) })
	}
	return nil
}

// Stop ends what Start has started, and waits.
func (e *Epochs) Stop() {
	if e.end != nil {
		e.end()
		e.done.Wait()
	}
}

// recordAll has each epoch recorded, and tries again after a pause where that fails.
func (e *Epochs) recordAll(ctx context.Context) {
	for {
		pause := epochEvery
		if known := e.Known(); !known.First() && known.ID != e.recorded {
			if err := e.recordOnce(ctx, known); err == nil {
				e.recorded = known.ID
			} else if ctx.Err() == nil {
				pause = recordAgain
				e.log.Error("the epoch isn't in all tenants' logs; trying again", "epoch", known.ID, "retry_in", pause, "error", err)
			}
		}
		if !wait.Sleep(ctx, pause) {
			return
		}
	}
}

// recordOnce has an epoch recorded, unless a process has done that already.
func (e *Epochs) recordOnce(ctx context.Context, known domain.Epoch) error {
	var done bool
	if err := e.engine.QueryRow(ctx, epochRecordedSQL, known.ID.UUID()).Scan(&done); err != nil || done {
		return err
	}
	if err := e.record(ctx, known); err != nil {
		return err
	}
	_, err := e.engine.Exec(ctx, recordedEpochSQL, known.ID.UUID())
	return err
}

// Known is the epoch that was read last; the zero value before that.
func (e *Epochs) Known() domain.Epoch {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.known
}

// Current is the present epoch. It waits only after the server has changed, until the
// database has been asked. Errors: ErrUnavailable, ctx's.
func (e *Epochs) Current(ctx context.Context) (domain.Epoch, error) {
	if known, ok := e.certain(); ok {
		return known, nil
	}
	select {
	case <-e.look():
	case <-ctx.Done():
		return domain.Epoch{}, ctx.Err()
	}
	if known, ok := e.certain(); ok {
		return known, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil { // the server has changed once more
		return domain.Epoch{}, fmt.Errorf("present epoch: %w: the server keeps changing", ErrUnavailable)
	}
	return domain.Epoch{}, fmt.Errorf("present epoch: %w: %w", ErrUnavailable, e.err)
}

// certain is the known epoch; false if it was read from another server.
func (e *Epochs) certain() (domain.Epoch, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.known, e.known.Number > 0 && e.number == e.store.ServerNumber()
}

// look asks the database. The channel is closed when the answer is there: callers share
// one look, and hold no lock meanwhile.
func (e *Epochs) look() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.looking != nil {
		return e.looking
	}
	looked := make(chan struct{})
	e.looking = looked
	go func() {
		defer close(looked)
		ctx, cancel := context.WithTimeout(context.Background(), epochTimeout)
		defer cancel()
		number := e.store.ServerNumber()
		before := e.Known()
		newest, err := e.read(ctx, before, "")
		e.mu.Lock()
		defer e.mu.Unlock()
		e.looking, e.err = nil, err
		if err != nil {
			return
		}
		if newest.ID != before.ID && before.Number > 0 {
			e.store.last.Store(nil) // what is lost is accounted for
			e.log.Warn("a new epoch: events that clients have seen may be lost",
				"epoch", newest.ID, "number", newest.Number, "reason", newest.Reason, "begun_at", newest.BegunAt)
		}
		e.known, e.number = newest, number
	}()
	return looked
}

// Begin begins an epoch for an operator's reason.
func (e *Epochs) Begin(ctx context.Context, reason string) (domain.Epoch, error) {
	return e.read(ctx, e.Known(), reason)
}

// read reads the newest epoch, and begins one if it must, or if there is a reason. known
// is the epoch that the process was in before.
func (e *Epochs) read(ctx context.Context, known domain.Epoch, reason string) (newest domain.Epoch, err error) {
	err = pgx.BeginFunc(ctx, e.engine, func(tx pgx.Tx) error {
		var (
			why    string
			server epochServer
			err    error
		)
		newest, why, server, err = e.ask(ctx, tx, known)
		if err != nil || why == "" && reason == "" && server.known {
			return err
		}
		if _, err := tx.Exec(ctx, lockEpochsSQL); err != nil {
			return err
		}
		// Another program may have begun it meanwhile.
		if newest, why, server, err = e.ask(ctx, tx, known); err != nil {
			return err
		}
		if reason != "" {
			why = reason
		}
		if why == "" {
			_, err := tx.Exec(ctx, knowServerSQL, server.system, server.timeline)
			return err
		}
		if err := scanEpoch(tx.QueryRow(ctx, beginEpochSQL, why, server.system, server.timeline), &newest); err != nil {
			return err
		}
		e.store.last.Store(nil) // what is lost is accounted for
		return nil
	})
	return newest, err
}

// epochServer is the server that answered; known says that the epoch names one.
type epochServer struct {
	system   string
	timeline int64
	known    bool
}

// ask reads the newest epoch, and why it can't be the present one; "" if it is.
func (e *Epochs) ask(ctx context.Context, tx pgx.Tx, known domain.Epoch) (newest domain.Epoch, why string, server epochServer, err error) {
	last := e.store.lastWritten()
	var (
		began   epochServer
		present bool
	)
	err = tx.QueryRow(ctx, newestEpochSQL, last.Tenant.UUID(), last.Seq, last.Command.UUID()).Scan(&newest.Number, (*uuid.UUID)(&newest.ID),
		&newest.BegunAt, &newest.Reason, &began.system, &began.timeline, &server.system, &server.timeline, &present)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errors.New("the table of epochs is empty")
	}
	server.known = began.system != ""
	switch {
	case err != nil:
	case last.Seq > 0 && !present && (known.Number == 0 || newest.ID == known.ID):
		why = "the newest acknowledged events are lost"
	case server.known && began.system != server.system:
		why = "the database is on another system than before"
	case server.known && began.timeline != server.timeline:
		why = "another server took over, or an earlier state was restored"
	}
	return newest, why, server, err
}

func scanEpoch(row pgx.Row, e *domain.Epoch) error {
	return row.Scan(&e.Number, (*uuid.UUID)(&e.ID), &e.BegunAt, &e.Reason)
}
