-- no-transaction
-- Orders of lists that a person chooses.
create index concurrently if not exists notifications_date_envoi_idx on notifications (date_envoi, id)
