-- no-transaction
-- Écluse before Fuite, whatever the locale of the cluster. The index of the old order stays for the programs of before.
create index concurrently if not exists interventions_titre_francais_idx on interventions (titre collate "fr-x-icu", id)
