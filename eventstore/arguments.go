package eventstore

import (
	"bytes"
	"slices"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// arguments are the parameters of the append function, which
// migrations/0017_append_batch.sql explains. An empty array is sent as null.
type arguments struct {
	commits     int32
	lockTimeout int32 // ms
	tenants     ids

	newCommit, newTenant []int32

	streamTenant, streamVersion []int32
	streamType                  []string
	stream                      ids

	checkCommit, checkStream, checkVersion []int32

	claimCommit, claimTenant []int32
	claimKind, claimValue    []string
	claimHolder              ids
	claimRelease             []bool

	keyCommit, keyTenant       []int32
	keyLog, keyNth             []int32
	keyHash, keyFingerprint    pgtype.FlatArray[[]byte]
	keyCommand                 ids
	keySeq                     pgtype.FlatArray[pgtype.Int8]
	keyStreamTenant, keyStream ids
	keyStreamType              pgtype.FlatArray[pgtype.Text]
	keyAside, keyRefusal       pgtype.FlatArray[pgtype.Text]
	keyVersion                 pgtype.FlatArray[pgtype.Int4]

	eventCommit, eventTenant  []int32
	eventNth                  []int32
	eventStream, eventVersion []int32
	eventType                 []string
	eventSchema               []int16
	eventActor, eventCommand  ids
	eventData, eventMeta      pgtype.FlatArray[[]byte]

	written []int32 // by tenant: its events so far; no parameter
}

// unchecked is the version of a stream of which no check was added yet.
const unchecked = -2

// ids are UUIDs in a form that pgx encodes without reflection.
type ids = pgtype.FlatArray[pgtype.UUID]

func idOf(id uuid.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }

// arguments turns a batch into arrays, and sets in each Commit where its checks and
// claims begin.
func (b *batch) arguments(lockTimeout int32) *arguments {
	a := &arguments{commits: int32(len(b.commits)), lockTimeout: lockTimeout, tenants: make(ids, 0, len(b.tenants))}
	for t := range b.tenants {
		a.tenants = append(a.tenants, idOf(t.UUID()))
	}
	slices.SortFunc(a.tenants, func(a, b pgtype.UUID) int { return bytes.Compare(b.Bytes[:], a.Bytes[:]) })
	for i, t := range a.tenants {
		b.tenants[domain.TenantID(t.Bytes)] = i + 1
	}
	a.streamTenant = make([]int32, len(b.streams))
	a.streamType = make([]string, len(b.streams))
	a.stream = make(ids, len(b.streams))
	a.streamVersion = make([]int32, len(b.streams))
	for i := range a.streamVersion {
		a.streamVersion[i] = unchecked
	}
	a.written = make([]int32, len(b.tenants))
	for i, w := range b.commits {
		b.addCommit(a, int32(i+1), w)
	}
	return a
}

func (b *batch) addCommit(a *arguments, no int32, w *queued) {
	c := w.commit
	at := func(t domain.TenantID) int32 { return int32(b.tenants[t]) }
	for _, t := range c.NewTenants {
		a.newCommit, a.newTenant = append(a.newCommit, no), append(a.newTenant, at(t))
	}
	w.firstCheck = len(a.checkCommit)
	for _, k := range w.checks {
		position := int32(b.streams[streamKey{k.Tenant, k.Stream.ID}].position)
		a.streamTenant[position-1], a.streamType[position-1], a.stream[position-1] = at(k.Tenant), string(k.Stream.Type), idOf(k.Stream.ID)
		switch version := &a.streamVersion[position-1]; *version {
		case unchecked:
			*version = int32(k.Version)
		case int32(k.Version):
		default:
			*version = -1
		}
		a.checkCommit = append(a.checkCommit, no)
		a.checkStream = append(a.checkStream, position)
		a.checkVersion = append(a.checkVersion, int32(k.Version))
	}
	w.firstClaim = len(a.claimCommit)
	for _, k := range c.Claims {
		a.claimCommit, a.claimTenant = append(a.claimCommit, no), append(a.claimTenant, at(k.Tenant))
		a.claimKind, a.claimValue = append(a.claimKind, string(k.Kind)), append(a.claimValue, k.Value)
		a.claimHolder, a.claimRelease = append(a.claimHolder, idOf(k.Holder)), append(a.claimRelease, k.Release)
	}
	actor := idOf(c.Actor.UUID())
	actor.Valid = !c.Actor.IsZero()
	for i, e := range w.events {
		a.eventCommit, a.eventTenant = append(a.eventCommit, no), append(a.eventTenant, at(e.Tenant))
		a.written[at(e.Tenant)-1]++
		a.eventNth = append(a.eventNth, a.written[at(e.Tenant)-1])
		a.eventStream = append(a.eventStream, a.checkStream[w.firstCheck+w.part[i]])
		a.eventVersion = append(a.eventVersion, int32(e.Version))
		a.eventType = append(a.eventType, e.Event.EventType())
		a.eventSchema = append(a.eventSchema, w.schema[i])
		a.eventActor = append(a.eventActor, actor)
		a.eventCommand = append(a.eventCommand, idOf(c.Command.UUID()))
		a.eventData, a.eventMeta = append(a.eventData, w.data[i]), append(a.eventMeta, w.meta)
	}
	if c.Entry == nil {
		return
	}
	log := at(c.Entry.Tenant)
	if answer := c.Entry.Answer; answer != nil && b.tenants[answer.Tenant] != 0 {
		log = at(answer.Tenant)
	}
	a.keyLog, a.keyNth = append(a.keyLog, log), append(a.keyNth, a.written[log-1])
	a.addEntry(no, at(c.Entry.Tenant), c.Command, c.Entry)
}

func (a *arguments) addEntry(no, tenant int32, command domain.CommandID, e *Entry) {
	a.keyCommit, a.keyTenant = append(a.keyCommit, no), append(a.keyTenant, tenant)
	a.keyHash, a.keyFingerprint = append(a.keyHash, e.Key[:]), append(a.keyFingerprint, e.Fingerprint[:])
	a.keyCommand = append(a.keyCommand, idOf(command.UUID()))
	var (
		seq       pgtype.Int8
		owner, id pgtype.UUID
		kind      pgtype.Text
		version   pgtype.Int4
	)
	if e.Seq != nil {
		seq = pgtype.Int8{Int64: *e.Seq, Valid: true}
	}
	if of := e.Answer; of != nil {
		owner, id = idOf(of.Tenant.UUID()), idOf(of.Stream.ID)
		kind = pgtype.Text{String: string(of.Stream.Type), Valid: true}
		version = pgtype.Int4{Int32: int32(of.Version), Valid: true}
	}
	a.keySeq = append(a.keySeq, seq)
	a.keyStreamTenant, a.keyStream = append(a.keyStreamTenant, owner), append(a.keyStream, id)
	a.keyStreamType, a.keyVersion = append(a.keyStreamType, kind), append(a.keyVersion, version)
	a.keyAside = append(a.keyAside, pgtype.Text{String: string(e.Aside), Valid: e.Aside != nil})
	a.keyRefusal = append(a.keyRefusal, pgtype.Text{String: string(e.Refusal), Valid: e.Refusal != nil})
}

// list is the arguments in the order of the function's parameters.
func (a *arguments) list() []any {
	return []any{
		a.commits, a.lockTimeout, a.tenants,
		a.newCommit, a.newTenant,
		a.streamTenant, a.streamType, a.stream, a.streamVersion,
		a.checkCommit, a.checkStream, a.checkVersion,
		a.claimCommit, a.claimTenant, a.claimKind, a.claimValue,
		a.claimHolder, a.claimRelease,
		a.keyCommit, a.keyTenant, a.keyHash, a.keyFingerprint, a.keyCommand,
		a.keySeq, a.keyLog, a.keyNth, a.keyStreamTenant, a.keyStreamType,
		a.keyStream, a.keyVersion, a.keyAside, a.keyRefusal,
		a.eventCommit, a.eventTenant, a.eventNth, a.eventStream, a.eventVersion, a.eventType,
		a.eventSchema, a.eventActor, a.eventCommand, a.eventData, a.eventMeta,
	}
}
