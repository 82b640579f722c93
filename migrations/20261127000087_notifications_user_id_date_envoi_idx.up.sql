-- no-transaction
create index concurrently if not exists notifications_user_id_date_envoi_idx on notifications (user_id, date_envoi, id)
