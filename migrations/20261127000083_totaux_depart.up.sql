-- What was there before the triggers. One statement sees the interventions and the totals at the same instant: what the
-- triggers have counted until then is subtracted, and what they count afterwards is added.
insert into interventions_totaux (statut, priorite, n)
select statut, priorite, sum(n)
from (
    select statut, priorite, count(*) as n from interventions group by statut, priorite
    union all
    select statut, priorite, -n from interventions_totaux
) as depart
group by statut, priorite
having sum(n) <> 0;
