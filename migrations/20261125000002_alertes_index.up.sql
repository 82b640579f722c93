-- Row by row first, then the two indexes: they hold few rows, and a million interventions are scanned in 0.15 s.

-- What was late before anybody was told of such things is in the digest, and is told of no more.
update interventions set retard_signale = date_limite
    where statut in ('ouverte', 'affectee', 'en_cours', 'en_attente') and date_limite < now();
update interventions set sla_niveau = 3
    where statut in ('ouverte', 'affectee', 'en_cours', 'en_attente') and technicien_id is null
      and date_creation < now() - interval '28 days';
update interventions set attente_depuis = now()
    where statut = 'en_attente' and technicien_id is null;
-- One intervention for each due date of a planning, whatever happens.
create unique index interventions_echeance_key on interventions (planning_id, echeance) where echeance is not null;
-- Those that wait for somebody.
create index interventions_sans_technicien_idx on interventions (date_creation)
    where technicien_id is null and statut in ('ouverte', 'affectee', 'en_cours', 'en_attente');
