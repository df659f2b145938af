-- +goose Up

-- A tenant's row is nothing but the lock under which its log grows. It is never
-- updated (an updated counter row collapses under any long snapshot) and no
-- foreign key points at it.
create table tenant_logs (
  tenant_id uuid not null,
  constraint tenant_logs_pk primary key (tenant_id)
);

-- The log. seq is 1, 2, 3 … per tenant, in commit order; version the same per
-- stream. data and meta are json, not jsonb: cheaper to write, and byte-exact.
create table events (
  tenant_id      uuid        not null,
  seq            bigint      not null,
  stream_type    text        not null,
  stream_id      uuid        not null,
  version        integer     not null,
  type           text        not null,
  schema_version smallint    not null,
  occurred_at    timestamptz not null,
  actor_id       uuid,
  command_id     uuid        not null,
  data           json        not null,
  meta           json        not null,
  constraint events_pk primary key (tenant_id, seq),
  constraint events_stream unique (tenant_id, stream_id, version),
  constraint events_seq_positive check (seq > 0),
  constraint events_version_positive check (version > 0),
  constraint events_data_size check (octet_length(data::text) <= 49152)
);

-- What must be unique across the streams of one log, and who holds it. Belongs
-- to a log whose row is locked in the call that writes it, so it needs no other lock.
create table claims (
  tenant_id uuid not null,
  kind      text not null,
  value     text not null,
  holder    uuid not null,
  constraint claims_pk primary key (tenant_id, kind, value)
);

-- +goose StatementBegin
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'table % is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$;
-- +goose StatementEnd

create trigger events_append_only before update or delete or truncate on events
  for each statement execute function refuse_change();

-- The tenant that a session of the api role may see; null shows nothing.
-- Set with set_config('docket.tenant', …, true), which ends with the transaction.
create function current_tenant() returns uuid language sql stable parallel safe
  return nullif(current_setting('docket.tenant', true), '')::uuid;

-- The user whose memberships over all tenants a session of the api role may see.
create function current_docket_user() returns uuid language sql stable parallel safe
  return nullif(current_setting('docket.user', true), '')::uuid;

-- The platform's log holds the users; it is there from the start. (Inserted
-- here: under the policies below not even the owner can.)
insert into tenant_logs (tenant_id) values ('00000000-0000-0000-0000-000000000000');

alter table tenant_logs enable row level security, force row level security;
alter table events      enable row level security, force row level security;
alter table claims      enable row level security, force row level security;

create policy engine_all on tenant_logs to docket_engine using (true) with check (true);
create policy engine_all on events      to docket_engine using (true) with check (true);
create policy engine_all on claims      to docket_engine using (true) with check (true);
create policy api_tenant on events for select to docket_api using (tenant_id = current_tenant());
create policy api_tenant on claims for select to docket_api using (tenant_id = current_tenant());

-- FOR NO KEY UPDATE asks for the update privilege, so the lock table has it; it
-- has no column that could be changed to another tenant's (its key is all there is).
grant select, insert, update on tenant_logs to docket_engine;
grant select, insert         on events      to docket_engine;
grant select, insert, delete on claims      to docket_engine;
grant select                 on events      to docket_api;
grant select                 on claims      to docket_api;

create trigger tenant_logs_append_only before update or delete or truncate on tenant_logs
  for each statement execute function refuse_change();

-- append decides and writes a batch of Commits in one call. Arrays of one
-- prefix are parallel; *_commit numbers the Commit, 1 to p_commits, to which
-- the row belongs. The Commits of one batch are independent of each other: none
-- writes a stream that another writes or checks, no two share a claim.
--
--   p_tenants      every tenant whose log is written, checked or claimed in
--   p_new_*        tenants that a Commit brings into being
--   p_check_*      streams whose version must be this one: those written and the guards
--   p_claim_*      claims to take (holder) or, where release, to give back; a claim
--                  that the same Commit gives back can be taken, and what somebody
--                  else holds isn't given back
--   p_event_*      the events, in the order of the log
--
-- It returns a row for each event written (commit_no, event_no, seq, occurred_at)
-- and one for each Commit refused (commit_no, refusal, and what was found):
--   'tenant'  a tenant has no log, or a new one has          found_stream: the tenant
--   'version' a checked stream has another version           found_stream, found_version
--   'claim'   a claim is held by another                     event_no: the claim's position
--
-- How: lock every tenant's row in key order; only then read the clock, the heads
-- and the versions. A tenant that began after that lock was asked for counts as
-- missing: nothing is written to a log whose row isn't locked. Heads and versions
-- are scalar LIMIT 1 probes of an index's end, which stay cheap on any table
-- size. Call it on connections with enable_seqscan=off: plans cached on an empty
-- table are bad ones otherwise.
-- +goose StatementBegin
create function append(
  p_commits int, p_tenants uuid[],
  p_new_commit int[], p_new_tenant uuid[],
  p_check_commit int[], p_check_tenant uuid[], p_check_stream uuid[], p_check_version int[],
  p_claim_commit int[], p_claim_tenant uuid[], p_claim_kind text[], p_claim_value text[],
  p_claim_holder uuid[], p_claim_release boolean[],
  p_event_commit int[], p_event_tenant uuid[], p_event_stream_type text[], p_event_stream uuid[],
  p_event_version int[], p_event_type text[], p_event_schema smallint[], p_event_actor uuid[],
  p_event_command uuid[], p_event_data json[], p_event_meta json[])
returns table (
  commit_no int, event_no int, seq bigint, occurred_at timestamptz,
  refusal text, found_stream uuid, found_version int)
language plpgsql volatile as $$
#variable_conflict use_column
declare
  now_    timestamptz;
  locked  uuid[];
  refused int[] := '{}';
  r       record;
begin
  select coalesce(array_agg(l.tenant_id), '{}') into locked from (
    select tenant_id from tenant_logs where tenant_id = any (p_tenants) order by tenant_id for no key update) as l;
  now_ := clock_timestamp();

  -- Refusals, one a Commit: the first that is found.
  for r in
    select distinct on (f.no) f.no, f.refusal, f.stream, f.version, f.pos from (
      select u.no, 1 as step, 0 as pos, 'tenant' as refusal, u.t as stream, null::int as version
        from unnest(p_new_commit, p_new_tenant) as u (no, t)
        where u.t = any (locked) or exists (select from tenant_logs l where l.tenant_id = u.t)
      union all
      select u.no, 1, 0, 'tenant', u.t, null
        from (select c, t from unnest(p_check_commit, p_check_tenant) as x (c, t)
              union select c, t from unnest(p_claim_commit, p_claim_tenant) as x (c, t)) as u (no, t)
        where u.t <> all (locked)
          and not exists (select from unnest(p_new_commit, p_new_tenant) as n (no, t) where n.no = u.no and n.t = u.t)
      union all
      select u.no, 2, u.pos::int, 'version', u.s,
             coalesce((select e.version from events e where e.tenant_id = u.t and e.stream_id = u.s
                       order by e.version desc limit 1), 0)
        from unnest(p_check_commit, p_check_tenant, p_check_stream, p_check_version)
             with ordinality as u (no, t, s, v, pos)
        where u.v is distinct from
             coalesce((select e.version from events e where e.tenant_id = u.t and e.stream_id = u.s
                       order by e.version desc limit 1), 0)
      union all
      select u.no, 3, u.pos::int, 'claim', c.holder, null
        from unnest(p_claim_commit, p_claim_tenant, p_claim_kind, p_claim_value, p_claim_release)
             with ordinality as u (no, t, k, v, release, pos)
        join claims c on c.tenant_id = u.t and c.kind = u.k and c.value = u.v
        where not u.release
          and not exists (
            select from unnest(p_claim_commit, p_claim_tenant, p_claim_kind, p_claim_value, p_claim_holder, p_claim_release)
                   as g (no, t, k, v, h, release)
            where g.release and g.no = u.no and g.t = u.t and g.k = u.k and g.v = u.v and g.h = c.holder)) as f
    order by f.no, f.step, f.pos
  loop
    refused := refused || r.no;
    commit_no := r.no; event_no := r.pos; refusal := r.refusal; found_stream := r.stream; found_version := r.version;
    return next;
  end loop;
  commit_no := null; event_no := null; refusal := null; found_stream := null; found_version := null;
  if cardinality(refused) = p_commits then
    return;
  end if;

  if cardinality(p_new_tenant) > 0 then
    insert into tenant_logs select u.t from unnest(p_new_commit, p_new_tenant) as u (no, t) where u.no <> all (refused);
  end if;
  if cardinality(p_claim_commit) > 0 then
    delete from claims c
      using unnest(p_claim_commit, p_claim_tenant, p_claim_kind, p_claim_value, p_claim_holder, p_claim_release)
            as u (no, t, k, v, h, release)
      where u.release and u.no <> all (refused) and c.tenant_id = u.t and c.kind = u.k and c.value = u.v and c.holder = u.h;
    insert into claims (tenant_id, kind, value, holder)
      select u.t, u.k, u.v, u.h
      from unnest(p_claim_commit, p_claim_tenant, p_claim_kind, p_claim_value, p_claim_holder, p_claim_release)
           as u (no, t, k, v, h, release)
      where not u.release and u.no <> all (refused);
  end if;

  return query
  with asked as materialized (
    select u.*, row_number() over (partition by u.t order by u.no, u.pos) as n
    from unnest(p_event_commit, p_event_tenant, p_event_stream_type, p_event_stream, p_event_version, p_event_type,
                p_event_schema, p_event_actor, p_event_command, p_event_data, p_event_meta)
         with ordinality as u (no, t, st, s, v, ty, sv, ac, cm, d, m, pos)
    where u.no <> all (refused)),
  head as materialized (
    select t.id,
           coalesce((select e.seq from events e where e.tenant_id = t.id order by e.seq desc limit 1), 0) as seq,
           greatest(now_, (select e.occurred_at from events e where e.tenant_id = t.id order by e.seq desc limit 1)
                          + interval '1 microsecond') as at
    from (select distinct a.t from asked a) as t (id)),
  written as (
    insert into events (tenant_id, seq, stream_type, stream_id, version, type, schema_version, occurred_at,
                        actor_id, command_id, data, meta)
    select a.t, h.seq + a.n, a.st, a.s, a.v, a.ty, a.sv, h.at + (a.n - 1) * interval '1 microsecond',
           a.ac, a.cm, a.d, a.m
    from asked a join head h on h.id = a.t)
  select a.no, a.pos::int, h.seq + a.n, h.at + (a.n - 1) * interval '1 microsecond', null::text, null::uuid, null::int
  from asked a join head h on h.id = a.t
  order by a.pos;
end $$;
-- +goose StatementEnd

revoke execute on function append from public;
grant execute on function append to docket_engine;

-- +goose Down
drop function append;
drop table claims;
drop table events;
drop table tenant_logs;
drop function current_docket_user;
drop function current_tenant;
drop function refuse_change;
