-- Deux rôles dans la base : `erp_migrate` est propriétaire du schéma, `erp_app` (API et workers) lit et écrit des lignes sans pouvoir
-- rien changer au schéma. Peut être relancé sans crainte : fait ce qui manque, et rien d'autre. Ensuite, `erp-api migrate` sous
-- erp_migrate, avec DATABASE_APP_ROLE=erp_app, amène le schéma à jour et donne à erp_app ses droits.
--
--   MIGRATE_PASSWORD_FILE=… APP_PASSWORD_FILE=… psql -X -d <la base> -f deploy/postgres/roles.sql
--
-- sous un superutilisateur, ou sous le propriétaire actuel des tables s'il a CREATEROLE et est propriétaire de la base. Sans les deux
-- fichiers, les mots de passe restent ce qu'ils sont. D'autres noms : psql -v migrate=… -v app=…
\set ON_ERROR_STOP on
\set QUIET on
\if :{?migrate}
\else
  \set migrate erp_migrate
\endif
\if :{?app}
\else
  \set app erp_app
\endif
\set migrate_mdp `[ -z "$MIGRATE_PASSWORD_FILE" ] || cat "$MIGRATE_PASSWORD_FILE"`
\set app_mdp `[ -z "$APP_PASSWORD_FILE" ] || cat "$APP_PASSWORD_FILE"`

-- Sur un système au travail, un verrou qui se fait attendre fait attendre tout le monde derrière lui : mieux vaut échouer et relancer.
set lock_timeout = '5s';
set client_min_messages = warning;

select format('create role %I login', role) from unnest(array[:'migrate', :'app']) role
where not exists (select from pg_roles where rolname = role) \gexec
select :'migrate_mdp' <> '' as migrate_a_un_mdp, :'app_mdp' <> '' as app_a_un_mdp \gset
\if :migrate_a_un_mdp
  alter role :"migrate" password :'migrate_mdp';
\endif
\if :app_a_un_mdp
  alter role :"app" password :'app_mdp';
\endif

-- Créer dans cette base n'est plus à tout le monde ; une table temporaire non plus.
select format('revoke create, temporary on database %I from public', current_database()) \gexec
select format('grant connect, create, temporary on database %I to %I', current_database(), :'migrate') \gexec
select format('grant connect on database %I to %I', current_database(), :'app') \gexec
revoke create on schema public from public;
grant usage, create on schema public to :"migrate";
grant usage on schema public to :"app";

-- D'un rôle à deux : ce que l'ancien propriétaire a fait passe au nouveau, dont l'ancien devient membre, pour que les programmes
-- qui tournent encore sous lui continuent. (Un superutilisateur peut tout, sans cela.)
create temporary table a_passer as
  select format('alter schema %I owner to %I', n.nspname, :'migrate') as ordre, n.nspowner as ancien
  from pg_namespace n where n.nspname in ('apalis', 'queue')
  union all
  select format('alter %s %s owner to %I', case c.relkind when 'S' then 'sequence' when 'v' then 'view' else 'table' end,
           c.oid::regclass, :'migrate'), c.relowner
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'apalis', 'queue') and c.relkind in ('r', 'p', 'v', 'S')
    and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid
                      and (d.deptype = 'e' or c.relkind = 'S' and d.deptype in ('a', 'i')))
  union all
  select format('alter routine %s owner to %I', p.oid::regprocedure, :'migrate'), p.proowner
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname in ('public', 'apalis', 'queue')
    and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e');
delete from a_passer where ancien = (select oid from pg_roles where rolname = :'migrate');

select format('grant %I to %I', :'migrate', rolname) from pg_roles
where oid in (select ancien from a_passer union select oid from pg_roles where rolname = current_user)
  and not pg_has_role(oid, (select oid from pg_roles where rolname = :'migrate'), 'usage') \gexec
select ordre from a_passer \gexec

\pset tuples_only on
\pset format unaligned
select format('%s est propriétaire de %s objets de %s ; %s lit et écrit. Ensuite : erp-api migrate, sous %s.',
         :'migrate', (select count(*) from pg_class where relowner = m.oid), current_database(), :'app', :'migrate')
       || coalesce(E'\nEncore membres de ' || :'migrate' || ', à retirer quand plus rien ne tourne sous eux (revoke '
         || :'migrate' || ' from …) : ' || (select string_agg(quote_ident(r.rolname), ', ') from pg_auth_members a
           join pg_roles r on r.oid = a.member where a.roleid = m.oid), '')
from pg_roles m where m.rolname = :'migrate';

select has_schema_privilege(:'app', 'public', 'create') or has_database_privilege(:'app', current_database(), 'temporary') as trop \gset
\if :trop
  do $$ begin raise exception 'le rôle des programmes peut encore créer (schéma public ou tables temporaires) : relancer sous un superutilisateur'; end $$;
\endif
