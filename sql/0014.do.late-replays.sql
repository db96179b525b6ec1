-- Code since schema 13.
--
-- When spent refresh tokens of the session were answered after their grace window, in the last
-- 24 hours. Code of schema 13 answers none.

alter table sessions add column late_replays timestamptz[] not null default '{}';
