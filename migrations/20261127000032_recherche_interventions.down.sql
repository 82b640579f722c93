drop trigger recherche on interventions;
drop function interventions_recherche();
alter table interventions drop column recherche;
