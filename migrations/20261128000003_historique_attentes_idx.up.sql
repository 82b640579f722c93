-- no-transaction
-- When interventions waited: the indicators take that time off. Few lines say so, among all that an intervention has; with their time in the
-- index, none of them is read.
create index concurrently if not exists historique_en_attente_idx on historique (intervention_id, id) include (horodatage)
    where statut = 'en_attente'
