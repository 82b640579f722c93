//! The indicators of maintenance, for small plants whose numbers were computed by hand.
mod story;

use erp_core::{Clock, planning, users::UserRole};
use reqwest::header::ACCEPT_LANGUAGE;
use serde_json::{Value, json};

use crate::support::{App, User};
use story::{OLD, RETIRED, check_the_sum, check_the_whole, play};

/// Three days of 73 hours: on 15 February 2026 the clocks of Morocco went back. From 13 February, 23:00 to 17 February, 00:00 in UTC.
const DAYS: &str = "du=2026-02-14&au=2026-02-16";

struct Plant {
    app: App,
    boss: User,
}

impl Plant {
    async fn new() -> Self {
        let clock = Clock::stopped_at("2026-02-10T08:00:00Z".parse().unwrap());
        let app = App::at(clock, &[]).await;
        let boss = app.user(UserRole::Responsable).await;
        Self { app, boss }
    }

    async fn client(&self, nom: &str) -> i64 {
        let client = json!({"nom_entreprise": nom});
        self.app.post(&self.boss, "/clients", client).await.expect(201)["id"].as_i64().unwrap()
    }

    async fn machine(&self, nom: &str, client_id: i64, acquired: Option<&str>) -> i64 {
        let new = json!({
            "nom": nom, "type": "Pompe", "localisation": "Safi", "client_id": client_id, "date_acquisition": acquired,
        });
        self.app.post(&self.boss, "/equipements", new).await.expect(200)["id"].as_i64().unwrap()
    }

    /// Opens an intervention now.
    async fn open(&self, machine: i64, type_: &str, minutes: Option<i32>) -> i64 {
        let new = json!({
            "titre": "Fuite", "type": type_, "equipement_id": machine, "duree_estimee": minutes,
        });
        self.app.post(&self.boss, "/interventions", new).await.expect(200)["id"].as_i64().unwrap()
    }

    async fn step(&self, id: i64, statut: &str) {
        self.app.step(&self.boss, id, statut).await.expect(200);
    }

    /// The clock at this day and time of February 2026, in UTC.
    fn at(&self, time: &str) {
        self.app.set_clock(&format!("2026-02-{time}Z"));
    }

    async fn kpi(&self, user: &User, query: &str) -> Value {
        self.app.get(user, &format!("/kpi?{query}")).await.expect(200)
    }

    /// Plans a visit of a new machine, and opens it when it is due; the planning and the intervention.
    async fn visit(&self, frequence: &str, due: &str) -> (i64, i64) {
        let planning = self.plan(frequence, due).await;
        let mut tx = self.app.ctx.begin().await.unwrap();
        let now = format!("2026-02-{due}Z").parse().unwrap();
        let visit = planning::open_visite(&mut tx, planning, now).await.unwrap();
        tx.commit().await.unwrap();
        (planning, visit.unwrap())
    }

    async fn plan(&self, frequence: &str, due: &str) -> i64 {
        let machine = self.app.equipement(&self.boss).await;
        let new = json!({
            "frequence": frequence, "equipement_id": machine, "prochaine_date": format!("2026-02-{due}Z"),
        });
        self.app.post(&self.boss, "/planning", new).await.expect(201)["id"].as_i64().unwrap()
    }
}

/// The value of an indicator, and these of its inputs.
#[track_caller]
fn check(kpi: &Value, name: &str, valeur: &Value, entrees: &Value) {
    let one = &kpi["indicateurs"][name];
    assert_eq!(&one["valeur"], valeur, "{name}: {one}");
    assert_eq!(one["raison"].is_null(), !valeur.is_null(), "{name}: {one}");
    for (input, expected) in entrees.as_object().unwrap() {
        assert_eq!(&one["entrees"][input], expected, "{name}.{input}: {one}");
    }
}

#[tokio::test]
async fn a_small_plant_gives_the_numbers_that_were_computed_by_hand() {
    let plant = Plant::new().await;
    let (app, boss) = (&plant.app, &plant.boss);
    let client = plant.client("Conserverie").await;
    app.technicien().await;
    let (user, leaves) = app.technicien().await;
    let machines = [
        plant.machine("Ancienne", client, None).await,
        plant.machine("Nouvelle", client, Some("2026-02-15T12:00:00Z")).await,
        plant.machine("Retirée", client, None).await,
    ];
    play(&plant, machines).await;
    app.delete(boss, &format!("/techniciens/{leaves}")).await.expect(204);
    let edit = json!({"statut": "retire"});
    app.put(boss, &format!("/equipements/{}", machines[RETIRED]), edit).await.expect(200);

    plant.at("20T12:00:00");
    let kpi = plant.kpi(boss, DAYS).await;
    check_the_whole(&kpi);
    let mut parts = Vec::new();
    for machine in machines {
        parts.push(plant.kpi(boss, &format!("{DAYS}&equipement_id={machine}")).await);
    }
    check_the_sum(&kpi, &parts);
    // 2 h of 14 h, all of them known. The retired machine has repairs and no time of service.
    check(&parts[OLD], "ratio_planifie", &json!(14.29), &json!({}));
    check(&parts[RETIRED], "mtbf", &json!(null), &json!({"defaillances": 0}));
    let why = parts[RETIRED]["indicateurs"]["mtbf"]["raison"].as_str().unwrap();
    assert!(why.contains("la date de leur retrait n'est pas connue"), "{why}");
    check(&parts[RETIRED], "mttr", &json!(2.0), &json!({}));
    // The client of all machines has the same.
    let mut of_client = plant.kpi(boss, &format!("{DAYS}&client_id={client}")).await;
    assert_eq!(of_client["client_id"].take(), client);
    assert_eq!(of_client, kpi);
    // Who left and came back is one person.
    app.post(boss, "/techniciens", json!({"user_id": user.id})).await.expect(200);
    assert_eq!(plant.kpi(boss, DAYS).await, kpi);
    // Where no duration was entered, work took from its start to its end.
    let imported = "update interventions set duree_reelle = null where date_debut_travaux = '2026-02-13T22:00:00Z'";
    let cleared = sqlx::raw_sql(imported).execute(&app.ctx.pool).await.unwrap();
    assert_eq!((cleared.rows_affected(), plant.kpi(boss, DAYS).await), (1, kpi.clone()));
    // What was closed nobody knows when never counts.
    let unknown =
        "update interventions set date_cloture = null where date_cloture = '2026-02-13T22:59:59Z'";
    let lost = sqlx::raw_sql(unknown).execute(&app.ctx.pool).await.unwrap();
    assert_eq!((lost.rows_affected(), plant.kpi(boss, DAYS).await), (1, kpi));

    // On the evening of the 16th, before the end of the period: 71 h and 34 h, and the late one has stopped its machine for 2 h.
    plant.at("16T22:00:00");
    let kpi = plant.kpi(boss, DAYS).await;
    assert_eq!(kpi["fin"], "2026-02-16T22:00:00Z");
    let inputs = json!({"heures_en_service": 105.0, "heures_arret": 13.0});
    check(&kpi, "disponibilite", &json!(87.62), &inputs);
}

#[tokio::test]
async fn a_visit_complies_within_a_tenth_of_its_interval_by_the_day_of_morocco() {
    let plant = Plant::new().await;
    let (app, boss) = (&plant.app, &plant.boss);
    // The last second of the 13th in Morocco, and the first of the 14th.
    let (_, outside) = plant.visit("mensuel", "13T22:59:59").await;
    let (_, inside) = plant.visit("mensuel", "13T23:00:00").await;
    let (_, third_day) = plant.visit("mensuel", "14T08:30:00").await;
    let (_, fourth_day) = plant.visit("mensuel", "14T08:30:00").await;
    let (_, next_day) = plant.visit("hebdomadaire", "15T09:00:00").await;
    let (daily, day_after) = plant.visit("journalier", "14T09:00:00").await;
    plant.visit("mensuel", "16T23:30:00").await; // stays open: in time until the 19th
    let (_, cancelled) = plant.visit("annuel", "15T09:00:00").await;
    let (gone, of_gone) = plant.visit("mensuel", "14T08:30:00").await;
    plant.plan("hebdomadaire", "14T08:30:00").await;
    // What a suspended planning leaves out is not known.
    let rest = json!({"statut": "suspendu"});
    app.put(boss, &format!("/planning/{daily}"), rest).await.expect(200);
    app.delete(boss, &format!("/planning/{gone}")).await.expect(204);

    plant.at("14T09:30:00");
    for id in [outside, inside] {
        plant.step(id, "cloturee").await;
    }
    plant.step(cancelled, "annulee").await;
    plant.at("15T23:59:59");
    plant.step(day_after, "cloturee").await;
    plant.at("16T23:59:59");
    plant.step(next_day, "cloturee").await;
    plant.step(of_gone, "cloturee").await;
    plant.at("17T23:59:59");
    plant.step(third_day, "cloturee").await;
    plant.at("18T00:00:00");
    plant.step(fourth_day, "cloturee").await;

    let conformite = async |valeur: Value, entrees: Value| {
        check(&plant.kpi(boss, DAYS).await, "conformite_preventif", &valeur, &entrees);
    };
    // In time: inside, day_after, next_day, third_day. Not: fourth_day, of_gone (one day of tolerance), and the one that was not opened.
    plant.at("19T23:59:59");
    let entrees = json!({
        "tenues_dans_la_tolerance": 4, "visites_dues": 7, "encore_dans_le_delai": 1, "annulees": 1, "non_ouvertes": 1,
        "sans_planning": 1,
    });
    conformite(json!(57.14), entrees).await;
    plant.at("20T00:00:00");
    conformite(json!(50.0), json!({"visites_dues": 8, "encore_dans_le_delai": 0})).await;
    // Held too early: four days before, then three.
    for (closed, in_time) in [("10T22:59:59", 4), ("10T23:00:00", 5)] {
        sqlx::query!(
            "update interventions set statut = 'cloturee', date_cloture = $2::text::timestamptz where id = $1",
            fourth_day,
            format!("2026-02-{closed}Z"),
        )
        .execute(&app.ctx.pool)
        .await
        .unwrap();
        let valeur = f64::from(in_time) * 12.5;
        conformite(json!(valeur), json!({"tenues_dans_la_tolerance": in_time})).await;
    }
    // Held, and nobody knows when: it is not missed.
    let unknown =
        "update interventions set date_cloture = null where date_cloture = '2026-02-10T23:00:00Z'";
    sqlx::raw_sql(unknown).execute(&app.ctx.pool).await.unwrap();
    conformite(json!(57.14), json!({"tenues_dans_la_tolerance": 4, "visites_dues": 7})).await;
}

#[tokio::test]
async fn nothing_is_null_without_a_reason() {
    let plant = Plant::new().await;
    let (app, boss) = (&plant.app, &plant.boss);
    let kpi = plant.kpi(boss, "").await;
    assert_eq!((&kpi["du"], &kpi["au"]), (&json!("2025-11-13"), &json!("2026-02-10")), "90 days");
    let indicateurs = kpi["indicateurs"].as_object().unwrap();
    assert_eq!(indicateurs.len(), 10);
    let english = app.request(reqwest::Method::GET, "/api/v1/kpi").bearer_auth(&boss.token);
    let english = app.send(english.header(ACCEPT_LANGUAGE, "en")).await.expect(200);
    for (name, one) in indicateurs {
        assert!(one["valeur"].is_null(), "{name}: {one}");
        let other = &english["indicateurs"][name];
        for said in ["raison", "source", "donnees_manquantes"] {
            assert!(one[said].as_str().is_some_and(|text| text.len() > 20), "{name}: {one}");
            assert_ne!(one[said], other[said], "{name} speaks both languages");
        }
        assert_eq!(one["entrees"], other["entrees"]);
    }

    let faults = async |query: &str| {
        let answer = app.get(boss, &format!("/kpi?{query}")).await.expect(422);
        let fault =
            |fault: &Value| format!("{} {}", fault["loc"][1], fault["type"]).replace('"', "");
        answer["detail"].as_array().unwrap().iter().map(fault).collect::<Vec<_>>()
    };
    assert_eq!(
        faults("du=2026-02-11&au=2026-02-10&client_id=0").await,
        ["client_id greater_than_equal", "du periode_inversee"]
    );
    assert_eq!(faults("du=hier&au=2026-02-30").await, ["du date_parsing", "au date_parsing"]);
    assert_eq!(faults("du=2020-01-01").await, ["du periode_trop_longue"]);
    assert_eq!(faults("du=2023-02-10&au=2026-02-10").await, ["du periode_trop_longue"]);
    plant.kpi(boss, "du=2023-02-11&au=2026-02-10").await;
}

#[tokio::test]
async fn a_client_gets_the_numbers_of_its_own_machines() {
    let plant = Plant::new().await;
    let (app, boss) = (&plant.app, &plant.boss);
    let (mine, theirs) = (plant.client("Sucrerie").await, plant.client("Cimenterie").await);
    let reader = app.user_with(UserRole::Client, json!({"client_id": mine})).await;
    let stray = app.user(UserRole::Client).await;
    let machine = plant.machine("Pompe", mine, None).await;
    let other = plant.machine("Four", theirs, None).await;
    for (machine, hours) in [(machine, 1), (other, 5), (other, 7)] {
        plant.at("14T09:00:00");
        let id = plant.open(machine, "corrective", Some(60)).await;
        plant.at(&format!("14T{:02}:00:00", 9 + hours));
        plant.step(id, "cloturee").await;
        plant.open(machine, "corrective", Some(60)).await;
    }
    app.technicien().await;
    plant.at("20T12:00:00");

    let seen = plant.kpi(&reader, DAYS).await;
    assert_eq!(seen["client_id"], mine);
    check(&seen, "mttr", &json!(1.0), &json!({"cloturees": 1, "encore_ouvertes_a_la_fin": 1}));
    check(&seen, "backlog", &json!(0.02), &json!({"ouvertes_a_la_fin": 1}));
    assert_eq!(plant.kpi(boss, &format!("{DAYS}&client_id={mine}")).await, seen);
    assert_eq!(plant.kpi(&reader, &format!("{DAYS}&client_id={mine}")).await, seen);
    let one = plant.kpi(&reader, &format!("{DAYS}&equipement_id={machine}")).await;
    assert_eq!(one["indicateurs"], seen["indicateurs"]);
    check(&plant.kpi(boss, DAYS).await, "mttr", &json!(4.33), &json!({"cloturees": 3}));
    check(&plant.kpi(&stray, DAYS).await, "mttr", &json!(null), &json!({"cloturees": 0}));
    let nothing = plant.kpi(&stray, DAYS).await;
    check(&nothing, "disponibilite", &json!(null), &json!({"equipements_en_service": 0}));

    for (user, query, code) in [
        (&reader, format!("client_id={theirs}"), "client_introuvable"),
        (&reader, format!("equipement_id={other}"), "equipement_introuvable"),
        (&stray, format!("client_id={mine}"), "client_introuvable"),
        (&stray, format!("equipement_id={machine}"), "equipement_introuvable"),
        (boss, format!("client_id={mine}&equipement_id={other}"), "equipement_introuvable"),
        (boss, "client_id=987654".to_owned(), "client_introuvable"),
        (boss, "equipement_id=987654".to_owned(), "equipement_introuvable"),
    ] {
        app.get(user, &format!("/kpi?{query}")).await.expect_error(404, code);
    }
}
