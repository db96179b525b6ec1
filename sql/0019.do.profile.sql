-- Code since schema 18.
--
-- Members of the profile that users set themselves. Code of schema 18 leaves them alone.

alter table user_accounts
  -- A language tag (BCP 47).
  add column locale text check (length(locale) <= 35),
  -- The name of a time zone (IANA).
  add column time_zone text check (length(time_zone) <= 64),
  add column user_metadata jsonb not null default '{}';
