-- Subscriptions that a billing service changes.

alter table user_subscriptions add column cancel_at_period_end boolean not null default false
  check (not cancel_at_period_end or period_ends_at is not null);

-- For lists by plan, by status and by both, the newest first.
drop index user_subscriptions_plan_id;
create index user_subscriptions_plan_id on user_subscriptions (plan_id, id);
create index user_subscriptions_status on user_subscriptions (status, id);
create index user_subscriptions_plan_id_status on user_subscriptions (plan_id, status, id);

-- What was applied, so that an event that comes again is answered and not applied again.

create table billing_events (
  client_id text not null check (length(client_id) <= 63),
  event_id text not null check (length(event_id) between 1 and 200),
  user_id uuid not null references user_accounts on delete cascade,
  occurred_at timestamptz not null,
  content_hash bytea not null check (octet_length(content_hash) = 32),
  created_at timestamptz not null default now(),
  primary key (client_id, event_id)
);

create index billing_events_user_id on billing_events (user_id, occurred_at);
