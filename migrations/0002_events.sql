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

-- What was answered to a command that came with an Idempotency-Key, so that the
-- same key is answered the same again. It is written by the append itself: of two
-- that share a key one is refused, and finds this row. key_hash and fingerprint
-- are SHA-256. An accepted command names the stream and version whose state was
-- the answer (none: the answer had no body), a refused one has the problem.
-- Rows are deleted after 30 days; at is the time of the append, which the index
-- over ranges of pages follows for next to nothing.
create table commands (
  tenant_id     uuid        not null,
  key_hash      bytea       not null,
  fingerprint   bytea       not null,
  command_id    uuid        not null,
  seq           bigint,
  stream_tenant uuid,
  stream_type   text,
  stream_id     uuid,
  version       integer,
  refusal       json,
  at            timestamptz not null,
  constraint commands_pk primary key (tenant_id, key_hash),
  constraint commands_key_hash_size check (octet_length(key_hash) = 32 and octet_length(fingerprint) = 32),
  constraint commands_stream_whole check (num_nulls(stream_tenant, stream_type, stream_id, version) in (0, 4)),
  constraint commands_refusal_alone check (refusal is null or stream_id is null)
);
create index commands_at on commands using brin (at);

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
alter table commands    enable row level security, force row level security;

create policy engine_all on tenant_logs to docket_engine using (true) with check (true);
create policy engine_all on events      to docket_engine using (true) with check (true);
create policy engine_all on claims      to docket_engine using (true) with check (true);
create policy engine_all on commands    to docket_engine using (true) with check (true);
create policy api_tenant on events for select to docket_api using (tenant_id = current_tenant());
create policy api_tenant on claims for select to docket_api using (tenant_id = current_tenant());
create policy api_tenant on commands for select to docket_api using (tenant_id = current_tenant());

-- FOR NO KEY UPDATE asks for the update privilege, so the lock table has it; it
-- has no column that could be changed to another tenant's (its key is all there is).
grant select, insert, update on tenant_logs to docket_engine;
grant select, insert         on events      to docket_engine;
grant select, insert, delete on claims      to docket_engine;
grant select, insert, delete on commands    to docket_engine;
grant select                 on events      to docket_api;
grant select                 on claims      to docket_api;
grant select                 on commands    to docket_api;

create trigger tenant_logs_append_only before update or delete or truncate on tenant_logs
  for each statement execute function refuse_change();

-- append decides and writes a batch of Commits in one call. Arrays of one
-- prefix are parallel; *_commit numbers the Commit, 1 to p_commits, to which
-- the row belongs. Tenants and streams are named by their position, from 1, in
-- p_tenants and p_stream_*. The Commits of one batch are independent of each
-- other: none writes a stream that another writes or checks, no two share a
-- claim or a key.
--
--   p_patience     how long to wait for the locks, in ms; null: as long as the session does
--   p_tenants      every tenant whose log is written, checked, claimed or remembered in, each once
--   p_new_*        tenants that a Commit brings into being
--   p_stream_*     every stream written or checked, each once
--   p_check_*      the version that a stream must have: of those written and of the guards
--   p_claim_*      claims to take (holder) or, where release, to give back; a claim
--                  that the same Commit gives back can be taken, and what somebody
--                  else holds isn't given back
--   p_key_*        what to remember under a key; where seq is null, that of the
--                  Commit's last event in the key's log
--   p_event_*      the events, in the order of the log
--
-- It returns one row. heads and times are parallel to p_tenants: the seq that the
-- log had before, and the time of the first event that was written to it; the
-- further ones follow by 1 and by a microsecond. The rest are parallel, one
-- element for each Commit refused:
--   'key'     something is remembered under its key
--   'tenant'  a tenant has no log, or a new one has     refused_at: the tenant's position
--   'version' a checked stream has another version      refused_at: the check's position, refused_version: what was found
--   'claim'   a claim is held by another                refused_at: the claim's position
--
-- How: lock every tenant's row in key order; only then read the clock, the heads
-- and the versions. A tenant that began after that lock was asked for counts as
-- missing: nothing is written to a log whose row isn't locked. Heads and versions
-- are scalar LIMIT 1 probes of an index's end, which stay cheap on any table
-- size. What few Commits need (new tenants, claims, keys, refusals) costs the
-- others no statement. Call it on connections with enable_seqscan=off: plans
-- cached on an empty table are bad ones otherwise.
-- +goose StatementBegin
create function append(
  p_commits int, p_patience int, p_tenants uuid[],
  p_new_commit int[], p_new_tenant int[],
  p_stream_tenant int[], p_stream_type text[], p_stream_id uuid[],
  p_check_commit int[], p_check_stream int[], p_check_version int[],
  p_claim_commit int[], p_claim_tenant int[], p_claim_kind text[], p_claim_value text[],
  p_claim_holder uuid[], p_claim_release boolean[],
  p_key_commit int[], p_key_tenant int[], p_key_hash bytea[], p_key_fingerprint bytea[], p_key_command uuid[],
  p_key_seq bigint[], p_key_stream_tenant uuid[], p_key_stream_type text[], p_key_stream_id uuid[],
  p_key_version int[], p_key_refusal json[],
  p_event_commit int[], p_event_tenant int[], p_event_stream int[], p_event_version int[], p_event_type text[],
  p_event_schema smallint[], p_event_actor uuid[], p_event_command uuid[], p_event_data json[], p_event_meta json[],
  out heads bigint[], out times timestamptz[],
  out refused int[], out refusals text[], out refused_at int[], out refused_version int[])
language plpgsql volatile as $$
#variable_conflict use_column
declare
  now_    timestamptz;
  locked  uuid[];
  found   int[];
begin
  if p_patience is not null then
    perform set_config('lock_timeout', p_patience::text, true);
  end if;
  locked := array(select tenant_id from tenant_logs where tenant_id = any (p_tenants) order by tenant_id for no key update);
  now_ := clock_timestamp();

  select array_agg(coalesce(h.seq, 0) order by u.n),
         array_agg(greatest(now_, h.occurred_at + interval '1 microsecond') order by u.n)
    into heads, times
  from unnest(p_tenants) with ordinality as u (t, n)
  left join lateral (select e.seq, e.occurred_at from events e where e.tenant_id = u.t order by e.seq desc limit 1) as h on true;

  found := array(
    select coalesce((select e.version from events e where e.tenant_id = p_tenants[u.t] and e.stream_id = u.s
                     order by e.version desc limit 1), 0)
    from unnest(p_stream_tenant, p_stream_id) with ordinality as u (t, s, n) order by u.n);

  -- Refusals, one a Commit: the first that is found.
  if cardinality(locked) < cardinality(p_tenants) or cardinality(p_new_tenant) + cardinality(p_claim_tenant) + cardinality(p_key_tenant) > 0
     or exists (select from unnest(p_check_stream, p_check_version) as u (s, v) where found[u.s] <> u.v) then
    select array_agg(f.no), array_agg(f.refusal), array_agg(f.pos), array_agg(f.version)
      into refused, refusals, refused_at, refused_version
    from (
      select distinct on (f.no) f.no, f.refusal, f.pos, f.version from (
        select u.no, 0 as step, 'key' as refusal, u.pos::int as pos, null::int as version
          from unnest(p_key_commit, p_key_tenant, p_key_hash) with ordinality as u (no, t, h, pos)
          join commands c on c.tenant_id = p_tenants[u.t] and c.key_hash = u.h
        union all
        select u.no, 1, 'tenant', u.t, null
          from unnest(p_new_commit, p_new_tenant) as u (no, t)
          where p_tenants[u.t] = any (locked) or exists (select from tenant_logs l where l.tenant_id = p_tenants[u.t])
        union all
        select u.no, 1, 'tenant', u.t, null
          from (select c.no, p_stream_tenant[c.s] as t from unnest(p_check_commit, p_check_stream) as c (no, s)
                union select c.no, c.t from unnest(p_claim_commit, p_claim_tenant) as c (no, t)
                union select c.no, c.t from unnest(p_key_commit, p_key_tenant) as c (no, t)) as u
          where p_tenants[u.t] <> all (locked)
            and not exists (select from unnest(p_new_commit, p_new_tenant) as n (no, t) where n.no = u.no and n.t = u.t)
        union all
        select u.no, 2, 'version', u.pos::int, found[u.s]
          from unnest(p_check_commit, p_check_stream, p_check_version) with ordinality as u (no, s, v, pos)
          where found[u.s] <> u.v
        union all
        select u.no, 3, 'claim', u.pos::int, null
          from unnest(p_claim_commit, p_claim_tenant, p_claim_kind, p_claim_value, p_claim_release)
               with ordinality as u (no, t, k, v, release, pos)
          join claims c on c.tenant_id = p_tenants[u.t] and c.kind = u.k and c.value = u.v
          where not u.release
            and not exists (
              select from unnest(p_claim_commit, p_claim_tenant, p_claim_kind, p_claim_value, p_claim_holder, p_claim_release)
                     as g (no, t, k, v, h, release)
              where g.release and g.no = u.no and g.t = u.t and g.k = u.k and g.v = u.v and g.h = c.holder)) as f
      order by f.no, f.step, f.pos) as f;
  end if;
  refused := coalesce(refused, '{}');
  if cardinality(refused) = p_commits then
    return;
  end if;

  if cardinality(p_new_tenant) > 0 then
    insert into tenant_logs select p_tenants[u.t] from unnest(p_new_commit, p_new_tenant) as u (no, t) where u.no <> all (refused);
  end if;
  if cardinality(p_claim_commit) > 0 then
    delete from claims c
      using unnest(p_claim_commit, p_claim_tenant, p_claim_kind, p_claim_value, p_claim_holder, p_claim_release)
            as u (no, t, k, v, h, release)
      where u.release and u.no <> all (refused)
        and c.tenant_id = p_tenants[u.t] and c.kind = u.k and c.value = u.v and c.holder = u.h;
    insert into claims (tenant_id, kind, value, holder)
      select p_tenants[u.t], u.k, u.v, u.h
      from unnest(p_claim_commit, p_claim_tenant, p_claim_kind, p_claim_value, p_claim_holder, p_claim_release)
           as u (no, t, k, v, h, release)
      where not u.release and u.no <> all (refused);
  end if;

  insert into events (tenant_id, seq, stream_type, stream_id, version, type, schema_version, occurred_at,
                      actor_id, command_id, data, meta)
    select p_tenants[a.t], heads[a.t] + a.n, p_stream_type[a.s], p_stream_id[a.s], a.v, a.ty, a.sv,
           times[a.t] + (a.n - 1) * interval '1 microsecond', a.ac, a.cm, a.d, a.m
    from (select u.*, row_number() over (partition by u.t order by u.pos) as n
          from unnest(p_event_commit, p_event_tenant, p_event_stream, p_event_version, p_event_type, p_event_schema,
                      p_event_actor, p_event_command, p_event_data, p_event_meta)
               with ordinality as u (no, t, s, v, ty, sv, ac, cm, d, m, pos)
          where u.no <> all (refused)) as a;

  if cardinality(p_key_commit) > 0 then
    insert into commands (tenant_id, key_hash, fingerprint, command_id, seq, stream_tenant, stream_type, stream_id, version, refusal, at)
      select p_tenants[u.t], u.h, u.f, u.c,
             coalesce(u.seq, heads[u.t] + (
               select max(a.n) from (
                 select e.no, e.t, row_number() over (partition by e.t order by e.pos) as n
                 from unnest(p_event_commit, p_event_tenant) with ordinality as e (no, t, pos)
                 where e.no <> all (refused)) as a
               where a.no = u.no and a.t = u.t)),
             u.st, u.sty, u.si, u.v, u.r, now_
      from unnest(p_key_commit, p_key_tenant, p_key_hash, p_key_fingerprint, p_key_command, p_key_seq,
                  p_key_stream_tenant, p_key_stream_type, p_key_stream_id, p_key_version, p_key_refusal)
           as u (no, t, h, f, c, seq, st, sty, si, v, r)
      where u.no <> all (refused);
  end if;
end $$;
-- +goose StatementEnd

revoke execute on function append from public;
grant execute on function append to docket_engine;

-- +goose Down
drop function append;
drop table commands;
drop table claims;
drop table events;
drop table tenant_logs;
drop function current_docket_user;
drop function current_tenant;
drop function refuse_change;
