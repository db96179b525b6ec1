-- Code since schema 18.
--
-- The role of new accounts is a row's, so that a product may name its roles as it likes. Code of
-- schema 22 gives new accounts the role `user`: a catalogue without it is applied when no origin
-- of that code runs.

alter table roles add column is_default boolean not null default false;

update roles set is_default = true where name = 'user';

create unique index roles_default on roles (is_default) where is_default;
