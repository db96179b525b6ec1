-- Code since schema 28.
--
-- Two secrets of a client work while it changes over from one to the other. Code of schema 28 takes
-- the new one alone.

alter table oauth_clients
  -- The secret before the current one, and until when it works.
  add column previous_secret_hash bytea check (octet_length(previous_secret_hash) = 32),
  add column previous_secret_ends_at timestamptz,
  -- When the client authenticated with it last, to the minute.
  add column previous_secret_used_at timestamptz,
  -- null: the secret is the one that the client was made with.
  add column secret_changed_at timestamptz,
  -- When the client authenticated last, to the minute.
  add column last_used_at timestamptz,
  add constraint oauth_clients_previous_secret check (
    (previous_secret_hash is null) = (previous_secret_ends_at is null)
  );
