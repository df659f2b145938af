package eventstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"docket/domain"
)

// encoded is a Commit made ready for a batch.
type encoded struct {
	commit  Commit
	tenants []domain.TenantID // those touched, in ascending order
	checks  []Guard           // the streams written, then the guards
	events  []domain.Recorded
	part    []int // by event: its part, and so its check
	schema  []int16
	data    []json.RawMessage
	meta    json.RawMessage
	size    int   // of all that it sends, in bytes
	sizes   []int // by event: its part of that
}

// encode validates a Commit as far as that needs no database, and encodes its events.
func encode(c Commit) (*encoded, error) {
	e := &encoded{commit: c}
	var err error
	if e.meta, err = json.Marshal(c.Meta); err != nil {
		return nil, fmt.Errorf("encode meta: %w", err)
	}
	for no, p := range c.Parts {
		e.checks = append(e.checks, Guard{Tenant: p.Tenant, Stream: p.Stream, Version: p.Expected})
		for i, event := range p.Events {
			d, data, err := domain.Encode(event)
			if err != nil {
				return nil, err
			}
			if d.Stream != p.Stream.Type {
				return nil, fmt.Errorf("event %s doesn't belong in a %s stream", d.Type, p.Stream.Type)
			}
			if len(data) > MaxEventSize {
				return nil, &SizeError{Type: d.Type, Size: len(data)}
			}
			if event, err = d.AsStored(event, data); err != nil {
				return nil, err
			}
			e.events = append(e.events, domain.Recorded{
				Tenant: p.Tenant, Stream: p.Stream, Version: p.Expected + 1 + i,
				Actor: c.Actor, Command: c.Command, Event: event, Meta: c.Meta,
			})
			e.part = append(e.part, no)
			e.data = append(e.data, data)
			e.schema = append(e.schema, int16(d.Version))
			e.sizes = append(e.sizes, eventOverhead+len(data)+len(e.meta))
		}
	}
	if len(e.events) == 0 && c.Entry == nil {
		return nil, errors.New("a Commit needs at least one event, or something to remember")
	}
	e.checks = append(e.checks, c.Guards...)
	for _, k := range e.checks {
		e.touch(k.Tenant)
	}
	for _, k := range c.Claims {
		e.touch(k.Tenant)
	}
	if c.Entry != nil {
		e.touch(c.Entry.Tenant)
	}
	if len(e.tenants) > maxTenants {
		return nil, fmt.Errorf("a Commit may touch %d logs, this one %d", maxTenants, len(e.tenants))
	}
	e.size = e.measure()
	slices.SortFunc(e.tenants, func(a, b domain.TenantID) int { return bytes.Compare(a[:], b[:]) })
	return e, nil
}

// Bytes that a Commit takes in the queue beside its texts: for itself, and for each
// event, check or claim.
const (
	commitOverhead = 512
	eventOverhead  = 512
	checkOverhead  = 128
)

// measure is the size of a Commit: whatever a request can make large, and what each of its
// parts takes at least.
func (e *encoded) measure() int {
	n := commitOverhead + checkOverhead*len(e.checks)
	for _, size := range e.sizes {
		n += size
	}
	for _, k := range e.commit.Claims {
		n += checkOverhead + len(k.Value)
	}
	if r := e.commit.Entry; r != nil {
		n += checkOverhead + len(r.Aside) + len(r.Refusal)
	}
	return n
}

func (e *encoded) touch(t domain.TenantID) {
	if !slices.Contains(e.tenants, t) {
		e.tenants = append(e.tenants, t)
	}
}

// home is the log in whose lane the Commit waits: of two, the one that isn't the
// platform's, which many Commits touch.
func (e *encoded) home() domain.TenantID { return e.tenants[len(e.tenants)-1] }

// appended is the result of Append once the events have their seq and time.
func (e *encoded) appended(err error) (Appended, error) {
	if err != nil {
		return Appended{}, err
	}
	return Appended{Events: e.events}, nil
}
