drop trigger nom_cle on competences;
drop trigger nom_cle on equipements;
drop function nom_cle();
alter table competences drop column nom_cle;
drop index equipements_nom_francais_idx;
alter table equipements drop column nom_cle, drop column recherche;
drop function motif(text);
drop function recherche(text);
-- unaccent stays: something else in the database may have come to use it.
