-- Code since schema 17.
--
-- Accounts of another system. Code of schema 17 rejects passwords that it cannot verify: 401.

alter table user_accounts
  -- The id in that system.
  add column external_id text check (length(external_id) between 1 and 200),
  -- Set by the product, not by the user.
  add column product_metadata jsonb not null default '{}',
  -- null: the account has no password. A prefix names the scheme: $2 is ours, foreign: is another
  -- system's, verifier: is left to that system.
  alter column password_hash drop not null;

create unique index user_accounts_external_id on user_accounts (external_id) where external_id is not null;

-- Each account as it was imported last. A later import changes what is still so, and nothing that
-- was changed since. Secrets are digests.

create table account_imports (
  user_id uuid primary key references user_accounts on delete cascade,
  imported jsonb not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create trigger set_updated_at before update on account_imports for each row execute function set_updated_at();

-- Secrets of TOTP (RFC 6238: SHA-1, six digits, 30 s), encrypted with KEY_ENCRYPTION_KEY.

create table totp_secrets (
  user_id uuid primary key references user_accounts on delete cascade,
  encrypted_secret bytea not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create trigger set_updated_at before update on totp_secrets for each row execute function set_updated_at();
