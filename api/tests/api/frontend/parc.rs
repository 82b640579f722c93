//! The calls for machines and plannings.
use erp_core::users::UserRole;
use serde_json::json;

use super::{NONE, Page, has};
use crate::support::App;

#[tokio::test]
async fn equipements() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let page = Page::of(&app, "equipements");
    let create = ("POST", "/equipements/");
    let mut ids = Vec::new();
    for (label, days) in [
        ("hebdomadaire", "7"),
        ("bimensuelle", "15"),
        ("mensuel", "30"),
        ("trimestrielle", "90"),
        ("semestriel", "180"),
        ("annuelle", "365"),
        ("45", "45"),
    ] {
        let new = json!({
            "nom": format!("Pompe {label}"), "type": "Pompe", "localisation": "Safi", "frequence_entretien": label,
        });
        let made = page.send(&boss, create, &NONE, "", new).await.expect(200);
        assert_eq!(made["frequence_entretien"], days, "{label}");
        ids.push(made["id"].clone());
    }
    let list = page.get(&boss, "/equipements/", &NONE, "").await;
    assert_eq!((&list.body[0]["id"], list.header("x-total-count")), (&ids[6], "7"));
    let shown = page.get(&boss, "/equipements/{id}", &ids[0], "").await.expect(200);
    has(&shown, &["nom", "type", "localisation", "frequence_entretien", "statut", "criticite"]);
    let edit = json!({"nom": "Pompe P-101", "type": "Pompe", "localisation": "Jorf Lasfar", "frequence_entretien": "30"});
    let edited =
        page.send(&boss, ("PUT", "/equipements/{id}"), &ids[0], "", edit).await.expect(200);
    assert_eq!(edited["localisation"], "Jorf Lasfar");
    let gone =
        page.send(&boss, ("DELETE", "/equipements/{id}"), &ids[0], "", NONE).await.expect(200);
    assert!(gone["detail"].is_string());
    page.ends_complete();
}

#[tokio::test]
async fn plannings() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let machine = app.equipement(&boss).await;
    let page = Page::of(&app, "planning");
    let mut newest = NONE;
    for (sent, shown) in [
        ("daily", "journalier"),
        ("weekly", "hebdomadaire"),
        ("monthly", "mensuelle"),
        ("quarterly", "trimestrielle"),
        ("semiannual", "semestrielle"),
        ("yearly", "annuelle"),
        ("mensuelle", "mensuelle"),
    ] {
        let new =
            json!({"frequence": sent, "equipement_id": machine, "prochaine_date": "2031-03-01"});
        newest = page.send(&boss, ("POST", "/planning/"), &NONE, "", new).await.expect(201);
        assert_eq!(newest["frequence"], shown, "{sent}");
    }
    let list = page.get(&boss, "/planning/", &NONE, "").await.expect(200);
    assert_eq!(list[0], newest);
    let (dates, to) = (("PATCH", "/planning/{id}/dates"), "?nouvelle_date=2031-04-02");
    let moved = page.send(&boss, dates, &newest["id"], to, NONE).await.expect(200);
    assert_eq!(moved["prochaine_date"], "2031-04-02T00:00:00Z");
    assert_eq!(moved["derniere_date"], newest["prochaine_date"]);
    page.ends_complete();
}
