-- no-transaction
create index concurrently if not exists documents_filename_francais_idx on documents (filename collate "fr-x-icu", id)
