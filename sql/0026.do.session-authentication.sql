-- Code since schema 25.
--
-- How the user of a session was authenticated: methods (RFC 8176), and the level that they reached
-- when. Code of schema 25 opens sessions by a password, and leaves the time out: it is that of the
-- session.

alter table sessions
  add column amr text[] not null default '{pwd}',
  add column acr text not null default 'aal1' check (acr in ('aal1', 'aal2')),
  add column authenticated_at timestamptz;
