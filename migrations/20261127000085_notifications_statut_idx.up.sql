-- no-transaction
-- The notifications that are not over, and those that failed: few, however long the table.
create index concurrently if not exists notifications_statut_idx on notifications (statut, id)
    where statut in ('en_file', 'echouee', 'incertaine')
