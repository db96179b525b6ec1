-- Code since schema 14.
--
-- Late replays of the session with no normal refresh between them, and the token that the last of
-- them returned (0: none). The rotation of a newer token is a normal refresh. Code of schema 14
-- counts those of 24 hours only.

alter table sessions
  add column late_replays_in_a_row integer not null default 0,
  add column late_successor_id bigint not null default 0;
