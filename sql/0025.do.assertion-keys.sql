-- Code since schema 24.
--
-- Keys by which gateways sign assertions, as signing_keys are those of tokens. A table of its own:
-- no verifier of tokens may take a key of assertions. Code of schema 24 leaves it alone.

create table assertion_keys (
  kid text primary key check (kid ~ '^[A-Za-z0-9_-]{8,64}$'),
  state text not null check (state in ('published', 'signing', 'retiring')),
  state_since timestamptz not null default now(),
  public_jwk jsonb not null,
  -- Encrypted with KEY_ENCRYPTION_KEY (AES-256-GCM).
  sealed_private_jwk bytea not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create unique index assertion_keys_signing on assertion_keys (state) where state = 'signing';

create trigger set_updated_at before update on assertion_keys for each row execute function set_updated_at();
