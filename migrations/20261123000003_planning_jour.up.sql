-- What a planning returns to, in the local time of Morocco, and prochaine_date alone does not say: a visit of the 31st is
-- held on 28 February and on 31 March, one at 02:30 is held an hour later on the night when the clocks go forward.
-- Null: what prochaine_date says.
alter table plannings
    add column jour smallint constraint plannings_jour_check check (jour between 1 and 31),
    add column heure time;
