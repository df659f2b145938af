-- +goose Up

-- append_batch decides and writes a batch of Commits in one call. It takes the place
-- of append, which replicas of the release before still call. Arrays of one prefix are
-- parallel; *_commit is the number of the Commit, 1 to p_commits, of each row. Tenants
-- and streams are given by their position, from 1, in p_tenants and p_stream_*. The
-- Commits of one batch are independent of each other: none writes a stream that another
-- writes or checks, no two share a claim or a key. An empty array may be null.
--
--   p_lock_timeout   in ms
--   p_tenants        every tenant whose log is written, checked, claimed or recorded in,
--                    once each, descending: so the platform's row, which has the least key
--                    and which all tenants share, is locked last
--   p_new_*          tenants that a Commit creates
--   p_stream_*       every stream written or checked, once each; version: the one that its
--                    checks expect, or -1 where they differ
--   p_check_*        the expected version of a stream: of those written and of the guards
--   p_claim_*        claims to take, or to release where release; a Commit can take a
--                    claim that it also releases; a claim of another holder isn't released
--   p_key_*          idempotency records; where seq is null, it is that of the nth event
--                    that the batch writes to the tenant's log at position log
--   p_event_*        the events, in the order of the log; nth: in its tenant's log, from 1.
--                    Every nth is that of a batch of which no Commit is refused
--
-- It returns one row. heads and times are parallel to p_tenants: the seq of the log's last
-- event before the batch, and the time of the first event written; each further event is
-- one seq and one microsecond later. The rest are parallel, one element for each Commit
-- refused:
--   'key'     the key has a record
--   'tenant'  a tenant has no log, or a new one has     refused_at: the tenant's position
--   'version' a checked stream has another version      refused_at: the check's position, refused_version: the version found
--   'claim'   another holder has a claim                refused_at: the claim's position
--
-- It locks every tenant's row, and only then reads the clock, the heads and the versions.
-- A tenant whose row was created after the lock statement began counts as missing.
--
-- Most of its time is the start of statements, so a batch that is written whole runs four:
-- the locks, heads and versions, the events, and the records if there are keys. Arrays are read by subscript,
-- because each unnest fills a tuplestore. LIMIT 1 probes of an index's end stay cheap on
-- any table size. plan_cache_mode keeps Postgres from planning each call anew for the
-- arrays' lengths. Call it on connections with enable_seqscan=off: plans that are cached
-- on an empty table are bad ones otherwise.
-- +goose StatementBegin
create function append_batch(
  p_commits int, p_lock_timeout int, p_tenants uuid[],
  p_new_commit int[], p_new_tenant int[],
  p_stream_tenant int[], p_stream_type text[], p_stream_id uuid[], p_stream_version int[],
  p_check_commit int[], p_check_stream int[], p_check_version int[],
  p_claim_commit int[], p_claim_tenant int[], p_claim_kind text[], p_claim_value text[],
  p_claim_holder uuid[], p_claim_release boolean[],
  p_key_commit int[], p_key_tenant int[], p_key_hash bytea[], p_key_fingerprint bytea[], p_key_command uuid[],
  p_key_seq bigint[], p_key_log int[], p_key_nth int[], p_key_stream_tenant uuid[], p_key_stream_type text[],
  p_key_stream_id uuid[], p_key_version int[], p_key_aside json[], p_key_refusal json[],
  p_event_commit int[], p_event_tenant int[], p_event_nth int[], p_event_stream int[], p_event_version int[],
  p_event_type text[], p_event_schema smallint[], p_event_actor uuid[], p_event_command uuid[],
  p_event_data json[], p_event_meta json[],
  out heads bigint[], out times timestamptz[],
  out refused int[], out refusals text[], out refused_at int[], out refused_version int[])
language plpgsql volatile set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
  unused   text;
  now_     timestamptz;
  locked   uuid[];
  versions int[];                    -- by stream
  accepted boolean[];                -- by Commit; null: all
  written  int[];                    -- by tenant: events so far
  nth      int[] := p_event_nth;
  key_nth  int[] := p_key_nth;
  n int; c int; t int; v int;
begin
  unused := set_config('lock_timeout', p_lock_timeout::text, true); -- an assignment starts no statement
  locked := array(select l.tenant_id from tenant_logs l where l.tenant_id = any (p_tenants)
                  order by l.tenant_id desc for no key update);
  now_ := clock_timestamp();
  select array_agg(x.seq), array_agg(x.at), array(
      select coalesce((select e.version from events e
                       where e.tenant_id = p_tenants[p_stream_tenant[s.i]] and e.stream_id = p_stream_id[s.i]
                       order by e.version desc limit 1), 0)
      from (select generate_series(1, cardinality(p_stream_id)) as i) as s)
    into heads, times, versions
  from (select coalesce(e.seq, 0) as seq, greatest(now_, e.occurred_at + interval '1 microsecond') as at
        from unnest(p_tenants) with ordinality as u (t, i)
        left join lateral (select e.seq, e.occurred_at from events e where e.tenant_id = u.t order by e.seq desc limit 1) as e on true
        order by u.i) as x;

  if locked is distinct from p_tenants or versions is distinct from p_stream_version
     or p_key_commit is not null or p_new_commit is not null or p_claim_commit is not null then
    accepted := array_fill(true, array[p_commits]);

    -- Refusals, one a Commit: the first that is found.
    if p_key_commit is not null then
      for n in
        select x.i from (select generate_series(1, cardinality(p_key_commit)) as i) as x
        where exists (select from commands k where k.tenant_id = p_tenants[p_key_tenant[x.i]] and k.key_hash = p_key_hash[x.i])
      loop
        c := p_key_commit[n];
        accepted[c] := false;
        refused := refused || c; refusals := refusals || 'key'::text; refused_at := refused_at || n; refused_version := refused_version || 0;
      end loop;
    end if;
    for i in 1 .. coalesce(cardinality(p_new_commit), 0) loop
      t := p_new_tenant[i];
      c := p_new_commit[i];
      perform from tenant_logs l where l.tenant_id = p_tenants[t];
      if found and accepted[c] then
        accepted[c] := false;
        refused := refused || c; refusals := refusals || 'tenant'::text; refused_at := refused_at || t; refused_version := refused_version || 0;
      end if;
    end loop;
    if locked is distinct from p_tenants then
      for c, t in
        select x.c, min(x.t) from (
          select u.c, p_stream_tenant[u.s] as t from unnest(p_check_commit, p_check_stream) as u (c, s)
          union select u.c, u.t from unnest(p_claim_commit, p_claim_tenant) as u (c, t)
          union select u.c, u.t from unnest(p_key_commit, p_key_tenant) as u (c, t)) as x
        where p_tenants[x.t] <> all (locked)
          and not exists (select from unnest(p_new_commit, p_new_tenant) as n (c, t) where n.c = x.c and n.t = x.t)
        group by x.c
      loop
        continue when not accepted[c];
        accepted[c] := false;
        refused := refused || c; refusals := refusals || 'tenant'::text; refused_at := refused_at || t; refused_version := refused_version || 0;
      end loop;
    end if;
    if versions is distinct from p_stream_version then
      for i in 1 .. coalesce(cardinality(p_check_commit), 0) loop
        v := versions[p_check_stream[i]];
        c := p_check_commit[i];
        if v <> p_check_version[i] and accepted[c] then
          accepted[c] := false;
          refused := refused || c; refusals := refusals || 'version'::text; refused_at := refused_at || i; refused_version := refused_version || v;
        end if;
      end loop;
    end if;
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
    elsif refused is not null then -- the events of the others move up
      written := array_fill(0, array[cardinality(p_tenants)]);
      for i in 1 .. coalesce(cardinality(nth), 0) loop
        t := p_event_tenant[i];
        if accepted[p_event_commit[i]] then
          written[t] := written[t] + 1;
        end if;
        nth[i] := written[t];
      end loop;
      for i in 1 .. coalesce(cardinality(key_nth), 0) loop
        key_nth[i] := coalesce((select max(nth[x.e]) from (select generate_series(1, cardinality(nth)) as e) as x
                                where p_event_commit[x.e] <= p_key_commit[i] and p_event_tenant[x.e] = p_key_log[i]), 0);
      end loop;
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
    if p_key_commit is not null then
      insert into commands (tenant_id, key_hash, fingerprint, command_id, seq, stream_tenant, stream_type, stream_id,
                            version, aside, refusal, at)
        select p_tenants[p_key_tenant[x.i]], p_key_hash[x.i], p_key_fingerprint[x.i], p_key_command[x.i],
               coalesce(p_key_seq[x.i], heads[p_key_log[x.i]] + key_nth[x.i]),
               p_key_stream_tenant[x.i], p_key_stream_type[x.i], p_key_stream_id[x.i], p_key_version[x.i],
               p_key_aside[x.i], p_key_refusal[x.i], now_
        from (select generate_series(1, cardinality(p_key_commit)) as i) as x
        where accepted[p_key_commit[x.i]];
    end if;
  end if;

  insert into events (tenant_id, seq, stream_type, stream_id, version, type, schema_version, occurred_at,
                      actor_id, command_id, data, meta)
    select p_tenants[p_event_tenant[x.i]], heads[p_event_tenant[x.i]] + nth[x.i],
           p_stream_type[p_event_stream[x.i]], p_stream_id[p_event_stream[x.i]], p_event_version[x.i],
           p_event_type[x.i], p_event_schema[x.i],
           times[p_event_tenant[x.i]] + (nth[x.i] - 1) * interval '1 microsecond',
           p_event_actor[x.i], p_event_command[x.i], p_event_data[x.i], p_event_meta[x.i]
    from (select generate_series(1, cardinality(p_event_commit)) as i) as x
    where accepted is null or accepted[p_event_commit[x.i]];
end $$;
-- +goose StatementEnd

revoke execute on function append_batch from public;
grant execute on function append_batch to docket_engine;

-- +goose Down
drop function append_batch;
