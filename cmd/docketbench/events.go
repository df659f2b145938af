package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
)

// sqlCorpus writes the events from seq $2 to $3 of each of the tenants $1: the tenant and
// its owner, then blocks of 500 events, each with a project of five events, 75 tasks of
// five events that are all open at the same time, and 120 comments.
//
// $5, $6 and $7 are type, schema version and data of each kind of event; $8, $9 and $10
// are the project, task and comment in that data, which are replaced. $4 is the meta of
// all events and $11 the actor, whose membership is the second event. Ids are UUIDv7 that
// grow with the blocks. Time starts at $12 and advances by $13 with each seq. $14 is added
// to each stored seq.
const sqlCorpus = `
INSERT INTO events (tenant_id, seq, stream_type, stream_id, version, type, schema_version, occurred_at, actor_id, command_id, data, meta)
SELECT t.id, s.seq + $14, split_part(($5::text[])[k.kind], '.', 1),
  CASE WHEN k.kind = 1 THEN t.id WHEN k.kind = 2 THEN $11::uuid WHEN k.kind <= 7 THEN i.project WHEN k.kind <= 12 THEN i.task ELSE i.comment END,
  k.version, ($5::text[])[k.kind], ($6::int[])[k.kind], $12::timestamptz + s.seq * $13::interval, $11::uuid, i.command,
  replace(replace(replace(($7::text[])[k.kind], $8::text, i.project::text), $9::text, i.task::text), $10::text, i.comment::text)::json, $4::json
FROM unnest($1::uuid[]) AS t (id), generate_series($2::bigint, $3::bigint) AS s (seq),
LATERAL (SELECT (s.seq - 3) / 500 AS block, (s.seq - 3) % 500 AS at) AS b,
LATERAL (SELECT
  CASE WHEN s.seq <= 2 THEN s.seq WHEN b.at < 5 THEN 3 + b.at WHEN b.at < 380 THEN 8 + (b.at - 5) / 75 ELSE 13 END AS kind,
  CASE WHEN s.seq <= 2 THEN 1 WHEN b.at < 5 THEN b.at + 1 WHEN b.at < 380 THEN (b.at - 5) / 75 + 1 ELSE 1 END AS version,
  CASE WHEN b.at < 380 THEN (b.at - 5) % 75 ELSE (b.at - 380) % 75 END AS task) AS k,
LATERAL (SELECT lpad(to_hex(1767225600000 + b.block * 500000), 12, '0') || '7' AS head) AS h,
LATERAL (SELECT
  overlay(overlay(md5(t.id::text || 'p' || b.block) placing h.head from 1 for 13) placing 'a' from 17 for 1)::uuid AS project,
  overlay(overlay(md5(t.id::text || 't' || b.block || '.' || k.task) placing h.head from 1 for 13) placing 'a' from 17 for 1)::uuid AS task,
  overlay(overlay(md5(t.id::text || 'c' || s.seq) placing h.head from 1 for 13) placing 'a' from 17 for 1)::uuid AS comment,
  overlay(overlay(md5(t.id::text || 'k' || s.seq) placing h.head from 1 for 13) placing 'a' from 17 for 1)::uuid AS command) AS i
ORDER BY t.id, s.seq`

// corpus is the events of a log, of all kinds, as the API would have written them.
type corpus struct {
	actor   domain.UserID
	project domain.ProjectID
	task    domain.TaskID
	comment domain.CommentID
	meta    []byte
	types   []string
	schemas []int32
	data    []string
}

func newCorpus() *corpus {
	c := &corpus{actor: newID[domain.UserID](), project: newID[domain.ProjectID](), task: newID[domain.TaskID](), comment: newID[domain.CommentID]()}
	name, due, description := domain.About(c.actor, "Ann Bennett"), domain.Date("2026-03-31"), "Deepen the harbour along the northern quay before the winter storms."
	c.meta = must(json.Marshal(domain.Meta{RequestID: c.actor.String(), ActorName: &name}))
	moved := func(from, to domain.Status) domain.Event {
		return domain.ProjectStatusChanged{ProjectID: c.project, Name: "Harbour wall", OwnerID: c.actor, From: from, To: to}
	}
	updated := func(field, from, to string) domain.Event {
		return taskUpdated(c.task, c.project, c.actor, field, from, to)
	}
	created := taskCreated(c.task, c.project, c.actor)
	created.Description, created.Labels = &description, []string{"sea", "winter"}
	for _, e := range []domain.Event{
		domain.TenantCreated{Name: "Bench", Slug: "bench", Registration: domain.RegistrationClosed, DefaultRole: domain.Member, Channel: domain.ChannelInApp},
		domain.MemberJoined{UserID: c.actor, Email: domain.About(c.actor, "ann@example.org"), Name: name, Role: domain.Owner, UserVersion: 1},
		domain.ProjectCreated{ProjectID: c.project, Name: "Harbour wall", Description: &description, Visibility: domain.Private, DueDate: &due, OwnerID: c.actor},
		moved(domain.Draft, domain.Submitted), moved(domain.Submitted, domain.Approved), moved(domain.Approved, domain.Active),
		domain.ProjectUpdated{ProjectID: c.project, Name: "Harbour wall", OwnerID: c.actor, Changes: []domain.Change{
			{Field: "visibility", From: []byte(`"private"`), To: []byte(`"public"`)}}},
		created, updated("status", `"todo"`, `"in_progress"`), updated("due_date", `null`, `"2026-03-01"`),
		updated("priority", `"normal"`, `"high"`), updated("status", `"in_progress"`, `"done"`),
		domain.CommentCreated{CommentID: c.comment, TaskID: c.task, ProjectID: c.project, ProjectName: "Harbour wall", OwnerID: c.actor,
			Title: "Survey the foundations", AssigneeID: &c.actor, Body: "The northern quay is done, the southern one waits for the divers.",
			Mentions: []domain.UserID{}},
	} {
		d, data, err := domain.Encode(e)
		c.types, c.schemas, c.data = append(c.types, d.Type), append(c.schemas, int32(d.Version)), append(c.data, string(must(data, err)))
	}
	return c
}

// must panics where a constant of this program can't be encoded.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// The sessions that fill a log at a time, and the rows of one statement.
const (
	fillSessions = 2
	fillRows     = 50_000
)

// fill begins the logs of tenants with so many events each, and tidies up.
func (c *corpus) fill(ctx context.Context, d *database, ids []domain.TenantID, each int64) error {
	pool, err := d.pool(ctx, fillSessions)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, `INSERT INTO tenant_logs SELECT unnest($1::uuid[])`, ids); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	g, filling := errgroup.WithContext(ctx)
	g.SetLimit(fillSessions)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for some := range slices.Chunk(ids, max(1, int(fillRows/each))) {
		g.Go(func() error { return c.write(filling, pool, some, 1, each, start, time.Second, 0) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return d.tidy(ctx)
}

// extend adds so many events to the log of a tenant, and tidies up. No other process may
// write to that log meanwhile.
func (c *corpus) extend(ctx context.Context, d *database, id domain.TenantID, events int64) error {
	pool, err := d.pool(ctx, 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	var head int64
	var last time.Time
	if err := pool.QueryRow(ctx, `SELECT seq, occurred_at FROM events WHERE tenant_id = $1 ORDER BY seq DESC LIMIT 1`, id).Scan(&head, &last); err != nil {
		return fmt.Errorf("extend: %w", err)
	}
	const first = 3 // after the tenant and its owner
	if err := c.write(ctx, pool, []domain.TenantID{id}, first, first+events-1, last, time.Microsecond, head-first+1); err != nil {
		return err
	}
	return d.tidy(ctx)
}

// write writes the events from one seq to another of each of the tenants.
func (c *corpus) write(ctx context.Context, pool *pgxpool.Pool, ids []domain.TenantID, from, to int64, start time.Time, every time.Duration, up int64) error {
	for ; from <= to; from += fillRows {
		_, err := pool.Exec(ctx, sqlCorpus, ids, from, min(from+fillRows-1, to), c.meta,
			c.types, c.schemas, c.data, c.project.String(), c.task.String(), c.comment.String(), c.actor, start, every, up)
		if err != nil {
			return fmt.Errorf("fill: %w", err)
		}
	}
	return nil
}

// taskLength is how many events a writer gives a task before it begins another.
const taskLength = 10

// newTenants makes the ids of n tenants.
func newTenants(n int) []domain.TenantID {
	out := make([]domain.TenantID, n)
	for i := range out {
		out[i] = newID[domain.TenantID]()
	}
	return out
}

// newID is a UUIDv7, like every id of Docket. It panics where the system has no
// randomness.
func newID[ID ~[16]byte]() ID { return ID(uuid.Must(uuid.NewV7())) }

// writer is a member of a tenant that works at one task after the other.
type writer struct {
	store   *eventstore.Store
	tenant  domain.TenantID
	actor   domain.UserID
	meta    domain.Meta
	guard   eventstore.Guard
	task    domain.TaskID
	version int // of the task; 0 before it is created
}

// newWriters makes n members of the tenants, in turn, whose logs it begins.
func newWriters(ctx context.Context, s *eventstore.Store, n int, tenants []domain.TenantID) ([]step, error) {
	out := make([]step, n)
	for i := range out {
		w := newWriter(s, tenants[i%len(tenants)])
		c := eventstore.Commit{Command: newID[domain.CommandID](), Parts: []eventstore.Part{w.joined()}}
		if i < len(tenants) {
			c.NewTenants = []domain.TenantID{w.tenant}
		}
		if _, err := s.Append(ctx, c); err != nil {
			return nil, fmt.Errorf("make the writers: %w", err)
		}
		out[i] = w.commit
	}
	return out, nil
}

func newWriter(s *eventstore.Store, t domain.TenantID) *writer {
	w := &writer{store: s, tenant: t, actor: newID[domain.UserID](), task: newID[domain.TaskID]()}
	name := domain.About(w.actor, "Ann Bennett")
	w.meta = domain.Meta{RequestID: uuid.NewString(), ActorName: &name}
	w.guard = eventstore.Guard{Tenant: t, Stream: domain.Stream(domain.MemberStream, w.actor), Version: 1}
	return w
}

// joined makes the writer a member.
func (w *writer) joined() eventstore.Part {
	return eventstore.Part{Tenant: w.tenant, Stream: w.guard.Stream, Events: []domain.Event{domain.MemberJoined{
		UserID: w.actor, Email: domain.About(w.actor, w.actor.String()+"@example.org"),
		Name: *w.meta.ActorName, Role: domain.Member,
	}}}
}

// commit appends the next event of the task, guarded by the membership.
func (w *writer) commit(ctx context.Context) error {
	_, err := w.store.Append(ctx, eventstore.Commit{
		Command: newID[domain.CommandID](), Actor: w.actor, Meta: w.meta, Guards: []eventstore.Guard{w.guard},
		Parts: []eventstore.Part{{Tenant: w.tenant, Stream: domain.Stream(domain.TaskStream, w.task), Expected: w.version, Events: []domain.Event{w.next()}}},
	})
	if w.version++; err != nil || w.version == taskLength {
		w.task, w.version = newID[domain.TaskID](), 0
	}
	if err != nil {
		kind, _, _ := strings.Cut(err.Error(), ":")
		return &failure{kind, err}
	}
	return nil
}

// next is the next event of the task. All have about the same size.
func (w *writer) next() domain.Event {
	project := domain.ProjectID(w.tenant)
	if w.version == 0 {
		return taskCreated(w.task, project, w.actor)
	}
	if w.version%2 == 0 {
		return taskUpdated(w.task, project, w.actor, "status", `"in_progress"`, `"todo"`)
	}
	return taskUpdated(w.task, project, w.actor, "status", `"todo"`, `"in_progress"`)
}

func taskCreated(id domain.TaskID, project domain.ProjectID, actor domain.UserID) domain.TaskCreated {
	return domain.TaskCreated{TaskID: id, ProjectID: project, ProjectName: "Harbour wall", OwnerID: actor, Title: "Survey the foundations",
		Priority: domain.Normal, Labels: []string{"sea"}, AssigneeID: &actor}
}

func taskUpdated(id domain.TaskID, project domain.ProjectID, actor domain.UserID, field, from, to string) domain.Event {
	return domain.TaskUpdated{TaskID: id, ProjectID: project, ProjectName: "Harbour wall", OwnerID: actor, Title: "Survey the foundations",
		AssigneeID: &actor, Changes: []domain.Change{{Field: field, From: []byte(from), To: []byte(to)}}}
}
