package eventstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// epochEvery is how long the present epoch is relied on: an operator may begin one.
const epochEvery = 5 * time.Second

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

// Epochs finds out which epoch is the present one, and begins one where events may be lost:
//
//	another server ─▶ is the newest event that this process wrote there? ── no ─▶ begin
//	at any time   ─▶ other system or timeline than the epoch's? ─────────── yes ─▶ begin
//	docket epoch begin (an operator, after a restore that neither shows)
type Epochs struct {
	engine *pgxpool.Pool
	store  *Store
	// begun, if not nil, is called with an epoch that is new to this process.
	begun func(domain.Epoch)

	mu    sync.Mutex
	known domain.Epoch
	at    time.Time
	// server is that of the store when known was read.
	server ServerNumber
}

// NewEpochs makes an Epochs over a pool of the engine role. begun, if not nil, is called on
// a goroutine of its own with each epoch but the first that is new to this process.
func NewEpochs(engine *pgxpool.Pool, store *Store, begun func(domain.Epoch)) *Epochs {
	return &Epochs{engine: engine, store: store, begun: begun}
}

// Known is the epoch that Current has returned last.
func (e *Epochs) Known() domain.Epoch {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.known
}

// Current is the present epoch. It asks the database once in epochEvery, and always after
// the server has changed. Errors: ErrUnavailable.
func (e *Epochs) Current(ctx context.Context) (domain.Epoch, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	server := e.store.ServerNumber()
	certain := e.known.Number > 0 && e.server == server
	if certain && time.Since(e.at) < epochEvery {
		return e.known, nil
	}
	// Other requests wait for the answer: one that hangs up doesn't end the query.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), epochTimeout)
	defer cancel()
	newest, err := e.read(ctx, "")
	switch {
	case err == nil:
	case certain:
		return e.known, nil
	default:
		return domain.Epoch{}, fmt.Errorf("present epoch: %w: %w", ErrUnavailable, err)
	}
	if newest.ID != e.known.ID && e.known.Number > 0 {
		e.store.last.Store(nil) // what is lost is accounted for
	}
	if newest.ID != e.known.ID && !newest.First() && e.begun != nil {
		go e.begun(newest)
	}
	e.known, e.at, e.server = newest, time.Now(), server
	return newest, nil
}

// Begin begins an epoch for an operator's reason.
func (e *Epochs) Begin(ctx context.Context, reason string) (domain.Epoch, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.read(ctx, reason)
}

// read reads the newest epoch, and begins one if it must, or if there is a reason. The
// caller holds mu.
func (e *Epochs) read(ctx context.Context, reason string) (newest domain.Epoch, err error) {
	err = pgx.BeginFunc(ctx, e.engine, func(tx pgx.Tx) error {
		var (
			why    string
			server epochServer
			err    error
		)
		newest, why, server, err = e.ask(ctx, tx)
		if err != nil || why == "" && reason == "" && server.known {
			return err
		}
		if _, err := tx.Exec(ctx, lockEpochsSQL); err != nil {
			return err
		}
		// Another program may have begun it meanwhile.
		if newest, why, server, err = e.ask(ctx, tx); err != nil {
			return err
		}
		if reason != "" {
			why = reason
		}
		if why == "" {
			_, err := tx.Exec(ctx, knowServerSQL, server.system, server.timeline)
			return err
		}
		return scanEpoch(tx.QueryRow(ctx, beginEpochSQL, why, server.system, server.timeline), &newest)
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
func (e *Epochs) ask(ctx context.Context, tx pgx.Tx) (newest domain.Epoch, why string, server epochServer, err error) {
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
	case last.Seq > 0 && !present && (e.known.Number == 0 || newest.ID == e.known.ID):
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
