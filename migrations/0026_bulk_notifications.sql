-- +goose Up

-- Of how many events of one bulk request a notification tells, and the seq of the last, so
-- that an event that is handled again isn't counted again. Of other requests each event has
-- its own notification.
alter table notifications
  add column events integer not null default 1,
  add column last_seq bigint;

-- +goose Down
alter table notifications drop column last_seq, drop column events;
