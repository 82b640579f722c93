-- no-transaction
create index concurrently if not exists documents_size_bytes_idx on documents (size_bytes, id)
