-- no-transaction
create index concurrently if not exists interventions_recherche_idx on interventions using gin (recherche gin_trgm_ops)
