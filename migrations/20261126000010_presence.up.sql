-- Since when a process has been heard of without a gap, by the clock of the database: only such a one may hold others for
-- dead. A version of before, which does not know the column, leaves it at its start.
alter table apalis.workers add column heard_since timestamptz not null default now();
