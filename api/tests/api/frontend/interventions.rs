//! The calls for interventions, notifications and the dashboard.
use erp_core::users::UserRole;
use serde_json::{Value, json};

use super::{NONE, Page, has};
use crate::support::App;

#[tokio::test]
async fn interventions() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let (technicien, technicien_id) = app.technicien().await;
    app.put(&boss, &format!("/techniciens/{technicien_id}"), json!({"equipe": "Mécanique A"}))
        .await
        .expect(200);
    let client = json!({"nom_entreprise": "Conserverie de Safi", "type_client": "entreprise"});
    let client = app.post(&boss, "/clients", client).await.expect(201);
    let machine = json!({"nom": "Pompe P-101", "type": "Pompe", "localisation": "Quai 4", "client_id": client["id"]});
    let machine = app.post(&boss, "/equipements", machine).await.expect(200);
    let page = Page::of(&app, "interventions");

    let new = json!({
        "titre": "Fuite à la garniture", "type": "corrective", "equipement_id": machine["id"], "priorite": "haute",
        "description": "Débit en baisse", "technicien_id": technicien_id, "date_limite": "2031-11-30", "cout_estime": 80_005,
    });
    let made = page.send(&boss, ("POST", "/interventions/"), &NONE, "", new).await.expect(200);
    let id = &made["id"];
    let names = |row: &Value| {
        assert_eq!(
            row["equipement"],
            json!({"id": machine["id"], "nom": "Pompe P-101", "localisation": "Quai 4"})
        );
        assert_eq!(
            row["client"],
            json!({"id": client["id"], "nom_entreprise": "Conserverie de Safi"})
        );
        assert_eq!(row["technicien"]["id"], technicien_id);
        assert_eq!(row["technicien"]["equipe"], "Mécanique A");
        assert!(row["technicien"]["full_name"].as_str().unwrap().starts_with("Salma technicien"));
        assert_eq!(
            (&row["cout_estime"], &row["cout_estime_mad"]),
            (&json!(80_005), &json!("800.05"))
        );
    };
    names(&made);
    assert_eq!((&made["cout_reel"], &made["cout_reel_mad"]), (&json!(0), &json!("0.00")));

    let edit = json!({"titre": "Fuite au presse-étoupe", "cout_pieces": 20_030, "cout_main_oeuvre": 8_800});
    let edited = page.send(&boss, ("PUT", "/interventions/{id}"), id, "", edit).await.expect(200);
    names(&edited);
    assert_eq!(
        (&edited["cout_reel"], &edited["cout_reel_mad"]),
        (&json!(28_830), &json!("288.30"))
    );
    assert_eq!(
        (&edited["cout_pieces_mad"], &edited["cout_main_oeuvre_mad"]),
        (&json!("200.30"), &json!("88.00"))
    );
    for list in ["/interventions/", "/filters/interventions"] {
        let rows = page.get(&technicien, list, &NONE, "").await.expect(200);
        assert_eq!(rows[0], edited, "{list}");
    }
    let one = page.get(&technicien, "/interventions/{id}", id, "").await.expect(200);
    assert_eq!(one, edited);
    let to = "?statut=en_cours&remarque=Sur%20place";
    let step = ("PATCH", "/interventions/{id}/statut");
    let moved = page.send(&technicien, step, id, to, NONE).await.expect(200);
    assert_eq!(moved["statut"], "en_cours");
    names(&moved);
    let lines = page.get(&technicien, "/interventions/{id}/historique", id, "").await.expect(200);
    assert_eq!(
        (&lines[0]["statut"], &lines[0]["remarque"]),
        (&json!("en_cours"), &json!("Sur place"))
    );
    has(&lines[0]["user"], &["full_name"]);

    // An intervention without a technicien, on a machine without a client.
    let free = app.intervention(&boss).await;
    let free = page.get(&boss, "/interventions/{id}", &json!(free), "").await.expect(200);
    assert_eq!((&free["technicien"], &free["client"]), (&NONE, &NONE));
    assert_eq!((&free["cout_estime"], &free["cout_estime_mad"]), (&NONE, &NONE));
    let found = page.get(&boss, "/filters/interventions", &NONE, "?statut=ouverte&q=garniture");
    assert_eq!(found.await.expect(200), json!([free]));
    page.ends_complete();
}

#[tokio::test]
async fn a_list_without_a_limit_shows_all_that_the_browser_filters_the_newest_first() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let machine = json!({"nom": "Pompe P-101", "type": "Pompe", "localisation": "Quai 4"});
    let machine = app.post(&boss, "/equipements", machine).await.expect(200);
    let page = Page::of(&app, "interventions");
    for n in 1..=64 {
        let new = json!({"titre": format!("Ronde {n}"), "type": "preventive", "equipement_id": machine["id"]});
        page.send(&boss, ("POST", "/interventions/"), &NONE, "", new).await.expect(200);
    }
    let answer = page.get(&boss, "/interventions/", &NONE, "").await;
    assert_eq!(answer.header("x-total-count"), "64");
    let rows = answer.expect(200);
    let titres: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["titre"].clone()).collect();
    let newest_first: Vec<_> = (1..=64).rev().map(|n| json!(format!("Ronde {n}"))).collect();
    assert_eq!(titres, newest_first);
}

#[tokio::test]
async fn notifications() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let (technicien, technicien_id) = app.technicien().await;
    let id = app.intervention(&boss).await;
    let to = json!({"technicien_id": technicien_id});
    app.patch(&boss, &format!("/interventions/{id}/affectation"), to).await.expect(200);
    app.run_jobs().await;
    let page = Page::of(&app, "notifications");
    let list = page.get(&technicien, "/notifications/user/me", &NONE, "").await.expect(200);
    has(&list[0], &["type", "canal", "contenu", "date_envoi", "intervention_id", "read"]);
    assert_eq!((&list[0]["type"], &list[0]["read"]), (&json!("affectation"), &json!(false)));
    let read = ("PUT", "/notifications/{id}/read");
    let told = page.send(&technicien, read, &list[0]["id"], "", NONE).await.expect(200);
    assert!(told["message"].is_string());
    let unread = page.get(&technicien, "/notifications/user/me", &NONE, "?unread=true").await;
    assert_eq!(unread.expect(200), json!([]));
    page.ends_complete();
}

#[tokio::test]
async fn dashboard() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    app.intervention(&boss).await;
    let page = Page::of(&app, "dashboard");
    let stats = page.get(&boss, "/dashboard/stats", &NONE, "").await.expect(200);
    has(
        &stats,
        &["taux_resolution", "evolution_mensuelle", "priorites", "equipements", "mttr_heures"],
    );
    assert_eq!(stats["interventions"]["ouverte"], 1);
    assert_eq!(stats["evolution_mensuelle"].as_array().unwrap().len(), 6);
    page.ends_complete();
}
