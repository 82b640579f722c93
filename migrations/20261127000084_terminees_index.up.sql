-- no-transaction
-- What the dashboard counts by month, and the mean time of repairs, without a look at the rows.
create index concurrently if not exists interventions_terminees_idx on interventions (date_cloture, type, date_creation)
    where statut in ('cloturee', 'archivee')
