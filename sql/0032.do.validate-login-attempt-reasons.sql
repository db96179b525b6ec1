-- Code since schema 28.
--
-- The reasons of factors were added to `login_attempts` without a scan of the table, which would
-- have held an exclusive lock. This scan runs while rows are read and written.

alter table login_attempts validate constraint login_attempts_reason_check;
