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
-- Rows are deleted after 30 days; at is the time of the append. aside is what of the
-- answer no stream holds.
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
  aside         json,
  refusal       json,
  at            timestamptz not null,
  constraint commands_pk primary key (tenant_id, key_hash),
  constraint commands_key_hash_size check (octet_length(key_hash) = 32 and octet_length(fingerprint) = 32),
  constraint commands_stream_whole check (num_nulls(stream_tenant, stream_type, stream_id, version) in (0, 4)),
  constraint commands_refusal_alone check (refusal is null or stream_id is null)
);
create index commands_at on commands (at);

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
--   p_patience     how long to wait for the locks, in ms
--   p_tenants      every tenant whose log is written, checked, claimed or remembered in,
--                  each once, descending: so the platform's row, which all tenants share and
--                  which has the least key, is locked last, and no call holds it while it
--                  waits for another row
--   p_new_*        tenants that a Commit brings into being
--   p_stream_*     every stream written or checked, each once
--   p_check_*      the version that a stream must have: of those written and of the guards
--   p_claim_*      claims to take (holder) or, where release, to give back; a claim
--                  that the same Commit gives back can be taken, and what somebody
--                  else holds isn't given back
--   p_key_*        what to remember under a key; where seq is null, that of the
--                  Commit's last event in the log of the stream that is the answer
--   p_event_*      the events, in the order of the log
--
-- An array of which nothing is to be said is null: most batches have neither new
-- tenants nor claims nor keys, and an array costs about a microsecond to receive.
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
-- How: lock every tenant's row, the greatest key first; only then read the clock, the heads
-- and the versions. A tenant that began after that lock was asked for counts as
-- missing: nothing is written to a log whose row isn't locked.
--
-- What reads and writes a row per tenant, stream or event stands here twice. One
-- statement over whole arrays costs 100 us to start and 7 us a Commit, single-row
-- ones in a loop 20 us and 16 us (measured): so few rows go one by one, and a
-- single append is a third as long. Heads and versions are LIMIT 1 probes of an
-- index's end, which stay cheap on any table size. Call it on connections with
-- enable_seqscan=off: plans cached on an empty table are bad ones otherwise.
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
  p_key_version int[], p_key_aside json[], p_key_refusal json[],
  p_event_commit int[], p_event_tenant int[], p_event_stream int[], p_event_version int[], p_event_type text[],
  p_event_schema smallint[], p_event_actor uuid[], p_event_command uuid[], p_event_data json[], p_event_meta json[],
  out heads bigint[], out times timestamptz[],
  out refused int[], out refusals text[], out refused_at int[], out refused_version int[])
language plpgsql volatile as $$
#variable_conflict use_column
declare
  few      constant boolean := coalesce(cardinality(p_stream_id), 0) + coalesce(cardinality(p_event_commit), 0) <= 16;
  now_     timestamptz;
  got      uuid[];
  locked   boolean[];                                            -- by tenant
  last     bigint[];                                             -- by tenant: the seq written last
  versions int[];                                                -- by stream
  accepted boolean[] := array_fill(true, array[p_commits]);      -- by Commit
  c int; t int; s int; v int; h bigint; at timestamptz;
begin
  perform set_config('lock_timeout', p_patience::text, true);
  if few then
    for i in 1 .. cardinality(p_tenants) loop
      perform from tenant_logs l where l.tenant_id = p_tenants[i] for no key update;
      locked[i] := found;
    end loop;
    now_ := clock_timestamp();
    for i in 1 .. cardinality(p_tenants) loop
      select e.seq, e.occurred_at + interval '1 microsecond' into h, at
        from events e where e.tenant_id = p_tenants[i] order by e.seq desc limit 1;
      heads[i] := coalesce(h, 0);
      times[i] := greatest(now_, at);
    end loop;
    for i in 1 .. coalesce(cardinality(p_stream_id), 0) loop
      select e.version into v
        from events e where e.tenant_id = p_tenants[p_stream_tenant[i]] and e.stream_id = p_stream_id[i]
        order by e.version desc limit 1;
      versions[i] := coalesce(v, 0);
    end loop;
  else
    got := array(select l.tenant_id from tenant_logs l where l.tenant_id = any (p_tenants)
                 order by l.tenant_id desc for no key update);
    now_ := clock_timestamp();
    locked := array(select u.t = any (got) from unnest(p_tenants) with ordinality as u (t, n) order by u.n);
    select array_agg(coalesce(e.seq, 0) order by u.n),
           array_agg(greatest(now_, e.occurred_at + interval '1 microsecond') order by u.n)
      into heads, times
    from unnest(p_tenants) with ordinality as u (t, n)
    left join lateral (select e.seq, e.occurred_at from events e where e.tenant_id = u.t order by e.seq desc limit 1) as e on true;
    versions := array(
      select coalesce((select e.version from events e where e.tenant_id = p_tenants[u.t] and e.stream_id = u.s
                       order by e.version desc limit 1), 0)
      from unnest(p_stream_tenant, p_stream_id) with ordinality as u (t, s, n) order by u.n);
  end if;

  -- Refusals, one a Commit: the first that is found.
  for i in 1 .. coalesce(cardinality(p_key_commit), 0) loop
    perform from commands k where k.tenant_id = p_tenants[p_key_tenant[i]] and k.key_hash = p_key_hash[i];
    c := p_key_commit[i];
    if found and accepted[c] then
      accepted[c] := false;
      refused := refused || c; refusals := refusals || 'key'::text; refused_at := refused_at || i; refused_version := refused_version || 0;
    end if;
  end loop;
  for i in 1 .. coalesce(cardinality(p_new_commit), 0) loop
    t := p_new_tenant[i];
    c := p_new_commit[i];
    perform from tenant_logs l where l.tenant_id = p_tenants[t];
    if found and accepted[c] then
      accepted[c] := false;
      refused := refused || c; refusals := refusals || 'tenant'::text; refused_at := refused_at || t; refused_version := refused_version || 0;
    end if;
  end loop;
  if not (true = all (locked)) then
    for c, t in
      select x.c, min(x.t) from (
        select u.c, p_stream_tenant[u.s] as t from unnest(p_check_commit, p_check_stream) as u (c, s)
        union select u.c, u.t from unnest(p_claim_commit, p_claim_tenant) as u (c, t)
        union select u.c, u.t from unnest(p_key_commit, p_key_tenant) as u (c, t)) as x
      where not locked[x.t] and not exists (select from unnest(p_new_commit, p_new_tenant) as n (c, t) where n.c = x.c and n.t = x.t)
      group by x.c
    loop
      continue when not accepted[c];
      accepted[c] := false;
      refused := refused || c; refusals := refusals || 'tenant'::text; refused_at := refused_at || t; refused_version := refused_version || 0;
    end loop;
  end if;
  for i in 1 .. coalesce(cardinality(p_check_commit), 0) loop
    v := versions[p_check_stream[i]];
    c := p_check_commit[i];
    if v <> p_check_version[i] and accepted[c] then
      accepted[c] := false;
      refused := refused || c; refusals := refusals || 'version'::text; refused_at := refused_at || i; refused_version := refused_version || v;
    end if;
  end loop;
  for i in 1 .. coalesce(cardinality(p_claim_commit), 0) loop
    c := p_claim_commit[i];
    continue when p_claim_release[i] or not accepted[c];
    perform from claims k
      where k.tenant_id = p_tenants[p_claim_tenant[i]] and k.kind = p_claim_kind[i] and k.value = p_claim_value[i]
        and not exists (
          select from unnest(p_claim_commit, p_claim_tenant, p_claim_kind, p_claim_value, p_claim_holder, p_claim_release)
                 as g (c, t, k, v, h, release)
          where g.release and g.c = p_claim_commit[i] and g.t = p_claim_tenant[i]
            and g.k = k.kind and g.v = k.value and g.h = k.holder);
    if found then
      accepted[c] := false;
      refused := refused || c; refusals := refusals || 'claim'::text; refused_at := refused_at || i; refused_version := refused_version || 0;
    end if;
  end loop;
  if cardinality(refused) = p_commits then
    return;
  end if;

  for i in 1 .. coalesce(cardinality(p_new_commit), 0) loop
    continue when not accepted[p_new_commit[i]];
    insert into tenant_logs values (p_tenants[p_new_tenant[i]]);
  end loop;
  for i in 1 .. coalesce(cardinality(p_claim_commit), 0) loop
    continue when not accepted[p_claim_commit[i]] or not p_claim_release[i];
    delete from claims k
      where k.tenant_id = p_tenants[p_claim_tenant[i]] and k.kind = p_claim_kind[i] and k.value = p_claim_value[i]
        and k.holder = p_claim_holder[i];
  end loop;
  for i in 1 .. coalesce(cardinality(p_claim_commit), 0) loop
    continue when not accepted[p_claim_commit[i]] or p_claim_release[i];
    insert into claims (tenant_id, kind, value, holder)
      values (p_tenants[p_claim_tenant[i]], p_claim_kind[i], p_claim_value[i], p_claim_holder[i]);
  end loop;

  if few then
    last := heads;
    for i in 1 .. coalesce(cardinality(p_event_commit), 0) loop
      continue when not accepted[p_event_commit[i]];
      t := p_event_tenant[i];
      s := p_event_stream[i];
      h := last[t] + 1;
      insert into events (tenant_id, seq, stream_type, stream_id, version, type, schema_version, occurred_at,
                          actor_id, command_id, data, meta)
        values (p_tenants[t], h, p_stream_type[s], p_stream_id[s], p_event_version[i], p_event_type[i], p_event_schema[i],
                times[t] + (h - heads[t] - 1) * interval '1 microsecond',
                p_event_actor[i], p_event_command[i], p_event_data[i], p_event_meta[i]);
      last[t] := h;
    end loop;
  else
    insert into events (tenant_id, seq, stream_type, stream_id, version, type, schema_version, occurred_at,
                        actor_id, command_id, data, meta)
      select p_tenants[e.t], heads[e.t] + e.n, p_stream_type[e.s], p_stream_id[e.s], e.v, e.ty, e.sv,
             times[e.t] + (e.n - 1) * interval '1 microsecond', e.ac, e.cm, e.d, e.m
      from (select u.*, row_number() over (partition by u.t order by u.pos) as n
            from unnest(p_event_commit, p_event_tenant, p_event_stream, p_event_version, p_event_type, p_event_schema,
                        p_event_actor, p_event_command, p_event_data, p_event_meta)
                 with ordinality as u (c, t, s, v, ty, sv, ac, cm, d, m, pos)
            where accepted[u.c]) as e;
  end if;

  for i in 1 .. coalesce(cardinality(p_key_commit), 0) loop
    c := p_key_commit[i];
    continue when not accepted[c];
    h := p_key_seq[i];
    if h is null then
      t := coalesce(array_position(p_tenants, p_key_stream_tenant[i]), p_key_tenant[i]);
      h := heads[t];
      for s in 1 .. coalesce(cardinality(p_event_commit), 0) loop
        exit when p_event_commit[s] > c;
        if p_event_tenant[s] = t and accepted[p_event_commit[s]] then
          h := h + 1;
        end if;
      end loop;
    end if;
    insert into commands (tenant_id, key_hash, fingerprint, command_id, seq, stream_tenant, stream_type, stream_id, version, aside, refusal, at)
      values (p_tenants[p_key_tenant[i]], p_key_hash[i], p_key_fingerprint[i], p_key_command[i], h,
              p_key_stream_tenant[i], p_key_stream_type[i], p_key_stream_id[i], p_key_version[i], p_key_aside[i], p_key_refusal[i], now_);
  end loop;
end $$;
-- +goose StatementEnd

-- append_one is append for one Commit of one event in one log, without new tenants,
-- claims and a key: what a quiet server does. It decides and writes the same and
-- takes two thirds of the time, most of which plpgsql spends on the expressions
-- that a transaction meets for the first time: so there are few.
--
--   p_checks, p_versions   the streams whose version must be this one, the event's first
--   head, at               the seq that the log had before, and the event's time
--   refused_at             null where it was written; 0: the tenant has no log; else the
--                          position of the check that failed, and the version found
-- +goose StatementBegin
create function append_one(
  p_patience int, p_tenant uuid, p_stream_type text, p_checks uuid[], p_versions int[],
  p_type text, p_schema smallint, p_actor uuid, p_command uuid, p_data json, p_meta json,
  out head bigint, out at timestamptz, out refused_at int, out refused_version int)
language plpgsql volatile as $$
#variable_conflict use_column
declare
  v int;
begin
  perform set_config('lock_timeout', p_patience::text, true);
  perform from tenant_logs l where l.tenant_id = p_tenant for no key update;
  if not found then
    refused_at := 0;
    return;
  end if;
  for i in 1 .. cardinality(p_checks) loop
    select e.version into v from events e where e.tenant_id = p_tenant and e.stream_id = p_checks[i]
      order by e.version desc limit 1;
    if coalesce(v, 0) <> p_versions[i] then
      refused_at := i;
      refused_version := coalesce(v, 0);
      return;
    end if;
  end loop;
  select e.seq, greatest(clock_timestamp(), e.occurred_at + interval '1 microsecond') into head, at
    from events e where e.tenant_id = p_tenant order by e.seq desc limit 1;
  if not found then
    head := 0;
    at := clock_timestamp();
  end if;
  insert into events (tenant_id, seq, stream_type, stream_id, version, type, schema_version, occurred_at,
                      actor_id, command_id, data, meta)
    values (p_tenant, head + 1, p_stream_type, p_checks[1], p_versions[1] + 1, p_type, p_schema, at,
            p_actor, p_command, p_data, p_meta);
end $$;
-- +goose StatementEnd

revoke execute on function append, append_one from public;
grant execute on function append, append_one to docket_engine;

-- +goose Down
drop function append_one;
drop function append;
drop table commands;
drop table claims;
drop table events;
drop table tenant_logs;
drop function current_docket_user;
drop function current_tenant;
drop function refuse_change;
