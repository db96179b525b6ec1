insert into roles (name, level, description) values
  ('guest', 0, 'May look at their own profile'),
  ('user', 10, 'An ordinary account'),
  ('subscriber', 50, 'A paying account'),
  ('admin', 90, 'Runs the product'),
  ('superadmin', 100, 'Runs the admins')
on conflict (name) do nothing;

insert into permissions (name, description) values
  ('profile.read', 'See their own profile'),
  ('profile.write', 'Change their own profile'),
  ('dashboard.read', 'See the dashboard and its reports'),
  ('analytics.read', 'See analytics'),
  ('reports.export', 'Export reports'),
  ('users.read', 'See all accounts'),
  ('users.manage', 'Lock, unlock and change accounts'),
  ('roles.manage', 'Change what a role may do'),
  ('subscriptions.manage', 'Change plans and subscriptions'),
  ('audit.read', 'See the audit log, login attempts and refused requests'),
  ('system.manage', 'See and run upkeep')
on conflict (name) do nothing;

-- Each permission belongs to every role from a level up.
insert into role_permissions (role_id, permission_id)
select roles.id, permissions.id
from (values
  ('profile.read', 0),
  ('profile.write', 10),
  ('dashboard.read', 10),
  ('analytics.read', 50),
  ('reports.export', 50),
  ('users.read', 90),
  ('users.manage', 90),
  ('subscriptions.manage', 90),
  ('audit.read', 90),
  ('roles.manage', 100),
  ('system.manage', 100)
) as granted (permission, from_level)
join permissions on permissions.name = granted.permission
join roles on roles.level >= granted.from_level
on conflict do nothing;

insert into subscription_plans (name, title, rank, price_cents_per_month, api_quota_per_hour) values
  ('free', 'Free', 0, 0, 1000),
  ('starter', 'Starter', 1, 900, 5000),
  ('pro', 'Pro', 2, 2900, 20000),
  ('business', 'Business', 3, 9900, 50000),
  ('enterprise', 'Enterprise', 4, 49900, 200000)
on conflict (name) do nothing;

insert into features (name, description) values
  ('basic_dashboard', 'The dashboard'),
  ('profile_customization', 'Own picture and theme'),
  ('email_notifications', 'Notices by mail'),
  ('api_access', 'Call the API from own programs'),
  ('data_export', 'Take the data along'),
  ('email_support', 'Support by mail'),
  ('premium_dashboard', 'Live reports'),
  ('advanced_analytics', 'Cohorts, funnels, retention'),
  ('custom_reports', 'Reports of their own'),
  ('webhooks', 'Events sent to own servers'),
  ('team_workspaces', 'Several people in one account'),
  ('priority_support', 'Support within the hour'),
  ('audit_export', 'The audit log as a file'),
  ('single_sign_on', 'Sign in with the company account')
on conflict (name) do nothing;

-- Each feature belongs to every plan from a rank up.
insert into plan_features (plan_id, feature_id)
select subscription_plans.id, features.id
from (values
  ('basic_dashboard', 0),
  ('profile_customization', 0),
  ('email_notifications', 0),
  ('api_access', 1),
  ('data_export', 1),
  ('email_support', 1),
  ('premium_dashboard', 2),
  ('advanced_analytics', 2),
  ('custom_reports', 2),
  ('webhooks', 2),
  ('team_workspaces', 3),
  ('priority_support', 3),
  ('audit_export', 3),
  ('single_sign_on', 4)
) as included (feature, from_rank)
join features on features.name = included.feature
join subscription_plans on subscription_plans.rank >= included.from_rank
on conflict do nothing;
