delete from schedules
where name in ('planning.generate', 'interventions.retard', 'interventions.sla', 'planning.rappel', 'digest.quotidien');
drop table calendriers;
drop table preferences;
drop table envoi_notifications;
drop table envois;
drop table evenements_notifies;
drop index notifications_planning_id_idx;
alter table notifications drop column planning_id;
alter table plannings drop column rappel_signale;
alter table interventions
    drop column rappel_signale, drop column retard_signale_le, drop column retard_signale, drop column sla_niveau,
    drop column attente_secondes, drop column attente_depuis,
    drop column prise_en_charge_secondes, drop column prise_en_charge_le, drop column echeance;
alter table users drop column langue;
