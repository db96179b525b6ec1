-- Thirteen base tables. Times are timestamptz and come from the database's clock.

create function set_updated_at() returns trigger language plpgsql as $$
begin
  new.updated_at := now();
  return new;
end
$$;

-- Roles and permissions. `epoch` rises in the transaction that changes what the row grants: a token made from an older value is stale.

create table roles (
  id smallint generated always as identity primary key,
  name text not null unique check (name ~ '^[a-z][a-z_]{1,39}$'),
  level smallint not null check (level between 0 and 100),
  description text not null,
  epoch integer not null default 0 check (epoch >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table permissions (
  id smallint generated always as identity primary key,
  name text not null unique check (name ~ '^[a-z_]{2,30}\.[a-z_]{2,30}$'),
  description text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table role_permissions (
  role_id smallint not null references roles on delete cascade,
  permission_id smallint not null references permissions on delete cascade,
  primary key (role_id, permission_id)
);

create index role_permissions_permission_id on role_permissions (permission_id);

-- Plans and features. `rank` orders the plans from the cheapest up; rank 0 is what an account without a live subscription has.

create table subscription_plans (
  id smallint generated always as identity primary key,
  name text not null unique check (name ~ '^[a-z][a-z_]{1,39}$'),
  title text not null,
  rank smallint not null unique check (rank >= 0),
  price_cents_per_month integer not null check (price_cents_per_month >= 0),
  currency text not null default 'EUR' check (currency ~ '^[A-Z]{3}$'),
  api_quota_per_hour integer not null check (api_quota_per_hour > 0),
  epoch integer not null default 0 check (epoch >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table features (
  id smallint generated always as identity primary key,
  name text not null unique check (name ~ '^[a-z][a-z_]{1,39}$'),
  description text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table plan_features (
  plan_id smallint not null references subscription_plans on delete cascade,
  feature_id smallint not null references features on delete cascade,
  primary key (plan_id, feature_id)
);

create index plan_features_feature_id on plan_features (feature_id);

-- Accounts.

create table user_accounts (
  id uuid primary key default gen_random_uuid(),
  email text not null check (length(email) between 3 and 254),
  password_hash text not null,
  display_name text check (length(display_name) between 1 and 80),
  role_id smallint not null references roles,
  status text not null default 'active' check (status in ('active', 'disabled')),
  email_verified_at timestamptz,
  epoch integer not null default 0 check (epoch >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create unique index user_accounts_email on user_accounts (lower(email));
create index user_accounts_role_id on user_accounts (role_id);

-- One row per subscription ever held; the one without `ended_at` is the current one.
-- It counts while it is active and its period has not passed: no job has to notice that it lapsed.

create table user_subscriptions (
  id bigint generated always as identity primary key,
  user_id uuid not null references user_accounts on delete cascade,
  plan_id smallint not null references subscription_plans,
  status text not null default 'active' check (status in ('active', 'past_due', 'canceled')),
  period_started_at timestamptz not null default now(),
  period_ends_at timestamptz check (period_ends_at > period_started_at),
  ended_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create unique index user_subscriptions_current on user_subscriptions (user_id) where ended_at is null;
create index user_subscriptions_history on user_subscriptions (user_id, created_at);
create index user_subscriptions_plan_id on user_subscriptions (plan_id) where ended_at is null;

-- A session is one sign-in on one device; it owns a chain of refresh tokens.

create table sessions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references user_accounts on delete cascade,
  ip inet,
  user_agent text check (length(user_agent) <= 512),
  last_used_at timestamptz not null default now(),
  expires_at timestamptz not null,
  ended_at timestamptz,
  end_reason text check (end_reason in ('logout', 'refresh_reused')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((ended_at is null) = (end_reason is null))
);

create index sessions_live on sessions (user_id, last_used_at) where ended_at is null;
create index sessions_expires_at on sessions (expires_at);

-- Secrets handed out, kept only as SHA-256. A spent row stays until it expires: it is how reuse is told from an unknown token.

create table tokens (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('refresh', 'password_reset', 'email_verification')),
  user_id uuid not null references user_accounts on delete cascade,
  session_id uuid references sessions on delete cascade,
  token_hash bytea not null unique check (octet_length(token_hash) = 32),
  ip inet,
  user_agent text check (length(user_agent) <= 512),
  expires_at timestamptz not null,
  spent_at timestamptz,
  created_at timestamptz not null default now(),
  check ((kind = 'refresh') = (session_id is not null))
);

create index tokens_session_id on tokens (session_id);
create index tokens_user_id on tokens (user_id);
create index tokens_expires_at on tokens (expires_at);

-- What happened. These only grow; upkeep removes what is old.

create table login_attempts (
  id bigint generated always as identity primary key,
  email text not null check (length(email) <= 254),
  user_id uuid references user_accounts on delete set null,
  ip inet,
  user_agent text check (length(user_agent) <= 512),
  succeeded boolean not null,
  reason text check (reason in ('unknown_account', 'wrong_password', 'account_disabled')),
  created_at timestamptz not null default now(),
  check (succeeded = (reason is null))
);

create index login_attempts_email on login_attempts (lower(email), created_at);
create index login_attempts_ip on login_attempts (ip, created_at);
create index login_attempts_user_id on login_attempts (user_id, created_at);
create index login_attempts_created_at on login_attempts (created_at);

create table rate_limit_logs (
  id bigint generated always as identity primary key,
  limit_class text not null,
  limit_key text not null check (length(limit_key) <= 200),
  method text not null,
  route text not null,
  refused integer not null default 1 check (refused > 0),
  created_at timestamptz not null default now()
);

create index rate_limit_logs_created_at on rate_limit_logs (created_at);
create index rate_limit_logs_key on rate_limit_logs (limit_key, created_at);

-- `user_id` is the account it concerns, `actor_id` the account that did it. Neither is a foreign key: the trail outlives the account.

create table audit_logs (
  id bigint generated always as identity primary key,
  action text not null check (action ~ '^[a-z_]+\.[a-z_]+$'),
  actor_id uuid,
  user_id uuid,
  session_id uuid,
  ip inet,
  user_agent text check (length(user_agent) <= 512),
  request_id text check (length(request_id) <= 128),
  details jsonb not null default '{}',
  created_at timestamptz not null default now()
);

create index audit_logs_created_at on audit_logs (created_at);
create index audit_logs_user_id on audit_logs (user_id, created_at);
create index audit_logs_actor_id on audit_logs (actor_id, created_at);
create index audit_logs_action on audit_logs (action, created_at);

-- The origin's signing keys. The private half is sealed with KEY_ENCRYPTION_KEY (AES-256-GCM) before it gets here.

create table signing_keys (
  kid text primary key check (kid ~ '^[A-Za-z0-9_-]{8,64}$'),
  state text not null check (state in ('published', 'signing', 'retiring')),
  public_jwk jsonb not null,
  sealed_private_jwk bytea not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create unique index signing_keys_signing on signing_keys (state) where state = 'signing';

create trigger set_updated_at before update on roles for each row execute function set_updated_at();
create trigger set_updated_at before update on permissions for each row execute function set_updated_at();
create trigger set_updated_at before update on subscription_plans for each row execute function set_updated_at();
create trigger set_updated_at before update on features for each row execute function set_updated_at();
create trigger set_updated_at before update on user_accounts for each row execute function set_updated_at();
create trigger set_updated_at before update on user_subscriptions for each row execute function set_updated_at();
create trigger set_updated_at before update on sessions for each row execute function set_updated_at();
create trigger set_updated_at before update on signing_keys for each row execute function set_updated_at();
