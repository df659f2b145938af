package eventstore

import (
	"cmp"
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

// epochTimeout bounds what is asked of Postgres for it.
const epochTimeout = 5 * time.Second

// maxLooks is how many looks one caller of Current waits for.
const maxLooks = 3

// newestEpochSQL reads the newest epoch, the server that it began on (empty and 0: none has
// looked), and this server; and whether an event is there ($1 tenant, $2 seq, $3 command).
const newestEpochSQL = `select e.number, e.id, e.begun_at, e.reason, coalesce(e.system_identifier, ''), coalesce(e.timeline, 0),
  s.system_identifier::text, ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint,
  exists (select from events v where v.tenant_id = $1 and v.seq = $2 and v.command_id = $3)
from epochs e, pg_control_system() s order by e.number desc limit 1`

// lockEpochsSQL lets one program at a time begin an epoch.
const lockEpochsSQL = `select pg_advisory_xact_lock(hashtextextended('docket epochs', 0))`

// beginEpochSQL begins an epoch because of $1 on a server ($2 its system, $3 its timeline).
// Its number is higher than that of the epoch before ($4), which may be lost.
const beginEpochSQL = `insert into epochs (number, reason, system_identifier, timeline)
select greatest(max(number), $4) + 1, $1, $2, $3 from epochs returning number, id, begun_at, reason`

// knowServerSQL records the server ($1, $2) of the newest epoch, where none has looked.
const knowServerSQL = `update epochs set system_identifier = $1, timeline = $2
where number = (select max(number) from epochs) and system_identifier is null`

// Epochs finds out which epoch is the present one, and begins one where events may be lost:
//
//	the newest event that this process wrote is gone ──┐
//	the newest epoch that this process knows is gone ──┤
//	other system or timeline than the epoch's ─────────┼─▶ begin ─▶ record in the tenants' logs
//	docket epoch begin: an operator, after a restore ──┘
//
// It looks every epochEvery, and whenever the server has changed.
type Epochs struct {
	engine *pgxpool.Pool
	store  *Store
	log    *slog.Logger
	// record records an epoch in the tenants' logs.
	record func(context.Context, domain.Epoch) error

	running context.Context
	end     context.CancelFunc
	done    sync.WaitGroup

	mu    sync.Mutex
	known domain.Epoch
	// number is the store's ServerNumber when known was read, and err why it couldn't be read last.
	number ServerNumber
	err    error
	// looking is closed when the look under way has ended; nil without one.
	looking chan struct{}
	// recorded is the epoch that record has done; it is only StartRecording's.
	recorded domain.EpochID
}

// NewEpochs makes an Epochs over a pool of the engine role. record, which only
// StartRecording needs, is called with each epoch but the first, and again after a pause
// where it fails.
func NewEpochs(engine *pgxpool.Pool, store *Store, record func(context.Context, domain.Epoch) error, log *slog.Logger) *Epochs {
	running, end := context.WithCancel(context.Background())
	return &Epochs{engine: engine, store: store, record: record, log: log, running: running, end: end}
}

// Start looks once, so that the epoch is known, and then again and again until Stop.
func (e *Epochs) Start(ctx context.Context) error {
	if _, err := e.Current(ctx); err != nil {
		return err
	}
	e.done.Go(func() {
		for wait.Sleep(e.running, epochEvery) {
			<-e.look()
		}
	})
	return nil
}

// Stop ends what Start and StartRecording have started, and waits.
func (e *Epochs) Stop() {
	e.end()
	e.done.Wait()
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
	// The server may change during a look: the look itself may be the first to reach it.
	for range maxLooks {
		if known, ok := e.certain(); ok {
			return known, nil
		}
		select {
		case <-e.look():
		case <-ctx.Done():
			return domain.Epoch{}, ctx.Err()
		}
		if err := e.failure(); err != nil {
			return domain.Epoch{}, fmt.Errorf("present epoch: %w: %w", ErrUnavailable, err)
		}
	}
	if known, ok := e.certain(); ok {
		return known, nil
	}
	return domain.Epoch{}, fmt.Errorf("present epoch: %w: the server keeps changing", ErrUnavailable)
}

// failure is why the last look has failed; nil if it hasn't.
func (e *Epochs) failure() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
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
	var found epochState
	err = pgx.BeginFunc(ctx, e.engine, func(tx pgx.Tx) (err error) {
		if found, err = e.ask(ctx, tx, known); err != nil || found.why == "" && reason == "" && found.named {
			return err
		}
		if _, err := tx.Exec(ctx, lockEpochsSQL); err != nil {
			return err
		}
		// Another program may have begun it meanwhile.
		if found, err = e.ask(ctx, tx, known); err != nil {
			return err
		}
		why := cmp.Or(reason, found.why)
		if why == "" {
			_, err := tx.Exec(ctx, knowServerSQL, found.system, found.timeline)
			return err
		}
		return scanEpoch(tx.QueryRow(ctx, beginEpochSQL, why, found.system, found.timeline, known.Number), &found.newest)
	})
	if err == nil && !found.present {
		// The newest epoch accounts for the lost event. Only after the commit: without the
		// epoch the loss would be forgotten.
		e.store.last.CompareAndSwap(found.last, nil)
	}
	return found.newest, err
}

// epochState is what the database has told of epochs.
type epochState struct {
	newest domain.Epoch
	// why is the reason for which newest can't be the present one; empty if it is.
	why string
	// system and timeline are those of the server that answered; named says that the epoch
	// names a server.
	system   string
	timeline int64
	named    bool
	// last is the event that this process wrote last, and present says that the log has it.
	last    *domain.Recorded
	present bool
}

// ask reads the newest epoch, and whether it can be the present one.
func (e *Epochs) ask(ctx context.Context, tx pgx.Tx, known domain.Epoch) (epochState, error) {
	s := epochState{last: e.store.last.Load()}
	var (
		last          domain.Recorded
		beganSystem   string
		beganTimeline int64
	)
	if s.last != nil {
		last = *s.last
	}
	err := tx.QueryRow(ctx, newestEpochSQL, last.Tenant.UUID(), last.Seq, last.Command.UUID()).Scan(&s.newest.Number, (*uuid.UUID)(&s.newest.ID),
		&s.newest.BegunAt, &s.newest.Reason, &beganSystem, &beganTimeline, &s.system, &s.timeline, &s.present)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errors.New("the table of epochs is empty")
	}
	if err != nil {
		return epochState{}, err
	}
	s.named = beganSystem != ""
	switch {
	case s.last != nil && !s.present && (known.Number == 0 || s.newest.ID == known.ID):
		s.why = "the newest acknowledged events are lost"
	case s.newest.Number < known.Number:
		s.why = "the newest epoch is lost, and events with it"
	case s.named && beganSystem != s.system:
		s.why = "the database is on another system than before"
	case s.named && beganTimeline != s.timeline:
		s.why = "another server took over, or an earlier state was restored"
	}
	return s, nil
}

func scanEpoch(row pgx.Row, e *domain.Epoch) error {
	return row.Scan(&e.Number, (*uuid.UUID)(&e.ID), &e.BegunAt, &e.Reason)
}
