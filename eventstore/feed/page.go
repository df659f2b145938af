package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"docket/domain"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
)

// Page is what a message of the feed carries: some of a tenant's events, in order, and
// the transaction in which the checkpoint advances. Between two pages, and between two
// events of one, are only events that the subscription ignores (Interest) or that an
// operator skipped (Parking).
type Page struct {
	Subscription string
	Tenant       domain.TenantID
	// Generation is that of the rows to write.
	Generation int
	// Events are at least one.
	Events []domain.Recorded
	// Tx is the engine role's. The handler MUST write through it or Queue, MUST NOT commit
	// or roll back, and MUST NOT use it, or the Page, after it has acked or nacked.
	Tx pgx.Tx

	// members are, of a shared page, the pages of the subscriptions that share it.
	members []*Page
	queued  pgx.Batch
	begun   time.Time
	forgets int64
	failure error
}

// Queue adds a statement that runs in Tx once the handler has acked, in the round trip that
// advances the checkpoint and within the rest of the Feed's Timeout. If it fails, the page
// has failed. A page that is nacked runs none of its statements.
func (p *Page) Queue(sql string, args ...any) { p.queued.Queue(sql, args...) }

// Flush runs the queued statements. Feeds and builds call it for their handlers.
func (p *Page) Flush(ctx context.Context) error {
	b := p.queued
	p.queued = pgx.Batch{}
	return p.Tx.SendBatch(ctx, &b).Close()
}

// errPanicked says that the feed recovered from a panic.
var errPanicked = errors.New("panic")

// carryOut is Flush with an error instead of a panic, where a value panics when it is encoded.
func (p *Page) carryOut(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPanicked, r)
		}
	}()
	return p.Flush(ctx)
}

// Fail tells the feed why the handler is about to nack, for the operators.
func (p *Page) Fail(err error) { p.failure = err }

// last is the seq of the last event.
func (p *Page) last() int64 { return p.Events[len(p.Events)-1].Seq }

type pageKey struct{}

// PageOf is the page that a message of the Feed carries.
func PageOf(m *message.Message) (*Page, error) {
	p, ok := m.Context().Value(pageKey{}).(*Page)
	if !ok {
		return nil, errors.New("message isn't of the event store's feed")
	}
	return p, nil
}

// HandleGroup is Handle for a group of subscriptions (Config.Groups). do gets a page for
// each subscription that has events to handle: they have one Tx, and are committed or
// rolled back together.
func HandleGroup(do func(context.Context, []*Page) error) message.NoPublishHandlerFunc {
	return Handle(func(ctx context.Context, p *Page) error { return do(ctx, p.members) })
}

// Handle makes a Watermill handler of a function of pages. The function's error, or the
// value of its panic, is recorded at the checkpoint.
func Handle(do func(context.Context, *Page) error) message.NoPublishHandlerFunc {
	return func(m *message.Message) error {
		p, err := PageOf(m)
		if err != nil {
			return err
		}
		defer func() {
			if r := recover(); r != nil {
				p.Fail(fmt.Errorf("panic: %v", r))
				panic(r)
			}
		}()
		if err := do(m.Context(), p); err != nil {
			p.Fail(err)
			return err
		}
		return nil
	}
}
