-- Lockout, sessions that end for many reasons, revocations, mail, keys that rotate, and services as clients.

alter table user_accounts add column password_changed_at timestamptz not null default now();

-- Tries at a password, counted before they are evaluated, by the digest of the address that was said: an address without an account
-- is counted like any other, so that nobody learns from the cost of a try whether there is one. Strangers share the row of the zero
-- device; a device that signed in before has its own. A row is locked while its window lasts and its tries are used up.

create table login_counters (
  address_hash bytea not null check (octet_length(address_hash) = 32),
  device_id uuid not null,
  tries integer not null check (tries > 0),
  window_ends_at timestamptz not null,
  locked_at timestamptz,
  primary key (address_hash, device_id)
);

create index login_counters_window_ends_at on login_counters (window_ends_at);

alter table login_attempts drop constraint login_attempts_reason_check;
alter table login_attempts add constraint login_attempts_reason_check check (
  reason in ('unknown_account', 'wrong_password', 'account_disabled', 'account_locked', 'email_unverified')
);

alter table sessions drop constraint sessions_end_reason_check;
alter table sessions add constraint sessions_end_reason_check check (
  end_reason in (
    'logout', 'logout_everywhere', 'ended_by_user', 'refresh_reused', 'session_limit',
    'password_changed', 'password_reset', 'account_disabled', 'ended_by_admin'
  )
);

-- What the gateways must hear of, written in the transaction of its cause (I3). A session: its tokens are no good any more.
-- A user, role or plan: tokens made from an epoch below this one are stale. A row matters as long as a token of its time lives.

create table revocations (
  id bigint generated always as identity primary key,
  scope text not null check (scope in ('session', 'user', 'role', 'plan')),
  subject text not null check (length(subject) <= 64),
  epoch integer check (epoch >= 0),
  created_at timestamptz not null default now(),
  check ((scope = 'session') = (epoch is null))
);

create index revocations_created_at on revocations (created_at);

-- Mail waits here until a server has taken it, so that one that fails loses nothing. Bodies hold links that are secrets, so they are
-- sealed with KEY_ENCRYPTION_KEY, and the row goes when the mail has.

create table mail_outbox (
  id bigint generated always as identity primary key,
  recipient text not null check (length(recipient) <= 254),
  subject text not null,
  sealed_body bytea not null,
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  last_error text,
  created_at timestamptz not null default now()
);

create index mail_outbox_next_attempt_at on mail_outbox (next_attempt_at);

-- published: verifies, does not sign yet. signing: signs. retiring: still verifies what it signed. Then it is gone.

alter table signing_keys add column state_since timestamptz not null default now();

-- Services that sign in as themselves (RFC 6749, client credentials).

create table oauth_clients (
  id text primary key check (id ~ '^[a-z][a-z0-9-]{2,62}$'),
  secret_hash bytea not null check (octet_length(secret_hash) = 32),
  scopes text[] not null check (cardinality(scopes) > 0),
  disabled_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create trigger set_updated_at before update on oauth_clients for each row execute function set_updated_at();
