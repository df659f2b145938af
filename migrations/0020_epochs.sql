-- +goose Up

-- The histories of this database. A new one begins where events may have been lost that a
-- client has seen: a restore from a backup, a failover to a server that lacked the newest
-- commits. seqs, versions and cursors of another epoch say nothing about this one.
-- system_identifier and timeline are those of the server on which it began, null until a
-- program has looked.
create table epochs (
  number            integer     not null,
  id                uuid        not null default gen_random_uuid(),
  begun_at          timestamptz not null default clock_timestamp(),
  reason            text        not null,
  system_identifier text,
  timeline          bigint,
  recorded_at       timestamptz, -- when the last tenant's log had it
  constraint epochs_pk primary key (number),
  constraint epochs_id unique (id)
);
insert into epochs (number, reason) values (1, 'the first');

alter table epochs enable row level security, force row level security;
create policy engine_all on epochs to docket_engine using (true) with check (true);
grant select, insert, update (system_identifier, timeline, recorded_at) on epochs to docket_engine;

-- +goose Down
drop table epochs;
