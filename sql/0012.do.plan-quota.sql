-- Code since schema 9.
--
-- A plan allows a request a minute at least. With fewer, nobody on the plan could work, the admin who set it among them.
-- Plans below it are raised to it; their tokens are stale at once, and the audit log says what was before.

with raised as (
  update subscription_plans plan set api_quota_per_hour = 60, epoch = plan.epoch + 1
  from subscription_plans before
  where before.id = plan.id and before.api_quota_per_hour < 60
  returning plan.name, plan.epoch, before.api_quota_per_hour as quota_before
),
told as (
  insert into revocations (scope, subject, epoch) select 'plan', name, epoch from raised
)
insert into audit_logs (action, details)
select 'plan.changed', jsonb_build_object(
  'plan', name,
  'before', jsonb_build_object('api_quota_per_hour', quota_before),
  'after', jsonb_build_object('api_quota_per_hour', 60),
  'reason', 'migration 12'
)
from raised;

alter table subscription_plans
  drop constraint subscription_plans_api_quota_per_hour_check,
  add constraint subscription_plans_api_quota_per_hour_check check (api_quota_per_hour >= 60);
