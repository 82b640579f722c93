-- What the nightly reconciler found when it last looked: rows of the business without a job, and jobs without a subject.
create table reconciliations (
    finding text primary key,
    run text not null, -- the job that looked
    found integer not null,
    mended integer not null,
    checked_at timestamptz not null
);
insert into schedules (name, cron, timezone) values ('maintenance.reconcile', '30 3 * * *', 'Africa/Casablanca');
