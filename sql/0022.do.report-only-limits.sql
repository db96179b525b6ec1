-- Code since schema 21.
--
-- Requests that a limit in report-only mode would have rejected. Code of schema 21 stores none.

alter table rate_limit_logs add column report_only boolean not null default false;
