package main

import (
	"context"
	"encoding/json"
	"fmt"

	"docket/domain"
	"docket/internal/postgres"

	"golang.org/x/sync/errgroup"
)

// sqlCorpus writes the events from seq $2 to $3 of each of the tenants $1: the tenant
// and its owner, and then stretches of 500, each with a project in five events, 75 tasks
// of five events that are all in work at the same time, and 120 comments. The kinds
// of events are numbered from 1: their types ($5), schema versions ($6) and data ($7), in which $8, $9
// and $10 stand for the project, the task and the comment. $11 is the actor, whose
// membership is the second event, and $4 the meta of all. Ids are UUIDv7 that grow
// with the blocks; time starts at the beginning of 2026 and goes on by a second with each seq.
const sqlCorpus = `
INSERT INTO events (tenant_id, seq, stream_type, stream_id, version, type, schema_version, occurred_at, actor_id, command_id, data, meta)
SELECT t.id, s.seq, split_part(($5::text[])[k.kind], '.', 1),
  CASE WHEN k.kind = 1 THEN t.id WHEN k.kind = 2 THEN $11::uuid WHEN k.kind <= 7 THEN i.project WHEN k.kind <= 12 THEN i.task ELSE i.comment END,
  k.version, ($5::text[])[k.kind], ($6::int[])[k.kind], timestamptz '2026-01-01 00:00:00Z' + s.seq * interval '1 second', $11::uuid, i.command,
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

// corpus is what a log is made of: events of all kinds, as the API would have
// written them, in which three ids are to be replaced.
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

func newCorpus() (*corpus, error) {
	c := &corpus{actor: newID[domain.UserID](), project: newID[domain.ProjectID](), task: newID[domain.TaskID](), comment: newID[domain.CommentID]()}
	name := domain.About(c.actor, "Ann Bennett")
	var err error
	if c.meta, err = json.Marshal(domain.Meta{RequestID: c.actor.String(), ActorName: &name}); err != nil {
		return nil, err
	}
	due := domain.Date("2026-03-31")
	description := "Deepen the harbour along the northern quay before the winter storms."
	moved := func(from, to domain.Status) domain.Event {
		return domain.ProjectStatusChanged{ProjectID: c.project, Name: "Harbour wall", OwnerID: c.actor, From: from, To: to}
	}
	updated := func(field, from, to string) domain.Event {
		return domain.TaskUpdated{
			TaskID: c.task, ProjectID: c.project, ProjectName: "Harbour wall", OwnerID: c.actor, Title: "Survey the foundations",
			AssigneeID: &c.actor, Changes: []domain.Change{{Field: field, From: []byte(from), To: []byte(to)}},
		}
	}
	for _, e := range []domain.Event{
		domain.TenantCreated{Name: "Bench", Slug: "bench", Registration: domain.RegistrationClosed, DefaultRole: domain.Member, Channel: domain.ChannelInApp},
		domain.MemberJoined{UserID: c.actor, Email: domain.About(c.actor, "ann@example.org"), Name: name, Role: domain.Owner, UserVersion: 1},
		domain.ProjectCreated{ProjectID: c.project, Name: "Harbour wall", Description: &description, Visibility: domain.Private, DueDate: &due, OwnerID: c.actor},
		moved(domain.Draft, domain.Submitted), moved(domain.Submitted, domain.Approved), moved(domain.Approved, domain.Active),
		domain.ProjectUpdated{ProjectID: c.project, Name: "Harbour wall", OwnerID: c.actor, Changes: []domain.Change{
			{Field: "visibility", From: []byte(`"private"`), To: []byte(`"public"`)}}},
		domain.TaskCreated{
			TaskID: c.task, ProjectID: c.project, ProjectName: "Harbour wall", OwnerID: c.actor, Title: "Survey the foundations",
			Description: &description, Priority: domain.Normal, Labels: []string{"sea", "winter"}, AssigneeID: &c.actor,
		},
		updated("status", `"todo"`, `"in_progress"`), updated("due_date", `null`, `"2026-03-01"`),
		updated("priority", `"normal"`, `"high"`), updated("status", `"in_progress"`, `"done"`),
		domain.CommentCreated{
			CommentID: c.comment, TaskID: c.task, ProjectID: c.project, ProjectName: "Harbour wall", OwnerID: c.actor,
			Title: "Survey the foundations", AssigneeID: &c.actor, Body: "The northern quay is done, the southern one waits for the divers.",
			Mentions: []domain.UserID{},
		},
	} {
		d, data, err := domain.Encode(e)
		if err != nil {
			return nil, err
		}
		c.types, c.schemas, c.data = append(c.types, d.Type), append(c.schemas, int32(d.Version)), append(c.data, string(data))
	}
	return c, nil
}

// fill begins the logs of tenants, with so many events each.
func (c *corpus) fill(ctx context.Context, d *database, ids []domain.TenantID, each int64) error {
	pool, err := postgres.Pool(ctx, d.Engine, postgres.PoolConfig{Role: postgres.EngineRole, MaxConns: preloadSessions, AppName: "docketbench"})
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, sqlPreloadTenants, ids); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(preloadSessions)
	for _, id := range ids {
		g.Go(func() error {
			for from := int64(1); from <= each; from += preloadRows {
				_, err := pool.Exec(ctx, sqlCorpus, []domain.TenantID{id}, from, min(from+preloadRows-1, each), c.meta,
					c.types, c.schemas, c.data, c.project.String(), c.task.String(), c.comment.String(), c.actor)
				if err != nil {
					return fmt.Errorf("fill: %w", err)
				}
			}
			return nil
		})
	}
	return g.Wait()
}
