//! Alerts: interventions that nobody takes up, and missed deadlines.
use erp_core::{Clock, users::UserRole};
use serde_json::{Value, json};

use crate::support::{App, User};

struct Plant {
    app: App,
    admin: User,
    boss: User,
}

impl Plant {
    async fn new() -> Self {
        let app = App::at(Clock::stopped_at("2026-11-24T08:00:00Z".parse().unwrap()), &[]).await;
        let (admin, boss) =
            (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
        Self { app, admin, boss }
    }

    async fn open(&self, fields: Value) -> i64 {
        let equipement_id = self.app.equipement(&self.boss).await;
        let mut new =
            json!({"titre": "Fuite", "type": "corrective", "equipement_id": equipement_id});
        new.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.app.post(&self.boss, "/interventions", new).await.expect(200)["id"].as_i64().unwrap()
    }

    async fn see(&self, id: i64) -> Value {
        self.app.get(&self.boss, &format!("/interventions/{id}")).await.expect(200)
    }

    async fn at(&self, now: &str, schedule: &str) {
        self.app.set_clock(now);
        self.app.run_schedule(&self.admin, schedule).await;
    }

    async fn sla_at(&self, now: &str) {
        self.at(now, "interventions.sla").await;
    }
}

#[tokio::test]
async fn what_nobody_takes_up_is_told_of_once_a_level_and_settled_when_somebody_does() {
    let plant = Plant::new().await;
    let (app, boss, admin) = (&plant.app, &plant.boss, &plant.admin);
    let id = plant.open(json!({"priorite": "urgente"})).await;
    plant.open(json!({"priorite": "normale"})).await;
    plant.open(json!({"priorite": "programmee"})).await;
    let seen = plant.see(id).await;
    assert_eq!(
        (&seen["sla_echeance"], &seen["sla_respecte"]),
        (&json!("2026-11-24T10:00:00Z"), &Value::Null)
    );

    plant.sla_at("2026-11-24T09:59:59Z").await;
    assert_eq!(app.told(boss).await, Vec::<String>::new());
    for now in ["2026-11-24T10:00:00Z", "2026-11-24T10:05:00Z"] {
        plant.sla_at(now).await;
        assert_eq!(app.told(boss).await, ["alerte"]);
        assert_eq!(app.told(admin).await, Vec::<String>::new());
    }
    assert_eq!(plant.see(id).await["sla_respecte"], false);
    plant.sla_at("2026-11-24T12:00:00Z").await;
    plant.sla_at("2026-11-24T16:00:00Z").await;
    plant.sla_at("2026-11-26T16:00:00Z").await;
    assert_eq!((app.told(boss).await.len(), app.told(admin).await.len()), (3, 2), "three levels");
    let mails = app.mails();
    assert_eq!(mails.len(), 5);
    let text = mails[0].text.as_deref().unwrap().replace('\u{a0}', " ");
    assert!(
        text.contains("Sans technicien depuis 2 h (objectif : 2 h). Niveau 1 sur 3."),
        "{text}"
    );

    let count = app.get(boss, "/notifications/user/me/count").await.expect(200);
    assert_eq!(count, json!({"unread": 3, "total": 3}));
    let (worker, technicien_id) = app.technicien().await;
    let path = format!("/interventions/{id}/affectation");
    app.patch(boss, &path, json!({"technicien_id": technicien_id})).await.expect(200);
    let count = app.get(boss, "/notifications/user/me/count").await.expect(200);
    assert_eq!(count, json!({"unread": 0, "total": 3}), "the alert has lost its cause");
    assert_eq!(app.told(&worker).await, ["affectation"]);
    plant.sla_at("2026-11-28T16:00:00Z").await;
    assert_eq!(app.told(boss).await.len(), 4, "the other one, of normal priority");
}

#[tokio::test]
async fn an_alert_whose_cause_is_gone_before_its_mail_leaves_is_not_mailed() {
    let plant = Plant::new().await;
    let (app, boss) = (&plant.app, &plant.boss);
    let id = plant.open(json!({"priorite": "urgente"})).await;
    app.set_clock("2026-11-24T10:00:00Z");
    app.post(&plant.admin, "/admin/queues/emails/pause", json!({})).await.expect(200);
    app.post(&plant.admin, "/admin/schedules/interventions.sla/run", json!({})).await.expect(202);
    while app.told(boss).await.is_empty() {
        let soon = async {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            Ok(())
        };
        Box::pin(erp_worker::run(&app.ctx, &erp_worker::Settings::new(&app.ctx), soon))
            .await
            .unwrap();
    }
    app.step(boss, id, "cloturee").await.expect(200);
    app.post(&plant.admin, "/admin/queues/emails/resume", json!({})).await.expect(200);
    app.run_jobs().await;
    let told = app.get(boss, "/notifications/user/me?sort=id").await.expect(200);
    assert_eq!(
        (&told[0]["type"], &told[0]["canal"], &told[0]["statut"], &told[0]["read"]),
        (&json!("alerte"), &json!("log"), &json!("envoyee"), &json!(true))
    );
    let subjects: Vec<_> = app.mails().into_iter().map(|m| m.subject).collect();
    assert_eq!(subjects.len(), 1, "{subjects:?}");
    assert!(subjects[0].contains("clôturée"), "{subjects:?}");
}

#[tokio::test]
async fn waiting_stops_the_response_clock() {
    let plant = Plant::new().await;
    let (app, boss) = (&plant.app, &plant.boss);
    let id = plant.open(json!({"urgence": true, "priorite": "basse"})).await;
    app.set_clock("2026-11-24T09:00:00Z");
    app.step(boss, id, "en_cours").await.expect(200);
    app.step(boss, id, "en_attente").await.expect(200);
    plant.sla_at("2026-11-24T20:00:00Z").await;
    assert_eq!(app.told(boss).await, Vec::<String>::new(), "it waits for a part");
    app.step(boss, id, "en_cours").await.expect(200);
    assert_eq!(plant.see(id).await["sla_echeance"], "2026-11-24T21:00:00Z");
    plant.sla_at("2026-11-24T21:00:00Z").await;
    assert_eq!(app.told(boss).await, ["alerte"]);
}

#[tokio::test]
async fn a_deadline_that_passes_is_told_of_once_to_who_works_and_who_answers_for_it() {
    let plant = Plant::new().await;
    let (app, boss) = (&plant.app, &plant.boss);
    let (worker, technicien_id) = app.technicien().await;
    let limit = json!({"date_limite": "2026-11-24T12:00:00Z", "technicien_id": technicien_id});
    let id = plant.open(limit).await;
    plant.at("2026-11-24T12:00:00Z", "interventions.retard").await;
    assert_eq!(app.told(boss).await, Vec::<String>::new(), "not yet");
    for now in ["2026-11-24T12:15:00Z", "2026-11-24T12:30:00Z", "2026-11-27T12:30:00Z"] {
        plant.at(now, "interventions.retard").await;
        assert_eq!(app.told(boss).await, ["retard"]);
        assert_eq!(app.told(&worker).await, ["affectation", "retard"]);
    }
    assert_eq!(plant.see(id).await["en_retard"], true);

    // With a new deadline, the notifications of the old one count as read.
    let path = format!("/interventions/{id}");
    let moved = json!({"date_limite": "2026-11-27T13:00:00Z"});
    app.put(boss, &path, moved).await.expect(200);
    let count = app.get(boss, "/notifications/user/me/count").await.expect(200);
    assert_eq!(count["unread"], 0);
    plant.at("2026-11-27T13:15:00Z", "interventions.retard").await;
    assert_eq!(app.told(boss).await.len(), 2);
    // A third missed deadline within a day is notified the next day.
    app.put(boss, &path, json!({"date_limite": "2026-11-27T13:20:00Z"})).await.expect(200);
    plant.at("2026-11-27T13:30:00Z", "interventions.retard").await;
    assert_eq!(app.told(boss).await.len(), 2, "at most once a day");
    plant.at("2026-11-27T23:15:00Z", "interventions.retard").await;
    assert_eq!(app.told(boss).await.len(), 3);
    app.step(boss, id, "annulee").await.expect(200);
    plant.at("2026-11-30T12:00:00Z", "interventions.retard").await;
    assert_eq!(app.told(boss).await.len(), 3);
}

#[tokio::test]
async fn who_had_an_intervention_is_not_held_against_those_who_have_it_next() {
    let plant = Plant::new().await;
    let (app, boss) = (&plant.app, &plant.boss);
    let (first, first_id) = app.technicien().await;
    let (_, second_id) = app.technicien().await;
    let id = plant.open(json!({"priorite": "urgente"})).await;
    let path = format!("/interventions/{id}/affectation");
    app.set_clock("2026-11-24T09:00:00Z");
    app.patch(boss, &path, json!({"technicien_id": first_id})).await.expect(200);
    app.set_clock("2026-11-30T09:00:00Z");
    app.patch(boss, &path, json!({"technicien_id": second_id})).await.expect(200);
    let seen = plant.see(id).await;
    assert_eq!(
        (&seen["sla_echeance"], &seen["sla_respecte"]),
        (&json!("2026-11-24T10:00:00Z"), &json!(true))
    );
    // The notification of the first technicien counts as read, and its mail, which had not left, is not sent.
    let told = app.get(&first, "/notifications/user/me").await.expect(200);
    assert_eq!((&told[0]["read"], &told[0]["canal"]), (&json!(true), &json!("log")));

    app.patch(boss, &path, json!({"technicien_id": null})).await.expect(200);
    plant.sla_at("2026-11-30T09:59:00Z").await;
    assert_eq!(app.told(boss).await, Vec::<String>::new(), "nobody has had it for 1 h 59 in all");
    plant.sla_at("2026-11-30T10:00:00Z").await;
    assert_eq!(app.told(boss).await, ["alerte"]);
    assert_eq!(plant.see(id).await["sla_respecte"], true, "once and for all");
}
