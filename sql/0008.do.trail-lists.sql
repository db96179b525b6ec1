-- The log of refused requests as a list by time that goes on from the last row's (created_at, id), as those of 0006 do.

drop index rate_limit_logs_created_at;
drop index rate_limit_logs_key;

create index rate_limit_logs_created_at on rate_limit_logs (created_at, id);
create index rate_limit_logs_key on rate_limit_logs (limit_key, created_at, id);
create index rate_limit_logs_class on rate_limit_logs (limit_class, created_at, id);

-- Services look accounts up by their address.
create index mv_users_with_subscription_email on mv_users_with_subscription (lower(email));
