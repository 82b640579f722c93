-- no-transaction
alter table interventions
    validate constraint interventions_cout_estime_check,
    validate constraint interventions_temps_deplacement_check,
    validate constraint interventions_satisfaction_check
