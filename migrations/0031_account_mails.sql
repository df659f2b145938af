-- +goose Up

-- Since when a user's address is verified, and since when an operator has disabled the
-- account.
alter table credentials
  add column email_verified_at timestamptz,
  add column disabled_at timestamptz;

-- Mails of accounts that are to be sent, or were. No row has a token: it is made when the
-- mail is sent. address is as it was typed; null: the user's. recipient is the SHA-256 of
-- the compared form of an address, and bounds how many mails it gets.
create table account_mails (
  id            uuid        not null,
  kind          text        not null,
  user_id       uuid,
  address       text,
  recipient     bytea,
  created_at    timestamptz not null default now(),
  expires_at    timestamptz not null,
  next_at       timestamptz not null default now(),
  attempts      integer     not null default 0,
  finished_at   timestamptz,
  constraint account_mails_pk primary key (id),
  constraint account_mails_kind check (kind in ('verify', 'reset', 'notice'))
);
create index account_mails_due on account_mails (next_at) where finished_at is null;
create index account_mails_recipient on account_mails (recipient, kind, created_at);
create index account_mails_ended on account_mails (expires_at);

-- The tokens of these mails, as SHA-256.
create table account_tokens (
  token_hash    bytea       not null,
  kind          text        not null,
  user_id       uuid        not null,
  created_at    timestamptz not null default now(),
  expires_at    timestamptz not null,
  used_at       timestamptz,
  constraint account_tokens_pk primary key (token_hash),
  constraint account_tokens_kind check (kind in ('verify', 'reset'))
);
create index account_tokens_by_user on account_tokens (user_id, kind);
create index account_tokens_ended on account_tokens (expires_at);

-- Whether a tenant's members need a verified address to write.
alter table tenants add column require_verified_email boolean not null default false;

-- The engine role alone sees them.
alter table account_mails  enable row level security, force row level security;
alter table account_tokens enable row level security, force row level security;
create policy engine_all on account_mails  to docket_engine using (true) with check (true);
create policy engine_all on account_tokens to docket_engine using (true) with check (true);

grant select, insert, update, delete on account_mails, account_tokens to docket_engine;

-- +goose Down
alter table tenants drop column require_verified_email;
drop table account_tokens;
drop table account_mails;
alter table credentials drop column disabled_at, drop column email_verified_at;
