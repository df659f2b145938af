package eventstore

import (
	"encoding/json"

	"docket/domain"

	"github.com/google/uuid"
)

// arguments are what the append function takes; migrations/0002_events.sql says
// what each is. None is nil: a null array would be no array.
type arguments struct {
	commits  int32
	patience *int32 // ms; nil: the session's lock_timeout
	tenants  []uuid.UUID

	newCommit, newTenant []int32

	streamTenant []int32
	streamType   []string
	stream       []uuid.UUID

	checkCommit, checkStream, checkVersion []int32

	claimCommit, claimTenant []int32
	claimKind, claimValue    []string
	claimHolder              []uuid.UUID
	claimRelease             []bool

	keyCommit, keyTenant      []int32
	keyHash, keyFingerprint   [][]byte
	keyCommand                []uuid.UUID
	keySeq                    []*int64
	keyStreamTenant           []*uuid.UUID
	keyStreamType             []*string
	keyStream                 []*uuid.UUID
	keyVersion                []*int32
	keyRefusal                []*string
	eventCommit, eventTenant  []int32
	eventStream, eventVersion []int32
	eventType                 []string
	eventSchema               []int16
	eventActor                []*uuid.UUID
	eventCommand              []uuid.UUID
	eventData, eventMeta      []json.RawMessage
}

// arguments lays a batch out in arrays, and notes in each Commit where its checks
// and claims begin.
func (b *batch) arguments(patience *int32) *arguments {
	a := &arguments{commits: int32(len(b.commits)), patience: patience, tenants: make([]uuid.UUID, len(b.tenants))}
	for t, position := range b.tenants {
		a.tenants[position-1] = t.UUID()
	}
	a.streamTenant = make([]int32, len(b.streams))
	a.streamType = make([]string, len(b.streams))
	a.stream = make([]uuid.UUID, len(b.streams))
	for i, w := range b.commits {
		b.lay(a, int32(i+1), w)
	}
	return a
}

func (b *batch) lay(a *arguments, no int32, w *waiting) {
	c := w.commit
	at := func(t domain.TenantID) int32 { return int32(b.tenants[t]) }
	for _, t := range c.NewTenants {
		a.newCommit, a.newTenant = append(a.newCommit, no), append(a.newTenant, at(t))
	}
	w.firstCheck = len(a.checkCommit)
	for _, k := range w.checks {
		position := int32(b.streams[streamKey{k.Tenant, k.Stream.ID}].position)
		a.streamTenant[position-1], a.streamType[position-1], a.stream[position-1] = at(k.Tenant), string(k.Stream.Type), k.Stream.ID
		a.checkCommit = append(a.checkCommit, no)
		a.checkStream = append(a.checkStream, position)
		a.checkVersion = append(a.checkVersion, int32(k.Version))
	}
	w.firstClaim = len(a.claimCommit)
	for _, k := range c.Claims {
		a.claimCommit, a.claimTenant = append(a.claimCommit, no), append(a.claimTenant, at(k.Tenant))
		a.claimKind, a.claimValue = append(a.claimKind, string(k.Kind)), append(a.claimValue, k.Value)
		a.claimHolder, a.claimRelease = append(a.claimHolder, k.Holder), append(a.claimRelease, k.Release)
	}
	if c.Entry != nil {
		a.remember(no, at(c.Entry.Tenant), c.Command, c.Entry)
	}
	var actor *uuid.UUID
	if !c.Actor.IsZero() {
		id := c.Actor.UUID()
		actor = &id
	}
	for i, e := range w.events {
		a.eventCommit, a.eventTenant = append(a.eventCommit, no), append(a.eventTenant, at(e.Tenant))
		a.eventStream = append(a.eventStream, a.checkStream[w.firstCheck+w.part[i]])
		a.eventVersion = append(a.eventVersion, int32(e.Version))
		a.eventType = append(a.eventType, e.Event.EventType())
		a.eventSchema = append(a.eventSchema, w.schema[i])
		a.eventActor = append(a.eventActor, actor)
		a.eventCommand = append(a.eventCommand, c.Command.UUID())
		a.eventData, a.eventMeta = append(a.eventData, w.data[i]), append(a.eventMeta, w.meta)
	}
}

func (a *arguments) remember(no, tenant int32, command domain.CommandID, e *Entry) {
	a.keyCommit, a.keyTenant = append(a.keyCommit, no), append(a.keyTenant, tenant)
	a.keyHash, a.keyFingerprint = append(a.keyHash, e.Key[:]), append(a.keyFingerprint, e.Fingerprint[:])
	a.keyCommand = append(a.keyCommand, command.UUID())
	a.keySeq = append(a.keySeq, e.Seq)
	var (
		tenantID, id *uuid.UUID
		kind         *string
		version      *int32
		refusal      *string
	)
	if of := e.Answer; of != nil {
		t, s, k, v := of.Tenant.UUID(), of.Stream.ID, string(of.Stream.Type), int32(of.Version)
		tenantID, id, kind, version = &t, &s, &k, &v
	}
	if e.Refusal != nil {
		r := string(e.Refusal)
		refusal = &r
	}
	a.keyStreamTenant, a.keyStreamType = append(a.keyStreamTenant, tenantID), append(a.keyStreamType, kind)
	a.keyStream, a.keyVersion = append(a.keyStream, id), append(a.keyVersion, version)
	a.keyRefusal = append(a.keyRefusal, refusal)
}

// list is the arguments in the order of the function's parameters.
func (a *arguments) list() []any {
	return []any{
		a.commits, a.patience, a.tenants,
		given(a.newCommit), given(a.newTenant),
		given(a.streamTenant), given(a.streamType), given(a.stream),
		given(a.checkCommit), given(a.checkStream), given(a.checkVersion),
		given(a.claimCommit), given(a.claimTenant), given(a.claimKind), given(a.claimValue),
		given(a.claimHolder), given(a.claimRelease),
		given(a.keyCommit), given(a.keyTenant), given(a.keyHash), given(a.keyFingerprint), given(a.keyCommand),
		given(a.keySeq), given(a.keyStreamTenant), given(a.keyStreamType), given(a.keyStream),
		given(a.keyVersion), given(a.keyRefusal),
		given(a.eventCommit), given(a.eventTenant), given(a.eventStream), given(a.eventVersion), given(a.eventType),
		given(a.eventSchema), given(a.eventActor), given(a.eventCommand), given(a.eventData), given(a.eventMeta),
	}
}

func given[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
