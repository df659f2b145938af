package eventstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// appendTimeout bounds the wait for a connection, and then one call of the append
// function. Its outcome must be known, so it doesn't end with the client's request.
const appendTimeout = 10 * time.Second

// appendSQL is the one statement of the append path; migrations/0002_events.sql
// says what the parameters are and what comes back.
const appendSQL = `select commit_no, event_no, seq, occurred_at, refusal, found_stream, found_version
from append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)`

// Append writes a Commit and returns its events with their places.
//
// Errors, all of which mean that nothing was written except the last:
// *ConflictError, *ClaimedError, *TenantError, *SizeError, ErrUnavailable, one of
// the programmer's (an event that isn't registered, a Commit without events), and
// ErrOutcomeUnknown where the answer was lost and Postgres stayed away.
//
// ctx bounds the wait for a connection. Once the append is under way it isn't
// cancelled with ctx.
func (s *Store) Append(ctx context.Context, c Commit) (Appended, error) {
	if err := ctx.Err(); err != nil {
		return Appended{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	b, err := encode(c)
	if err != nil {
		return Appended{}, err
	}
	appended, err := s.attempt(ctx, b)
	if errors.Is(err, ErrOutcomeUnknown) {
		appended, err = s.resolve(ctx, b, err)
	}
	if err != nil {
		return Appended{}, err
	}
	s.feed.news(b.tenants)
	return appended, nil
}

// attempt sends the Commit once.
func (s *Store) attempt(ctx context.Context, b *batch) (Appended, error) {
	lines, err := s.call(ctx, b)
	if sameTenantAtOnce(err) {
		return Appended{}, &TenantError{Tenant: b.commit.NewTenants[0]}
	}
	if err != nil {
		return Appended{}, err
	}
	if err := b.refusal(lines); err != nil {
		return Appended{}, err
	}
	return b.place(lines)
}

// call runs the append function. Its errors are those of outcome.
func (s *Store) call(ctx context.Context, b *batch) ([]appendLine, error) {
	waiting, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	leave, err := s.lanes.enter(waiting, b.tenants)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer leave()
	conn, err := s.engine.Acquire(waiting)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer conn.Release()
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), appendTimeout)
	defer cancel()
	rows, err := conn.Query(ctx, appendSQL, b.args()...)
	if err != nil {
		return nil, outcome(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByPos[appendLine])
	return lines, outcome(err)
}

// appendLine is a row of what the append function returns.
type appendLine struct {
	Commit       *int
	Event        *int
	Seq          *int64
	At           *time.Time
	Refusal      *string
	FoundStream  *uuid.UUID
	FoundVersion *int
}

// batch is a Commit as the arrays that the append function takes.
type batch struct {
	commit  Commit
	tenants []domain.TenantID
	checks  []Guard
	events  []domain.Recorded
	schema  []int16
	data    []json.RawMessage
	meta    json.RawMessage
}

func encode(c Commit) (*batch, error) {
	b := &batch{commit: c}
	var err error
	if b.meta, err = json.Marshal(c.Meta); err != nil {
		return nil, fmt.Errorf("encode meta: %w", err)
	}
	for _, p := range c.Parts {
		b.checks = append(b.checks, Guard{Tenant: p.Tenant, Stream: p.Stream, Version: p.Expected})
		for i, e := range p.Events {
			d, data, err := domain.Encode(e)
			if err != nil {
				return nil, err
			}
			if d.Stream != p.Stream.Type {
				return nil, fmt.Errorf("event %s doesn't belong in a %s stream", d.Type, p.Stream.Type)
			}
			if len(data) > MaxEventSize {
				return nil, &SizeError{Type: d.Type, Size: len(data)}
			}
			b.events = append(b.events, domain.Recorded{
				Tenant: p.Tenant, Stream: p.Stream, Version: p.Expected + 1 + i,
				Actor: c.Actor, Command: c.Command, Event: e, Meta: c.Meta,
			})
			b.data = append(b.data, data)
			b.schema = append(b.schema, int16(d.Version))
		}
	}
	if len(b.events) == 0 {
		return nil, errors.New("a Commit needs at least one event")
	}
	b.checks = append(b.checks, c.Guards...)
	for _, k := range b.checks {
		b.touch(k.Tenant)
	}
	for _, k := range c.Claims {
		b.touch(k.Tenant)
	}
	if len(b.tenants) > maxTenants {
		return nil, fmt.Errorf("a Commit may touch %d logs, this one %d", maxTenants, len(b.tenants))
	}
	return b, nil
}

func (b *batch) touch(t domain.TenantID) {
	if !slices.Contains(b.tenants, t) {
		b.tenants = append(b.tenants, t)
	}
}

func (b *batch) args() []any {
	one := func(n int) []int {
		out := make([]int, n)
		for i := range out {
			out[i] = 1
		}
		return out
	}
	var (
		newTenant                              = uuids(b.commit.NewTenants)
		checkTenant, checkStream               []uuid.UUID
		checkVersion                           []int
		claimTenant, claimHolder               []uuid.UUID
		claimKind, claimValue                  []string
		claimRelease                           []bool
		eventTenant, eventStream, eventCommand []uuid.UUID
		eventActor                             []*uuid.UUID
		eventVersion                           []int
		eventStreamType, eventType             []string
		eventMeta                              []json.RawMessage
	)
	for _, k := range b.checks {
		checkTenant = append(checkTenant, k.Tenant.UUID())
		checkStream = append(checkStream, k.Stream.ID)
		checkVersion = append(checkVersion, k.Version)
	}
	for _, k := range b.commit.Claims {
		claimTenant = append(claimTenant, k.Tenant.UUID())
		claimKind = append(claimKind, string(k.Kind))
		claimValue = append(claimValue, k.Value)
		claimHolder = append(claimHolder, k.Holder)
		claimRelease = append(claimRelease, k.Release)
	}
	actor := b.commit.Actor.UUID()
	for _, e := range b.events {
		eventTenant = append(eventTenant, e.Tenant.UUID())
		eventStreamType = append(eventStreamType, string(e.Stream.Type))
		eventStream = append(eventStream, e.Stream.ID)
		eventVersion = append(eventVersion, e.Version)
		eventType = append(eventType, e.Event.EventType())
		if b.commit.Actor.IsZero() {
			eventActor = append(eventActor, nil)
		} else {
			eventActor = append(eventActor, &actor)
		}
		eventCommand = append(eventCommand, e.Command.UUID())
		eventMeta = append(eventMeta, b.meta)
	}
	return []any{
		1, uuids(b.tenants),
		one(len(newTenant)), newTenant,
		one(len(b.checks)), checkTenant, checkStream, checkVersion,
		one(len(b.commit.Claims)), claimTenant, claimKind, claimValue, claimHolder, claimRelease,
		one(len(b.events)), eventTenant, eventStreamType, eventStream, eventVersion, eventType, b.schema,
		eventActor, eventCommand, b.data, eventMeta,
	}
}

// refusal is why the Commit was refused, or nil.
func (b *batch) refusal(lines []appendLine) error {
	for _, l := range lines {
		if l.Refusal == nil {
			continue
		}
		switch *l.Refusal {
		case "tenant":
			return &TenantError{Tenant: domain.TenantID(*l.FoundStream)}
		case "version":
			k := b.checks[*l.Event-1]
			return &ConflictError{Tenant: k.Tenant, Stream: k.Stream, Expected: k.Version, Actual: *l.FoundVersion}
		case "claim":
			return &ClaimedError{Claim: b.commit.Claims[*l.Event-1]}
		}
		return fmt.Errorf("append refused for a reason this version doesn't know: %q", *l.Refusal)
	}
	return nil
}

// place gives the events their places.
func (b *batch) place(lines []appendLine) (Appended, error) {
	if len(lines) != len(b.events) {
		return Appended{}, fmt.Errorf("%w: %d events written, %d asked for", ErrOutcomeUnknown, len(lines), len(b.events))
	}
	for _, l := range lines {
		e := &b.events[*l.Event-1]
		e.Seq, e.At = *l.Seq, l.At.UTC()
	}
	return Appended{Events: b.events}, nil
}

// uuids drops the kinds of ids. It is never nil: a null array would be no array.
func uuids[K any](ids []domain.ID[K]) []uuid.UUID {
	out := make([]uuid.UUID, len(ids))
	for i, id := range ids {
		out[i] = id.UUID()
	}
	return out
}
