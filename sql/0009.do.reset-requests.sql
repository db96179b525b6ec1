-- Who forgot a password is looked up behind the answer, not before it: what a request costs tells nobody whether the address has an account.

create table reset_requests (
  id bigint generated always as identity primary key,
  email text not null check (length(email) <= 254),
  ip inet,
  user_agent text check (length(user_agent) <= 512),
  request_id text not null check (length(request_id) <= 128),
  created_at timestamptz not null default now()
);
