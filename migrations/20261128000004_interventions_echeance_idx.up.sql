-- no-transaction
-- Finds the visits that were due in a period, for the indicators; the key of a planning's visits begins with the planning.
create index concurrently if not exists interventions_echeance_idx on interventions (echeance) where echeance is not null
