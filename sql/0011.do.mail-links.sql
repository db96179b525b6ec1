-- Code since schema 9.
--
-- A mail with a link is of no use after the link expired. Code of schema 9 writes none and sends it all the same.

alter table mail_outbox add column expires_at timestamptz;

-- As reset_requests: who asks for another verification link is looked up behind the answer, not before it. A table of its
-- own, as code of schema 9 answers each row of the other one by a reset link.

create table verification_requests (
  id bigint generated always as identity primary key,
  email text not null check (length(email) <= 254),
  ip inet,
  user_agent text check (length(user_agent) <= 512),
  request_id text not null check (length(request_id) <= 128),
  created_at timestamptz not null default now()
);
