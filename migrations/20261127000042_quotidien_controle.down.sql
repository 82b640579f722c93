-- What was looked at is looked at again on the way up.
alter table interventions
    drop constraint interventions_cout_estime_check,
    drop constraint interventions_temps_deplacement_check,
    drop constraint interventions_satisfaction_check;
alter table interventions
    add constraint interventions_cout_estime_check check (cout_estime >= 0) not valid,
    add constraint interventions_temps_deplacement_check check (temps_deplacement >= 0) not valid,
    add constraint interventions_satisfaction_check check (satisfaction between 1 and 5) not valid;
