drop trigger recherche on interventions;
drop function interventions_recherche();
