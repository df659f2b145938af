-- +goose Up

-- The version of the tenant whose settings the row has: the events after it say what a
-- message needs to know when it leaves. 0: all events do.
alter table tenant_channels add column version integer not null default 0;

-- withdrawn: when it was due, its recipient had left, or what it tells of was deleted, or
-- the tenant no longer used the channel. capped: beyond the operator's limits.
alter table deliveries
  drop constraint deliveries_state,
  add constraint deliveries_state check (state in ('queued', 'sent', 'dead', 'withdrawn', 'capped'));

-- How many messages a tenant has sent to a recipient over a channel, by the hour. Hours
-- that no limit reads are deleted when the recipient gets another message.
create table delivery_counts (
  tenant_id uuid        not null,
  user_id   uuid        not null,
  channel   text        not null,
  hour      timestamptz not null,
  sent      integer     not null,
  constraint delivery_counts_pk primary key (tenant_id, user_id, channel, hour)
);

-- Until when a receiver has asked to get nothing, and the secret that is its address.
create table delivery_pauses (
  tenant_id uuid        not null,
  channel   text        not null,
  receiver  uuid        not null,
  until     timestamptz not null,
  constraint delivery_pauses_pk primary key (tenant_id, channel)
);
create index delivery_pauses_until on delivery_pauses (channel, until);

alter table delivery_counts enable row level security, force row level security;
alter table delivery_pauses enable row level security, force row level security;
create policy engine_all on delivery_counts to docket_engine using (true) with check (true);
create policy engine_all on delivery_pauses to docket_engine using (true) with check (true);
grant select, insert, update, delete on delivery_counts, delivery_pauses to docket_engine;

-- +goose Down
drop table delivery_pauses;
drop table delivery_counts;
alter table deliveries no force row level security;
update deliveries set state = 'dead' where state in ('withdrawn', 'capped');
alter table deliveries force row level security;
alter table deliveries
  drop constraint deliveries_state,
  add constraint deliveries_state check (state in ('queued', 'sent', 'dead'));
alter table tenant_channels drop column version;
