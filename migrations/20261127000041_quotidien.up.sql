-- What an intervention costs by its estimate, and what the report of its technicien says: centimes, minutes, satisfaction from
-- 1 to 5. What a document shows, and when somebody signed in last.
-- Columns that may be empty and have no default are added without a look at the rows; the checks look at them in the next
-- migration, under a lock that keeps nobody from writing.
alter table interventions
    add column cout_estime bigint,
    add column travaux_realises text,
    add column recommandations text,
    add column temps_deplacement integer,
    add column satisfaction smallint;
alter table interventions
    add constraint interventions_cout_estime_check check (cout_estime >= 0) not valid,
    add constraint interventions_temps_deplacement_check check (temps_deplacement >= 0) not valid,
    add constraint interventions_satisfaction_check check (satisfaction between 1 and 5) not valid;
alter table documents add column description text;
alter table users add column last_login timestamptz;
-- Of sign-ins before, as far as their sessions are still kept.
update users set last_login = s.dernier
from (select user_id, max(created_at) as dernier from sessions group by user_id) s
where s.user_id = users.id;
