package notify

import (
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// pauseSQL records that the receiver of a tenant ($1) on a channel ($2), whose address is
// the secret $3, takes no message for $4 seconds. A longer pause of the same receiver stays.
const pauseSQL = `insert into delivery_pauses as p (tenant_id, channel, receiver, until)
values ($1, $2, $3, statement_timestamp() + make_interval(secs => $4))
on conflict on constraint delivery_pauses_pk do update set receiver = excluded.receiver,
  until = case when p.receiver = excluded.receiver then greatest(p.until, excluded.until) else excluded.until end`

// pausedSQL is the receiver of a tenant ($1) on a channel ($2) that has asked for a pause,
// and how many seconds of it are left.
const pausedSQL = `select receiver, extract(epoch from until - statement_timestamp())::float8 from delivery_pauses
where tenant_id = $1 and channel = $2 and until > statement_timestamp()`

// pause is what a receiver asked for (RFC 9110, Retry-After). It holds back all messages
// of the tenant over the channel, as long as the address is this one.
type pause struct {
	receiver uuid.UUID
	rest     time.Duration
}

// pauseOf is the pause that a failure asks for; nil for none, or without a receiver.
func pauseOf(err error, receiver *uuid.UUID) *pause {
	var f *Failure
	if receiver == nil || !errors.As(err, &f) || f.After <= 0 {
		return nil
	}
	return &pause{*receiver, min(f.After, longestPause)}
}

// load reads a row of pausedSQL, if there is one.
func (p *pause) load(row pgx.Row) error {
	var seconds float64
	err := row.Scan(&p.receiver, &seconds)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	p.rest = time.Duration(seconds * float64(time.Second))
	return err
}

// queuePause records the pause with the attempt's outcome.
func (a *attempt) queuePause(b *pgx.Batch) {
	if a.pause != nil {
		b.Queue(pauseSQL, a.tenant, a.channel, a.pause.receiver, a.pause.rest.Seconds())
	}
}
