package notify

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// claimLockSQL lets one claim at a time look at a channel ($1), of all replicas:
// two that look at once would both see room below a tenant's cap. It is held for
// the claim's own transaction, about a millisecond.
const claimLockSQL = `select pg_advisory_xact_lock(hashtextextended('docket deliveries ' || $1, 0))`

// errDraining says that nothing more is claimed.
var errDraining = errors.New("the delivery queue is closing")

// claims is the database as watermill-sql's Subscriber sees it: what it takes for
// a transaction around a claim, the sending and the ack is none, so that nothing
// of the database is held while a message is sent. The claim is a transaction of
// its own, and so is the statement that ends the attempt; what is lost between
// them comes again when its lease ends.
type claims struct {
	pool *pgxpool.Pool
	log  *slog.Logger
	// turn holds the connections that wait for claimLockSQL to one.
	turn chan struct{}

	mu       sync.Mutex
	draining bool
	open     sync.WaitGroup
}

var _ sql.Beginner = (*claims)(nil)

func newClaims(pool *pgxpool.Pool, log *slog.Logger) *claims {
	return &claims{pool: pool, log: log, turn: make(chan struct{}, 1)}
}

// drain stops claiming; the channel closes when all that was claimed has ended.
func (c *claims) drain() <-chan struct{} {
	c.mu.Lock()
	c.draining = true
	c.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		c.open.Wait()
		close(ended)
	}()
	return ended
}

func (c *claims) isDraining() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.draining
}

// BeginTx is what each look at the queue begins with. After drain it is refused.
func (c *claims) BeginTx(context.Context, *stdsql.TxOptions) (sql.Tx, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining {
		return nil, errDraining
	}
	c.open.Add(1)
	return &attempt{claims: c}, nil
}

// ExecContext and QueryContext outside an attempt are never called.
func (c *claims) ExecContext(context.Context, string, ...any) (sql.Result, error) {
	return nil, errors.ErrUnsupported
}

// QueryContext as ExecContext.
func (c *claims) QueryContext(context.Context, string, ...any) (sql.Rows, error) {
	return nil, errors.ErrUnsupported
}

// attempt is one claim and what follows from it. Each statement commits by itself.
type attempt struct {
	*claims
	end sync.Once
}

// Commit and Rollback have nothing to do; one of them is the attempt's last.
func (a *attempt) Commit() error {
	a.end.Do(a.open.Done)
	return nil
}

// Rollback as Commit.
func (a *attempt) Rollback() error { return a.Commit() }

// QueryContext claims. All rows are read before it returns, so that an error
// among them is one of the claim (watermill-sql would take it for "no more").
func (a *attempt) QueryContext(ctx context.Context, query string, args ...any) (sql.Rows, error) {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var rows claimed
	if a.isDraining() {
		return &rows, nil
	}
	b := &pgx.Batch{}
	b.Queue(claimLockSQL, args[0])
	b.Queue(query, args...).Query(func(r pgx.Rows) error {
		var err error
		rows.rest, err = pgx.CollectRows(r, func(r pgx.CollectableRow) (claim, error) {
			var c claim
			err := r.Scan(&c.tenant, &c.id, &c.channel, &c.attempt, &c.payload)
			return c, err
		})
		return err
	})
	if err := a.pool.SendBatch(ctx, b).Close(); err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	return &rows, nil
}

// ExecContext ends the attempt. That another has begun since, because the lease
// was over, is worth a line in the log: the message may be sent twice.
func (a *attempt) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	tag, err := a.pool.Exec(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("end attempt: %w", err)
	}
	if tag.RowsAffected() == 0 {
		a.log.WarnContext(ctx, "delivery outlived its lease, and may be sent twice", "tenant", args[0], "delivery", args[1])
	}
	return sql.PgxResult{CommandTag: tag}, nil
}

// claim is a row of claimSQL.
type claim struct {
	tenant, id uuid.UUID
	channel    string
	attempt    int64
	payload    []byte
}

// claimed are rows that have been read already.
type claimed struct {
	row  claim
	rest []claim
}

// Next goes to the next row.
func (c *claimed) Next() bool {
	if len(c.rest) == 0 {
		return false
	}
	c.row, c.rest = c.rest[0], c.rest[1:]
	return true
}

// Scan gives the row to schema.UnmarshalMessage, its only caller.
func (c *claimed) Scan(dest ...any) error {
	*dest[0].(*claim) = c.row
	return nil
}

// Close has nothing to do.
func (c *claimed) Close() error { return nil }
