drop table appareils;
-- A mail that says nothing but this has nothing to say any more.
update envois set statut = 'annulee' where avis is not null and statut in ('en_file', 'en_transmission');
alter table envois drop column avis;
