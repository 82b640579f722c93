//! Visits that the schedule opens: when they are due, and once each.
use erp_core::{Clock, users::UserRole};
use serde_json::{Value, json};

use crate::support::{App, User};

struct Plant {
    app: App,
    admin: User,
    boss: User,
}

impl Plant {
    async fn at(now: &str) -> Self {
        let app = App::at(Clock::stopped_at(now.parse().unwrap()), &[]).await;
        let (admin, boss) =
            (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
        Self { app, admin, boss }
    }

    async fn plan(&self, fields: Value) -> Value {
        let mut new =
            json!({"frequence": "mensuel", "equipement_id": self.app.equipement(&self.boss).await});
        new.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.app.post(&self.boss, "/planning", new).await.expect(201)
    }

    async fn generate(&self) {
        self.app.run_schedule(&self.admin, "planning.generate").await;
    }

    async fn visits(&self) -> Vec<Value> {
        let list = self.app.get(&self.boss, "/interventions?type=preventive").await.expect(200);
        list.as_array().unwrap().clone()
    }

    async fn planning(&self, planning: &Value) -> Value {
        self.app.get(&self.boss, &format!("/planning/{}", planning["id"])).await.expect(200)
    }

    async fn apercu(&self, planning: &Value, n: usize) -> Vec<String> {
        let path = format!("/planning/{}/apercu?n={n}", planning["id"]);
        serde_json::from_value(self.app.get(&self.boss, &path).await.expect(200)).unwrap()
    }
}

#[tokio::test]
async fn a_visit_that_is_due_is_opened_by_the_system_and_the_next_one_planned() {
    let plant = Plant::at("2026-11-24T09:00:00Z").await;
    let fields =
        json!({"prochaine_date": "2026-11-24T08:30:00Z", "commentaire": "Graisser les paliers"});
    let planning = plant.plan(fields).await;
    let later = plant.plan(json!({"prochaine_date": "2026-11-24T09:00:01Z"})).await;
    plant.generate().await;

    let visits = plant.visits().await;
    let [visit] = visits.as_slice() else { panic!("{visits:?}") };
    let machine = format!("/equipements/{}", planning["equipement_id"]);
    let machine = plant.app.get(&plant.boss, &machine).await.expect(200);
    let titre = format!("Maintenance préventive - {}", machine["nom"].as_str().unwrap());
    assert_eq!(
        (&visit["titre"], &visit["statut"], &visit["planning_id"], &visit["description"]),
        (&json!(titre), &json!("ouverte"), &planning["id"], &json!("Graisser les paliers"))
    );
    assert_eq!(
        (&visit["priorite"], &visit["date_limite"], &visit["sla_echeance"]),
        (&json!("programmee"), &json!("2026-11-27T22:59:59Z"), &Value::Null),
        "a tenth of the month, and no response target"
    );
    let line = format!("/interventions/{}/historique", visit["id"]);
    let lines = plant.app.get(&plant.boss, &line).await.expect(200);
    assert_eq!((&lines[0]["user"], &lines[0]["statut"]), (&Value::Null, &json!("ouverte")));
    let planning = plant.planning(&planning).await;
    assert_eq!(
        (&planning["derniere_date"], &planning["prochaine_date"]),
        (&json!("2026-11-24T08:30:00Z"), &json!("2026-12-24T08:30:00Z"))
    );
    assert_eq!(plant.planning(&later).await["derniere_date"], Value::Null);

    plant.generate().await;
    assert_eq!(plant.visits().await.len(), 1, "once");
    plant.app.set_clock("2026-12-24T08:30:00Z");
    plant.generate().await;
    assert_eq!(plant.visits().await.len(), 3, "the next one, and the other planning's");
}

#[tokio::test]
async fn ten_periods_behind_are_one_visit_and_what_rests_brings_none() {
    let plant = Plant::at("2026-11-24T09:00:00Z").await;
    let overdue = json!({"prochaine_date": "2026-01-31T09:00:00Z"});
    let behind = plant.plan(overdue.clone()).await;
    let (suspended, ended, retired) = (
        plant.plan(overdue.clone()).await,
        plant.plan(overdue.clone()).await,
        plant.plan(overdue).await,
    );
    for (planning, statut) in [(&suspended, "suspendu"), (&ended, "termine")] {
        let path = format!("/planning/{}", planning["id"]);
        plant.app.put(&plant.boss, &path, json!({"statut": statut})).await.expect(200);
    }
    let machine = format!("/equipements/{}", retired["equipement_id"]);
    plant.app.put(&plant.boss, &machine, json!({"statut": "retire"})).await.expect(200);
    assert_eq!(
        plant.apercu(&behind, 3).await,
        ["2026-01-31T09:00:00Z", "2026-11-30T09:00:00Z", "2026-12-31T09:00:00Z"]
    );
    for resting in [&suspended, &ended, &retired] {
        assert_eq!(plant.apercu(resting, 3).await, Vec::<String>::new());
    }

    plant.generate().await;
    plant.generate().await;
    let visits = plant.visits().await;
    assert_eq!(visits.len(), 1);
    assert_eq!(visits[0]["planning_id"], behind["id"]);
    assert_eq!(plant.planning(&behind).await["prochaine_date"], "2026-11-30T09:00:00Z");

    // A planning that is active again makes up for its missed periods with one visit.
    let path = format!("/planning/{}", suspended["id"]);
    plant.app.put(&plant.boss, &path, json!({"statut": "actif"})).await.expect(200);
    plant.generate().await;
    assert_eq!(plant.visits().await.len(), 2);
}

#[tokio::test]
async fn a_due_date_that_has_its_visit_gets_no_second_one() {
    let plant = Plant::at("2026-11-24T09:00:00Z").await;
    let planning = plant.plan(json!({"prochaine_date": "2026-11-24T08:00:00Z"})).await;
    plant.generate().await;
    // A user sets the date back to one that has its visit.
    let path = format!("/planning/{}", planning["id"]);
    let back = json!({"prochaine_date": "2026-11-24T08:00:00Z"});
    plant.app.put(&plant.boss, &path, back).await.expect(200);
    plant.generate().await;
    assert_eq!(plant.visits().await.len(), 1);
    assert_eq!(plant.planning(&planning).await["prochaine_date"], "2026-12-24T08:00:00Z");
}

#[tokio::test]
async fn the_next_dates_are_shown_as_they_will_come() {
    let plant = Plant::at("2026-11-24T09:00:00Z").await;
    let planning = plant.plan(json!({"prochaine_date": "2026-12-31T09:00:00Z"})).await;
    assert_eq!(
        plant.apercu(&planning, 4).await,
        // Ramadan 2027 ends on 14 March.
        [
            "2026-12-31T09:00:00Z",
            "2027-01-31T09:00:00Z",
            "2027-02-28T10:00:00Z",
            "2027-03-31T09:00:00Z"
        ]
    );
    let path = format!("/planning/{}/apercu", planning["id"]);
    let twelve = plant.app.get(&plant.boss, &path).await.expect(200);
    assert_eq!(twelve.as_array().unwrap().len(), 12);
    for bad in ["0", "101", "x"] {
        plant
            .app
            .get(&plant.boss, &format!("{path}?n={bad}"))
            .await
            .expect_error(422, "donnees_invalides");
    }
    plant
        .app
        .get(&plant.boss, "/planning/987654/apercu")
        .await
        .expect_error(404, "planning_introuvable");
}

#[tokio::test]
async fn visits_and_deadlines_of_tomorrow_are_announced_once() {
    let plant = Plant::at("2026-11-24T06:00:00Z").await;
    let (app, boss) = (&plant.app, &plant.boss);
    let (worker, technicien_id) = app.technicien().await;
    let planning = plant.plan(json!({"prochaine_date": "2026-11-25T08:30:00Z"})).await;
    plant.plan(json!({"prochaine_date": "2026-11-26T00:00:00Z"})).await;
    let new = json!({
        "titre": "Fuite", "type": "corrective", "equipement_id": app.equipement(boss).await,
        "technicien_id": technicien_id, "date_limite": "2026-11-25T16:00:00Z",
    });
    app.post(boss, "/interventions", new).await.expect(200);
    for _ in 0..2 {
        app.run_schedule(&plant.admin, "planning.rappel").await;
    }
    assert_eq!(app.told(&worker).await, ["affectation", "rappel"]);
    assert_eq!(app.told(boss).await, ["rappel", "rappel"], "the visit by mail, the deadline here");
    let mails: Vec<_> = app.mails().into_iter().filter(|m| m.to == [boss.email.clone()]).collect();
    let [mail] = mails.as_slice() else { panic!("{} mails", mails.len()) };
    let text = mail.text.as_deref().unwrap().replace('\u{a0}', " ");
    assert!(text.contains("mercredi 25 novembre 2026 à 09 h 30"), "{text}");
    assert!(text.contains(&format!("https://erp.example/planning/{}", planning["id"])), "{text}");
    let listed = app.get(boss, "/notifications/user/me?sort=id").await.expect(200);
    assert_eq!(listed[0]["planning_id"], planning["id"]);
    assert!(listed[0]["contenu"].as_str().unwrap().starts_with("Maintenance mensuelle de « Pompe"));
}

#[tokio::test]
async fn of_a_daily_planning_the_visit_of_tomorrow_is_announced_not_that_of_today() {
    let plant = Plant::at("2026-11-24T06:00:00Z").await;
    let daily = json!({"frequence": "journalier", "prochaine_date": "2026-11-24T08:00:00Z"});
    plant.plan(daily).await;
    plant.app.run_schedule(&plant.admin, "planning.rappel").await;
    let mails = plant.app.mails();
    let [mail] = mails.as_slice() else { panic!("{} mails", mails.len()) };
    let text = mail.text.as_deref().unwrap().replace('\u{a0}', " ");
    assert!(text.contains("mercredi 25 novembre 2026 à 09 h 00"), "{text}");
    assert!(!text.contains("24 novembre"), "{text}");
}
