-- no-transaction
create index concurrently if not exists documents_date_upload_idx on documents (date_upload, id)
