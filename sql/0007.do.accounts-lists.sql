-- The list of accounts, by address: in the collation "C" one index serves the order and the search by prefix.

create index user_accounts_list on user_accounts ((lower(email) collate "C"));
create index user_accounts_list_role on user_accounts (role_id, (lower(email) collate "C"));
create index user_accounts_list_disabled on user_accounts ((lower(email) collate "C")) where status = 'disabled';
