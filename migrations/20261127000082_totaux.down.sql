drop trigger totaux_vide on interventions;
drop trigger totaux_etape on interventions;
drop trigger totaux_ligne on interventions;
drop function interventions_totaux_tenir();
drop table interventions_totaux;
