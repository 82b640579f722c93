-- no-transaction
-- Counts the rows of a list with both filters; each has an index of its own, which reads all rows of that value.
create index concurrently if not exists interventions_type_priorite_idx on interventions (type, priorite)
