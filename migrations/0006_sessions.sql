-- +goose Up

-- Passwords and sessions are rows, not events: an event log is no place for
-- secrets. They belong to users, not tenants; only the engine role sees them.
create table credentials (
  user_id       uuid        not null,
  password_hash text        not null,
  changed_at    timestamptz not null default now(),
  constraint credentials_pk primary key (user_id)
);

create table sessions (
  id         uuid        not null,
  user_id    uuid        not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  constraint sessions_pk primary key (id)
);
create index sessions_by_user on sessions (user_id);

-- The refresh tokens of a session, the newest unused. Stored as SHA-256.
create table refresh_tokens (
  token_hash bytea       not null,
  session_id uuid        not null,
  created_at timestamptz not null default now(),
  used_at    timestamptz,
  constraint refresh_tokens_pk primary key (token_hash),
  constraint refresh_tokens_session foreign key (session_id) references sessions (id) on delete cascade
);
create index refresh_tokens_by_session on refresh_tokens (session_id);

grant select, insert, update, delete on credentials, sessions, refresh_tokens to docket_engine;

-- +goose Down
drop table refresh_tokens;
drop table sessions;
drop table credentials;
