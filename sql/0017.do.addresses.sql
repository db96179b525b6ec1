-- Code since schema 9.
--
-- Accounts are told apart by the lower case of their address in ASCII, which is the same in every
-- locale. Code of schema 16 and before uses the indexes of lower(email): a later release drops
-- these.

create unique index if not exists user_accounts_address on user_accounts (lower(email collate "C"));
create index if not exists user_accounts_address_role on user_accounts (role_id, lower(email collate "C"));
create index if not exists user_accounts_address_disabled on user_accounts (lower(email collate "C")) where status = 'disabled';
create index if not exists mv_users_with_subscription_address on mv_users_with_subscription (lower(email collate "C"));
