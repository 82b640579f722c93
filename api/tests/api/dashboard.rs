//! The figures of the dashboard, for known interventions.
use chrono::{DateTime, Datelike as _, Months, TimeDelta, Utc};
use erp_core::{Clock, dashboard, local, users::UserRole};
use serde_json::{Value, json};

use crate::support::{App, User};

/// The system at the turn of a year: still the old year in UTC, but 00:40 of the new one in Morocco.
async fn app() -> App {
    App::at(Clock::stopped_at("2026-12-31T23:40:00Z".parse().unwrap()), &[]).await
}

async fn stats(app: &App, user: &User) -> Value {
    app.get(user, "/dashboard/stats").await.expect(200)
}

/// Overwrites the times of opening and closing of an intervention, which otherwise are now.
async fn happened(app: &App, id: i64, opened: DateTime<Utc>, closed: Option<DateTime<Utc>>) {
    sqlx::query!(
        "update interventions set date_creation = $2, date_cloture = $3 where id = $1",
        id,
        opened,
        closed
    )
    .execute(&app.ctx.pool)
    .await
    .unwrap();
}

/// The month in Morocco, `ago` months before the month of `now`, as `YYYY-MM`.
fn month(now: DateTime<Utc>, ago: u32) -> String {
    let first = local::day_of(now).with_day(1).unwrap();
    (first - Months::new(ago)).format("%Y-%m").to_string()
}

/// The first instant of that month.
fn begin(now: DateTime<Utc>, ago: u32) -> DateTime<Utc> {
    let first = local::day_of(now).with_day(1).unwrap() - Months::new(ago);
    local::start_of(first)
}

#[tokio::test]
async fn an_empty_system_has_a_dashboard_of_zeros() {
    let app = app().await;
    let user = app.user(UserRole::Technicien).await;
    let now = app.ctx.clock.now();
    let zero = |ago| json!({"month": month(now, ago), "total": 0, "terminees": 0});
    assert_eq!(
        stats(&app, &user).await,
        json!({
            "interventions": {
                "ouverte": 0, "affectee": 0, "en_cours": 0, "en_attente": 0, "terminees": 0, "annulees": 0,
                "en_retard": 0, "total_mensuel": 0, "terminees_mensuel": 0,
            },
            "taux_resolution": 0.0,
            "evolution_mensuelle": [zero(5), zero(4), zero(3), zero(2), zero(1), zero(0)],
            "priorites": {"urgente": 0, "haute": 0, "normale": 0, "basse": 0, "programmee": 0},
            "equipements": {"total": 0, "operationnel": 0, "maintenance": 0, "panne": 0},
            "utilisateurs": {"total": 1, "actifs": 1},
            "mttr_heures": null,
        })
    );
}

#[tokio::test]
async fn each_thing_is_counted_where_it_belongs() {
    let app = app().await;
    let (boss, admin) = (app.user(UserRole::Responsable).await, app.user(UserRole::Admin).await);
    let (_, technicien_id) = app.technicien().await;
    let machine = app.equipement(&boss).await;
    let open = async |fields: Value| {
        let mut new = json!({"titre": "Visite", "type": "corrective", "equipement_id": machine});
        new.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        app.post(&boss, "/interventions", new).await.expect(200)["id"].as_i64().unwrap()
    };
    open(json!({"priorite": "urgente", "date_limite": "2020-01-01"})).await;
    open(json!({"priorite": "haute", "technicien_id": technicien_id})).await;
    let id = open(json!({"priorite": "basse"})).await;
    app.step(&boss, id, "en_cours").await.expect(200);
    let id = open(json!({"priorite": "programmee", "date_limite": "2020-01-01"})).await;
    app.step(&boss, id, "annulee").await.expect(200);
    let (short, long) = (open(json!({})).await, open(json!({"date_limite": "2020-01-01"})).await);
    let preventive = open(json!({"type": "preventive"})).await;
    for id in [short, long, preventive] {
        app.step(&boss, id, "cloturee").await.expect(200);
    }
    app.step(&boss, long, "archivee").await.expect(200);
    let now = app.ctx.clock.now();
    happened(&app, short, now - TimeDelta::hours(2), Some(now)).await;
    happened(&app, long, now - TimeDelta::minutes(271), Some(now)).await;

    let edit = json!({"statut": "panne"});
    app.put(&boss, &format!("/equipements/{machine}"), edit).await.expect(200);
    let retired = app.equipement(&boss).await;
    let edit = json!({"statut": "retire"});
    app.put(&boss, &format!("/equipements/{retired}"), edit).await.expect(200);
    let gone = app.user(UserRole::Technicien).await;
    app.delete(&admin, &format!("/users/{}", gone.id)).await.expect(204);

    let seen = stats(&app, &boss).await;
    let interventions = &seen["interventions"];
    for (name, count) in [
        ("ouverte", 1),
        ("affectee", 1),
        ("en_cours", 1),
        ("en_attente", 0),
        ("terminees", 3),
        ("annulees", 1),
        ("en_retard", 1),
        ("terminees_mensuel", 3),
    ] {
        assert_eq!(interventions[name], count, "{name}: {seen}");
    }
    assert_eq!(seen["taux_resolution"], 42.9, "3 of 7");
    assert_eq!(
        seen["priorites"],
        json!({"urgente": 1, "haute": 1, "normale": 3, "basse": 1, "programmee": 1})
    );
    assert_eq!(
        seen["equipements"],
        json!({"total": 2, "operationnel": 0, "maintenance": 0, "panne": 1})
    );
    let users = &seen["utilisateurs"];
    assert_eq!(users["total"].as_i64().unwrap() - users["actifs"].as_i64().unwrap(), 1, "{users}");
    assert_eq!(seen["mttr_heures"], 3.26, "of 2 h and 4 h 31; preventive ones do not count");
    let last = &seen["evolution_mensuelle"][5];
    assert_eq!(
        (&last["total"], &last["terminees"]),
        (&interventions["total_mensuel"], &interventions["terminees_mensuel"])
    );

    // The client of all machines gets the same numbers, by another statement.
    let client = json!({"nom_entreprise": "Sucrerie du Gharb"});
    let client = app.post(&boss, "/clients", client).await.expect(201);
    let reader = app.user_with(UserRole::Client, json!({"client_id": client["id"]})).await;
    for machine in [machine, retired] {
        let edit = json!({"client_id": client["id"]});
        app.put(&boss, &format!("/equipements/{machine}"), edit).await.expect(200);
    }
    let mut its_own = stats(&app, &reader).await;
    assert_eq!(its_own["utilisateurs"], json!({"total": 1, "actifs": 1}));
    its_own["utilisateurs"] = seen["utilisateurs"].clone();
    assert_eq!(its_own, seen);
}

#[tokio::test]
async fn months_are_those_of_morocco_and_begin_there_at_midnight() {
    let app = app().await;
    let boss = app.user(UserRole::Responsable).await;
    let now = app.ctx.clock.now();
    let second = TimeDelta::seconds(1);
    // Opened before the window and closed at its first instant; opened at that instant and closed at the end of that
    // month; opened and closed before the window; opened and closed inside it.
    for (opened, closed) in [
        (begin(now, 5) - second, begin(now, 5)),
        (begin(now, 5), begin(now, 4) - second),
        (begin(now, 6), begin(now, 5) - second),
        (begin(now, 2), begin(now, 1)),
    ] {
        let id = app.intervention(&boss).await;
        app.step(&boss, id, "cloturee").await.expect(200);
        happened(&app, id, opened, Some(closed)).await;
    }
    app.intervention(&boss).await;
    let seen = stats(&app, &boss).await;
    let expected = [(5, 1, 2), (4, 0, 0), (3, 0, 0), (2, 1, 0), (1, 0, 1), (0, 1, 0)];
    let expected = expected.map(
        |(ago, total, over)| json!({"month": month(now, ago), "total": total, "terminees": over}),
    );
    assert_eq!(seen["evolution_mensuelle"], json!(expected));
    assert_eq!(seen["interventions"]["total_mensuel"], 1);
    assert_eq!(seen["interventions"]["terminees_mensuel"], 0);
    assert_eq!(seen["interventions"]["terminees"], 4);
}

#[tokio::test]
async fn only_recent_repairs_count_for_the_mean_time() {
    let app = app().await;
    let boss = app.user(UserRole::Responsable).await;
    let now = app.ctx.clock.now();
    let id = app.intervention(&boss).await;
    app.step(&boss, id, "cloturee").await.expect(200);
    happened(&app, id, now - TimeDelta::days(92), Some(now - TimeDelta::days(91))).await;
    assert_eq!(stats(&app, &boss).await["mttr_heures"], json!(null));
    happened(&app, id, now - TimeDelta::days(90), Some(now - TimeDelta::days(89))).await;
    assert_eq!(stats(&app, &boss).await["mttr_heures"], 24.0);
}

#[tokio::test]
async fn a_client_gets_the_numbers_of_its_own() {
    let app = app().await;
    let boss = app.user(UserRole::Responsable).await;
    let client = json!({"nom_entreprise": "Sucrerie du Gharb"});
    let client = app.post(&boss, "/clients", client).await.expect(201);
    let reader = app.user_with(UserRole::Client, json!({"client_id": client["id"]})).await;
    let (mine, other) = (app.intervention(&boss).await, app.intervention(&boss).await);
    app.step(&boss, mine, "cloturee").await.expect(200);
    app.step(&boss, other, "en_cours").await.expect(200);
    let mine = app.get(&boss, &format!("/interventions/{mine}")).await.expect(200);
    let machine = format!("/equipements/{}", mine["equipement_id"]);
    app.put(&boss, &machine, json!({"client_id": client["id"]})).await.expect(200);

    let seen = stats(&app, &reader).await;
    assert_eq!(
        (&seen["interventions"]["terminees"], &seen["interventions"]["en_cours"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(seen["taux_resolution"], 100.0);
    assert_eq!(seen["evolution_mensuelle"][5]["total"], 1);
    assert_eq!(seen["priorites"]["normale"], 1);
    assert_eq!(
        (&seen["equipements"]["total"], &seen["utilisateurs"]["total"]),
        (&json!(1), &json!(1))
    );

    let stray = app.user(UserRole::Client).await;
    let seen = stats(&app, &stray).await;
    assert_eq!(
        (&seen["equipements"]["total"], &seen["utilisateurs"]["total"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(stats(&app, &boss).await["utilisateurs"]["total"], 3);
}

/// The interventions that the totals differ from, by state and priority.
async fn errors_of_totals(app: &App) -> i64 {
    let differences = sqlx::query_scalar!(
        r#"
            select count(*) as "count!"
            from (select statut, priorite, sum(n) as n from interventions_totaux group by statut, priorite) totaux
            full join (select statut, priorite, count(*) as n from interventions group by statut, priorite) vraies
                using (statut, priorite)
            where coalesce(totaux.n, 0) <> coalesce(vraies.n, 0)
        "#
    );
    differences.fetch_one(&app.ctx.pool).await.unwrap()
}

/// Adds up some of the rows, fewer than there may be.
async fn add_up(app: &App) -> usize {
    let mut tx = app.ctx.begin().await.unwrap();
    let rows = dashboard::add_up(&mut tx, 40).await.unwrap();
    tx.commit().await.unwrap();
    rows
}

#[tokio::test]
async fn the_totals_are_exact_while_steps_and_additions_run_beside_each_other() {
    let app = app().await;
    let boss = app.user(UserRole::Responsable).await;
    let machine = app.equipement(&boss).await;
    let work = async |n: usize| {
        for step in 0..12 {
            let mut tx = app.ctx.pool.begin().await.unwrap();
            let priorite = ["haute", "basse"][(n + step) % 2];
            let id = sqlx::query_scalar!(
                r#"
                    insert into interventions (titre, type, statut, priorite, date_creation, equipement_id)
                    values ('Visite', 'corrective', 'ouverte', $1, now(), $2)
                    returning id
                "#,
                priorite,
                machine,
            );
            let id = id.fetch_one(&mut *tx).await.unwrap();
            if step % 4 == 0 {
                tx.rollback().await.unwrap();
                continue;
            }
            tx.commit().await.unwrap();
            let update = sqlx::query!(
                "update interventions set statut = 'annulee', titre = 'Autre' where id = $1",
                id
            );
            update.execute(&app.ctx.pool).await.unwrap();
            if step % 3 == 0 {
                let delete = sqlx::query!("delete from interventions where id = $1", id);
                delete.execute(&app.ctx.pool).await.unwrap();
            }
        }
    };
    let sum = async || {
        for _ in 0..30 {
            add_up(&app).await;
            assert_eq!(errors_of_totals(&app).await, 0);
        }
    };
    tokio::join!(work(0), work(1), work(2), sum(), sum());
    assert_eq!(errors_of_totals(&app).await, 0);
    while add_up(&app).await == 40 {}
    assert_eq!(add_up(&app).await, 2, "a row for each state and priority that there is");
    let seen = stats(&app, &boss).await;
    assert_eq!(seen["interventions"]["annulees"], 18, "of 36, 9 were rolled back and 9 deleted");
}

#[tokio::test]
async fn the_totals_begin_with_what_was_there() {
    let app = app().await;
    let boss = app.user(UserRole::Responsable).await;
    for _ in 0..3 {
        app.intervention(&boss).await;
    }
    // As if the triggers had been there for the last of three only: what the second migration finds.
    sqlx::query!("delete from interventions_totaux").execute(&app.ctx.pool).await.unwrap();
    sqlx::query!(
        "insert into interventions_totaux (statut, priorite, n) values ('ouverte', 'normale', 1)"
    )
    .execute(&app.ctx.pool)
    .await
    .unwrap();
    let depart = include_str!("../../../migrations/20261127000083_totaux_depart.up.sql");
    sqlx::raw_sql(depart).execute(&app.ctx.pool).await.unwrap();
    assert_eq!(errors_of_totals(&app).await, 0);
    assert_eq!(stats(&app, &boss).await["interventions"]["ouverte"], 3);

    sqlx::raw_sql("truncate interventions cascade").execute(&app.ctx.pool).await.unwrap();
    assert_eq!(errors_of_totals(&app).await, 0);
}

#[tokio::test]
async fn the_purge_adds_up_the_totals_and_corrects_them() {
    let app = app().await;
    let (boss, admin) = (app.user(UserRole::Responsable).await, app.user(UserRole::Admin).await);
    for _ in 0..3 {
        let id = app.intervention(&boss).await;
        app.step(&boss, id, "en_cours").await.expect(200);
    }
    // Written past the triggers, as by a restore of the rows alone.
    sqlx::raw_sql(
        "alter table interventions disable trigger user; \
         update interventions set statut = 'annulee' where id = (select min(id) from interventions); \
         alter table interventions enable trigger user",
    )
    .execute(&app.ctx.pool)
    .await
    .unwrap();
    assert_eq!(stats(&app, &boss).await["interventions"]["annulees"], 0);

    app.run_schedule(&admin, "maintenance.purge").await;
    assert_eq!(errors_of_totals(&app).await, 0);
    assert_eq!(stats(&app, &boss).await["interventions"]["annulees"], 1);
    app.run_schedule(&admin, "maintenance.purge").await;
    let rows = sqlx::query_scalar!(r#"select count(*) as "count!" from interventions_totaux"#);
    assert_eq!(rows.fetch_one(&app.ctx.pool).await.unwrap(), 2);
}
