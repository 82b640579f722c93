//! Every migration can be reverted, and applied again with the same resulting schema, with rows in the tables.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and looks at a schema that is not ours yet"
)]

use erp_core::{
    Clock, Config, Ctx, MIGRATOR,
    auth::{self, Origin},
    config::Env,
    users,
};
use erp_dev::TestDb;
use sqlx::{AssertSqlSafe, PgPool};

const JOBS: &str = "insert into queue.jobs (id, queue, payload, max_attempts, run_at, attempts, lock_by, lock_at)
        values ('a', 'emails', '{}', 8, now(), 1, 'w', now());
    insert into queue.ended (id, queue, payload, outcome, attempts, max_attempts, rescues, ended_at, run_at, created_at)
        values ('b', 'emails', '{}', 'done', 1, 8, 0, now(), now(), now())";

/// Columns, constraints, indexes, triggers and functions, one line each.
async fn shape(pool: &PgPool) -> Vec<String> {
    let shape = "
        select 'column ' || table_schema || '.' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
            || ' ' || coalesce(column_default, '') as line
        from information_schema.columns where table_schema in ('public', 'apalis', 'queue')
        union all
        select 'index ' || indexdef from pg_indexes where schemaname in ('public', 'apalis', 'queue')
        union all
        select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
        from pg_constraint where connamespace in ('public'::regnamespace, 'apalis'::regnamespace, 'queue'::regnamespace)
        union all
        select 'trigger ' || pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
        union all
        select 'function ' || pg_get_functiondef(p.oid) from pg_proc p
        where pronamespace in ('public'::regnamespace, 'apalis'::regnamespace, 'queue'::regnamespace) and prokind = 'f' and prolang <> 13
        order by line";
    sqlx::query_scalar(shape).fetch_all(pool).await.unwrap()
}

#[tokio::test]
async fn down_and_up_again_is_the_same_schema() {
    let test_db = TestDb::new().await;
    let name = "migrations_down_and_up";
    let run = async |statement: String| {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&test_db.pool).await.unwrap();
    };
    run(format!("drop database if exists {name} with (force)")).await;
    run(format!("create database {name}")).await;
    let (start, rest) =
        test_db.url().rsplit_once('/').map(|(s, r)| (s.to_owned(), r.to_owned())).unwrap();
    let options =
        rest.split_once('?').map(|(_, options)| format!("?{options}")).unwrap_or_default();
    let pool = PgPool::connect(&format!("{start}/{name}{options}")).await.unwrap();

    erp_core::migrate(&pool).await.unwrap();
    let first = shape(&pool).await;
    assert!(first.len() > 200, "{} lines", first.len());
    let mut versions: Vec<i64> =
        MIGRATOR.iter().filter(|m| m.migration_type.is_up_migration()).map(|m| m.version).collect();
    versions.sort_unstable();
    sqlx::raw_sql(JOBS).execute(&pool).await.unwrap();
    let mut shapes = vec![first];
    // One step down at a time, to an empty schema.
    while let Some(version) = versions.pop() {
        MIGRATOR.undo(&pool, versions.last().copied().unwrap_or(0)).await.unwrap();
        shapes.push(shape(&pool).await);
        // These only write rows.
        if ![20_261_127_000_061, 20_261_127_000_083].contains(&version) {
            assert_ne!(
                shapes[shapes.len() - 1],
                shapes[shapes.len() - 2],
                "{version} changes nothing"
            );
        }
    }
    erp_core::migrate(&pool).await.unwrap();
    assert_eq!(shape(&pool).await, shapes[0]);
    let states: Vec<String> =
        sqlx::query_scalar("select state || ' ' || attempts from queue.everything order by id")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(states, ["ready 0", "done 1"], "what a worker held is ready again, at no cost");
    pool.close().await;
    run(format!("drop database {name} with (force)")).await;
}

#[tokio::test]
async fn a_table_that_is_in_use_is_waited_for_and_nobody_behind_it() {
    let test_db = TestDb::new().await;
    let pool = &test_db.pool;
    let last =
        MIGRATOR.iter().map(|m| m.version).filter(|v| *v < 20_261_125_000_001).max().unwrap();
    MIGRATOR.undo(pool, last).await.unwrap();
    // A request that takes longer than a migration waits for its lock.
    let mut request = pool.begin().await.unwrap();
    sqlx::query("select from interventions").execute(&mut *request).await.unwrap();
    let migrating = erp_core::migrate(pool);
    let working = async {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        // This waits behind the migration's lock request, which times out first.
        sqlx::query("update interventions set titre = titre").execute(pool).await.unwrap();
        request.commit().await.unwrap();
    };
    let (migrated, ()) = tokio::join!(migrating, working);
    migrated.unwrap();
    assert_eq!(erp_core::migrate::schema(pool).await.unwrap(), erp_core::migrate::Schema::Current);
}

#[tokio::test]
async fn a_mail_that_is_over_gathers_nothing_after_the_upgrade() {
    let test_db = TestDb::new().await;
    let pool = &test_db.pool;
    let last =
        MIGRATOR.iter().map(|m| m.version).filter(|v| *v < 20_261_126_000_021).max().unwrap();
    MIGRATOR.undo(pool, last).await.unwrap();
    // Four mails: one sent and opened again, one whose notifications are all settled, one waiting, one given up.
    let before = "
        insert into users (id, username, full_name, email, role, password_hash, created_at, updated_at)
        select n, 'u' || n, 'U', 'u' || n || '@mif.example', 'responsable', '', now(), now() from generate_series(1, 4) n;
        insert into envois (id, user_id, part_le, ferme_le, parti_le) values
            (1, 1, now(), null, now() - interval '1 day'), (2, 2, now(), null, null), (3, 3, now(), null, null),
            (4, 4, now(), now(), null);
        insert into notifications (id, type, canal, user_id, statut, date_creation)
        select n, 'alerte', 'email', n, case n when 3 then 'en_file' when 4 then 'echouee' else 'envoyee' end, now()
        from generate_series(1, 4) n;
        insert into envoi_notifications (envoi_id, notification_id) select n, n from generate_series(1, 4) n";
    sqlx::raw_sql(before).execute(pool).await.unwrap();
    erp_core::migrate(pool).await.unwrap();
    let after: Vec<(i64, String, bool)> =
        sqlx::query_as("select id, statut, ferme_le is null from envois order by id")
            .fetch_all(pool)
            .await
            .unwrap();
    let expected =
        [(1, "envoyee", false), (2, "annulee", false), (3, "en_file", true), (4, "echouee", false)];
    assert_eq!(after, expected.map(|(id, statut, open)| (id, statut.to_owned(), open)));
}

/// The last migration before `version`.
fn before(version: i64) -> i64 {
    MIGRATOR.iter().map(|m| m.version).filter(|v| *v < version).max().unwrap()
}

const SIGNED_IN: &str = "
    insert into users (username, full_name, email, role, password_hash, token_version, created_at, updated_at)
    select 'u' || n, 'U', 'u' || n || '@mif.example', 'technicien', '$argon2id$v=19$m=65536,t=3,p=4$c2Vs$aGFzaA', n % 3, now(), now()
    from generate_series(1, 300) n;
    insert into refresh_tokens (id, famille, user_id, empreinte, expires_at)
    select gen_random_uuid(), gen_random_uuid(), id, sha256(convert_to(repeat(lpad(to_hex(id), 8, '0'), 8), 'UTF8')), now() + interval '30 days'
    from users;
    insert into calendriers (user_id, empreinte, created_at) select id, sha256(convert_to('agenda ' || id, 'UTF8')), now() from users;
    insert into login_failures (compte, adresse, echecs, premier_echec) select 'id:' || id, '192.0.2.1', 2, now() from users";

#[tokio::test]
async fn who_was_signed_in_before_there_were_sessions_signs_in_again_and_nothing_else_is_lost() {
    const SESSIONS: i64 = 20_261_126_000_030;
    let test_db = TestDb::new().await;
    let pool = &test_db.pool;
    let url = test_db.url();
    let pairs =
        [("DATABASE_URL", url.as_str()), ("SECRET_KEY", "the key of tests, long enough to sign")];
    let config = Config::read(Env::from_pairs(&pairs)).unwrap();
    let ctx = Ctx::with_pool(config, pool.clone()).unwrap();
    let keys = ctx.keys.clone();
    let now = Clock::default().now();
    let count = async |table: &str| -> i64 {
        let query = AssertSqlSafe(format!("select count(*) from {table}"));
        sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
    };

    MIGRATOR.undo(pool, before(SESSIONS)).await.unwrap();
    sqlx::raw_sql(SIGNED_IN).execute(pool).await.unwrap();
    erp_core::migrate(pool).await.unwrap();
    let id: i64 = sqlx::query_scalar("select min(id) from users").fetch_one(pool).await.unwrap();
    let old = format!("{id:08x}").repeat(8);
    let origin = Origin::default();
    let mut tx = ctx.begin().await.unwrap();
    assert!(auth::refresh(&mut tx, &keys, &old, &origin, now).await.unwrap().is_none());
    let account = users::find_account(&mut *tx, id).await.unwrap().unwrap();
    let tokens = auth::open_session(&mut tx, &keys, &account, &origin, now).await.unwrap();
    assert!(
        auth::refresh(&mut tx, &keys, &tokens.refresh_token, &origin, now).await.unwrap().is_some()
    );
    tx.commit().await.unwrap();
    for table in ["users", "refresh_tokens", "calendriers", "login_failures"] {
        assert_eq!(count(table).await, 300, "{table}");
    }
    assert_eq!(users::other_hashes(pool).await.unwrap().len(), 1);

    // Back to the previous version, and forward again.
    MIGRATOR.undo(pool, before(SESSIONS)).await.unwrap();
    assert_eq!((count("users").await, count("refresh_tokens").await), (300, 300));
    erp_core::migrate(pool).await.unwrap();
    assert_eq!((count("users").await, count("sessions").await), (300, 0));
    let mut tx = ctx.begin().await.unwrap();
    let refreshed =
        auth::refresh(&mut tx, &keys, &tokens.refresh_token, &origin, now).await.unwrap();
    assert!(refreshed.is_none(), "its session went with the table");

    // The nightly purge removes expired tokens of the previous version.
    drop(tx);
    let mut tx = ctx.begin().await.unwrap();
    auth::purge(&mut tx, now + chrono::TimeDelta::days(31), 1000).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((count("users").await, count("refresh_tokens").await), (300, 0));
}

#[tokio::test]
async fn a_search_finds_what_was_there_before_and_names_that_were_told_apart_stay() {
    const RECHERCHE: i64 = 20_261_127_000_031;
    let test_db = TestDb::new().await;
    let pool = &test_db.pool;
    MIGRATOR.undo(pool, before(RECHERCHE)).await.unwrap();
    let filled = "
        insert into equipements (nom, type, localisation)
        values ('Pompe', 'Pompe', 'Salé'), ('Pömpe', 'Pompe', 'Safi'), ('POMPE', 'Pompe', 'Fès'), ('Pompe #2', 'Pompe', 'Fès'),
               ('#3', 'Pompe', 'Fès');
        insert into competences (nom) values ('Électricité'), ('Electricite');
        insert into interventions (titre, description, type, statut, priorite, urgence, date_creation, equipement_id)
        select 'Fumée n° ' || n, case when n % 2 = 0 then 'Échauffement' end, 'corrective', 'ouverte', 'normale', false, now(), 1
        from generate_series(1, 12000) n";
    sqlx::raw_sql(filled).execute(pool).await.unwrap();
    // Two replicas that migrate at the same time.
    let (one, other) = tokio::join!(erp_core::migrate(pool), erp_core::migrate(pool));
    one.unwrap();
    other.unwrap();

    let found = async |word: &str| -> i64 {
        let query = "select count(*) from interventions where recherche like motif($1)";
        sqlx::query_scalar(query).bind(word.to_owned()).fetch_one(pool).await.unwrap()
    };
    assert_eq!((found("FUMEE").await, found("echauf").await), (12_000, 6_000));
    let keys: Vec<String> = sqlx::query_scalar("select nom_cle from equipements order by id")
        .fetch_all(pool)
        .await
        .unwrap();
    assert_eq!(keys, [" pompe", "#2", "#3", " pompe #2", " #3"]);
    let again =
        "insert into equipements (nom, type, localisation) values ('pompe', 'Pompe', 'Fès')";
    sqlx::query(again).execute(pool).await.unwrap_err();

    // An invalid index, as left by a killed migration, is rebuilt.
    let half = "
        delete from _sqlx_migrations where version = 20261127000033;
        update pg_index set indisvalid = false where indexrelid = 'interventions_recherche_idx'::regclass";
    sqlx::raw_sql(half).execute(pool).await.unwrap();
    erp_core::migrate(pool).await.unwrap();
    let valid = "select indisvalid from pg_index where indexrelid = 'interventions_recherche_idx'::regclass";
    assert!(sqlx::query_scalar::<_, bool>(valid).fetch_one(pool).await.unwrap());
    assert_eq!(found("fumee").await, 12_000);
}
