-- One fingerprint of the schema. Every change of a definition writes a new row version of a
-- catalog, whose `xmin` is new, and copying a database keeps all of them. Of `pg_class` the oids
-- must do: `truncate` writes there, too. Objects below 16384 came with the server.
select md5(concat_ws(' ',
    (select (count(*), sum(oid::bigint)) from pg_class where oid >= 16384 and relpersistence <> 't'),
    (select (count(*), sum(a.xmin::text::bigint))
     from pg_attribute a join pg_class c on c.oid = a.attrelid
     where a.attrelid >= 16384 and c.relpersistence <> 't'),
    (select (count(*), sum(xmin::text::bigint)) from pg_constraint where oid >= 16384),
    (select (count(*), sum(xmin::text::bigint)) from pg_trigger where oid >= 16384),
    (select (count(*), sum(xmin::text::bigint)) from pg_proc where oid >= 16384)
))
