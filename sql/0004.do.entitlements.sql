-- How gateways and services hear of rights: the revocation feed, and the materialized views behind bulk reads.

-- Ids show before their rows do: a reader that keeps the last id it saw misses a transaction that took its id earlier and committed later.
-- The transaction's own id has no such gap, as a snapshot tells below which one all are finished.
alter table revocations add column transaction_id xid8 not null default pg_current_xact_id();
alter table revocations add column published_at timestamptz;

create index revocations_transaction_id on revocations (transaction_id);
create index revocations_unpublished on revocations (id) where published_at is null;

alter table sessions drop constraint sessions_end_reason_check;
alter table sessions add constraint sessions_end_reason_check check (
  end_reason in (
    'logout', 'logout_everywhere', 'ended_by_user', 'refresh_reused', 'session_limit',
    'password_changed', 'password_reset', 'account_locked', 'ended_by_admin'
  )
);

-- What internal services read in bulk. A subscription that lapsed, was canceled or is missing leaves the plan of rank 0.

create materialized view mv_users_with_subscription as
select
  account.id as user_id,
  account.email,
  account.display_name,
  account.status,
  account.email_verified_at is not null as email_verified,
  role.name as role,
  role.level,
  plan.name as plan,
  plan.api_quota_per_hour as quota,
  subscription.period_ends_at,
  account.created_at
from user_accounts account
join roles role on role.id = account.role_id
left join user_subscriptions subscription
  on subscription.user_id = account.id
  and subscription.ended_at is null
  and subscription.status = 'active'
  and (subscription.period_ends_at is null or subscription.period_ends_at > now())
join subscription_plans plan
  on plan.id = coalesce(subscription.plan_id, (select id from subscription_plans where rank = 0));

create materialized view mv_user_permissions as
select
  account.id as user_id,
  array(
    select permission.name from role_permissions
    join permissions permission on permission.id = role_permissions.permission_id
    where role_permissions.role_id = account.role_id
    order by permission.name
  ) as permissions
from user_accounts account;

create materialized view mv_user_features as
select
  account.id as user_id,
  array(
    select feature.name from plan_features
    join features feature on feature.id = plan_features.feature_id
    where plan_features.plan_id = plan.id
    order by feature.name
  ) as features
from user_accounts account
left join user_subscriptions subscription
  on subscription.user_id = account.id
  and subscription.ended_at is null
  and subscription.status = 'active'
  and (subscription.period_ends_at is null or subscription.period_ends_at > now())
join subscription_plans plan
  on plan.id = coalesce(subscription.plan_id, (select id from subscription_plans where rank = 0));

-- A refresh beside readers needs these.
create unique index mv_users_with_subscription_user_id on mv_users_with_subscription (user_id);
create unique index mv_user_permissions_user_id on mv_user_permissions (user_id);
create unique index mv_user_features_user_id on mv_user_features (user_id);

-- Of which moment the views are. Not a column of theirs: each refresh would write every row for it. They are refreshed together, so there is one row.

create table view_refreshes (
  singleton boolean primary key default true check (singleton),
  as_of timestamptz not null
);

insert into view_refreshes (as_of) values (now());
