//! Reports: lists as files, with the filters and rights of their routes.
use std::{
    collections::BTreeSet,
    io::{Cursor, Read as _},
};

use chrono::TimeDelta;
use erp_core::{
    Clock,
    rapports::{
        TypeRapport,
        listes::{Liste, Reader},
    },
    users::UserRole,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{App, User};

/// Asks for a report, has it made, and returns it.
async fn made(app: &App, user: &User, asked: Value) -> Value {
    let rapport = app.post(user, "/rapports", asked).await.expect(202);
    app.run_jobs().await;
    let path = format!("/rapports/{}", rapport["id"].as_str().unwrap());
    app.get(user, &path).await.expect(200)
}

async fn fetch(app: &App, user: Option<&User>, path: &str) -> reqwest::Response {
    let mut request = app.request(Method::GET, path);
    if let Some(user) = user {
        request = request.bearer_auth(&app.token(user.id).await);
    }
    request.send().await.unwrap()
}

async fn file(app: &App, user: &User, rapport: &Value) -> Vec<u8> {
    let path = format!("/api/v1/rapports/{}/fichier", rapport["id"].as_str().unwrap());
    let answer = fetch(app, Some(user), &path).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(rapport["size"], answer.content_length().unwrap());
    answer.bytes().await.unwrap().to_vec()
}

/// The records of a CSV file, its header first.
fn records(bytes: &[u8], separator: u8) -> Vec<Vec<String>> {
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).expect("a BOM");
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator).has_headers(false).from_reader(text);
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// The column `name` of a CSV file.
fn column(records: &[Vec<String>], name: &str) -> Vec<String> {
    let at = records[0].iter().position(|found| found == name).expect(name);
    records[1..].iter().map(|record| record[at].clone()).collect()
}

/// A file in an XLSX.
fn part(bytes: &[u8], name: &str) -> String {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut text = String::new();
    zip.by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

fn stored(app: &App) -> usize {
    std::fs::read_dir(app.files.path().join("rapports")).map_or(0, Iterator::count)
}

async fn client(app: &App, boss: &User, nom: &str) -> (i64, User) {
    let made = app.post(boss, "/clients", json!({ "nom_entreprise": nom })).await.expect(201);
    let id = made["id"].as_i64().unwrap();
    (id, app.user_with(UserRole::Client, json!({ "client_id": id })).await)
}

async fn machine(app: &App, boss: &User, nom: &str, client: i64) -> i64 {
    let machine =
        json!({ "nom": nom, "type": "machine", "localisation": "Safi", "client_id": client });
    app.post(boss, "/equipements", machine).await.expect(200)["id"].as_i64().unwrap()
}

async fn open(app: &App, boss: &User, titre: &str, equipement: i64, urgence: bool) -> i64 {
    let new = json!({
        "titre": titre, "type": "corrective", "equipement_id": equipement, "urgence": urgence, "priorite": "haute",
    });
    app.post(boss, "/interventions", new).await.expect(200)["id"].as_i64().unwrap()
}

/// The machines of two clients, and an intervention on each, whose titles are not what they seem.
struct Plant {
    app: App,
    boss: User,
    one: (i64, User),
    deux: User,
    pompe: i64,
    /// On the machine of the first client.
    first: i64,
    second: i64,
    third: i64,
}

const FORMULA: &str = "=HYPERLINK(\"http://exemple.ma\";\"Fuite\")";

impl Plant {
    async fn new() -> Self {
        let app = App::at(Clock::stopped_at("2025-06-15T10:00:00Z".parse().unwrap()), &[]).await;
        let boss = app.user(UserRole::Responsable).await;
        let one = client(&app, &boss, "Conserverie").await;
        let (two, deux) = client(&app, &boss, "Minoterie").await;
        let pompe = machine(&app, &boss, "Pompe", one.0).await;
        let four = machine(&app, &boss, "Four", two).await;
        let first = open(&app, &boss, FORMULA, pompe, true).await;
        let second = open(&app, &boss, "Brûleur éteint", four, true).await;
        let third = open(&app, &boss, "قطع غيار المضخة", four, false).await;
        app.run_jobs().await;
        Self { app, boss, one, deux, pompe, first, second, third }
    }
}

#[tokio::test]
async fn a_list_becomes_a_file_with_the_filters_and_rights_of_its_route() {
    let Plant { app, boss, first, second, third, .. } = Plant::new().await;

    // What is asked for is there at once, and made by a worker.
    let asked = json!({ "type": "interventions", "format": "csv", "filtres": { "urgence": true } });
    let answer = app.post(&boss, "/rapports", asked.clone()).await;
    let place = answer.header("location").to_owned();
    let rapport = answer.expect(202);
    assert_eq!(place, format!("/api/v1/rapports/{}", rapport["id"].as_str().unwrap()));
    assert_eq!((&rapport["statut"], &rapport["progression"]), (&json!("pending"), &json!(0)));
    assert_eq!(rapport["titre"], "Interventions, 15/06/2025");
    let again = app.post(&boss, "/rapports", asked).await.expect(202);
    assert_eq!(again["id"], rapport["id"], "the same request within a minute");
    assert_eq!(fetch(&app, Some(&boss), &format!("{place}/fichier")).await.status(), 409);
    app.run_jobs().await;
    let rapport = app.get(&boss, &place["/api/v1".len()..]).await.expect(200);
    assert_eq!((&rapport["statut"], &rapport["progression"]), (&json!("ready"), &json!(100)));
    assert_eq!((&rapport["lignes"], &rapport["etape"]), (&json!(2), &json!("Prêt à télécharger")));
    let rows = records(&file(&app, &boss, &rapport).await, b';');
    assert_eq!(column(&rows, "N°"), [second.to_string(), first.to_string()], "the newest first");
    assert_eq!(column(&rows, "Titre"), ["Brûleur éteint", &format!("'{FORMULA}")]);
    assert_eq!(column(&rows, "Client"), ["Minoterie", "Conserverie"]);
    assert_eq!(column(&rows, "Priorité"), ["Haute", "Haute"]);
    assert_eq!(column(&rows, "Ouverte le"), ["15/06/2025 11:00"; 2], "on the clocks of Morocco");
    assert_eq!(column(&rows, "Coût réel (MAD)"), ["0,00", "0,00"]);

    // A change of the data makes it another report.
    let asked = json!({ "type": "clients", "format": "csv" });
    let before = made(&app, &boss, asked.clone()).await;
    client(&app, &boss, "Tuilerie").await;
    let after = made(&app, &boss, asked).await;
    assert_ne!(before["id"], after["id"]);
    assert_eq!((&before["lignes"], &after["lignes"]), (&json!(2), &json!(3)));

    // Numbers, dates and money are typed in XLSX; texts are no formulas; Arabic stays as it is.
    let rapport = made(
        &app,
        &boss,
        json!({ "type": "interventions", "format": "xlsx", "titre": "Juin / <b>" }),
    )
    .await;
    let bytes = file(&app, &boss, &rapport).await;
    let (sheet, styles) = (part(&bytes, "xl/worksheets/sheet1.xml"), part(&bytes, "xl/styles.xml"));
    assert!(!sheet.contains("<f>"), "no formula");
    assert!(sheet.contains("=HYPERLINK(\"http://exemple.ma\";\"Fuite\")</t>"), "{sheet}");
    assert!(styles.contains("quotePrefix=\"1\"") && styles.contains("dd/mm/yyyy"), "{styles}");
    assert!(sheet.contains("قطع غيار المضخة"));
    assert!(sheet.contains(&format!("<v>{third}</v>")) && sheet.contains("state=\"frozen\""));
    // 15 June 2025 at 11:00, in days since 1900.
    assert!(sheet.contains("<v>45823.458333"), "{sheet}");
    assert!(sheet.contains("<autoFilter ref=\"A1:AE4\"/>"), "{sheet}");
    assert!(part(&bytes, "docProps/core.xml").contains("Juin / &lt;b&gt;"));
}

#[tokio::test]
async fn nobody_gets_a_row_of_another_client() {
    let Plant { app, boss, one: (one, un), deux, pompe, first, second, third } = Plant::new().await;

    // A user of a client gets the rows of their own machines, whatever they ask for.
    for (user, ids) in [(&un, vec![first]), (&deux, vec![third, second])] {
        let rapport =
            made(&app, user, json!({ "type": "interventions", "format": "csv", "langue": "en" }))
                .await;
        let rows = records(&file(&app, user, &rapport).await, b',');
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        assert_eq!(column(&rows, "No."), ids);
        let path = format!("/api/v1/rapports/{}", rapport["id"].as_str().unwrap());
        assert_eq!(
            fetch(&app, Some(&boss), &path).await.status(),
            200,
            "a responsable sees that it is there"
        );
        assert_eq!(fetch(&app, Some(&boss), &format!("{path}/fichier")).await.status(), 404);
    }
    let other = json!({ "type": "equipements", "format": "csv", "filtres": { "client_id": one } });
    let rapport = made(&app, &deux, other).await;
    assert_eq!(rapport["lignes"], 0);
    assert_eq!(records(&file(&app, &deux, &rapport).await, b';').len(), 1, "the header alone");
    let hidden =
        json!({ "type": "historique", "format": "csv", "filtres": { "intervention_id": first } });
    app.post(&deux, "/rapports", hidden).await.expect_error(404, "intervention_introuvable");
    app.get(&un, "/rapports").await.expect(200).as_array().unwrap().iter().for_each(|row| {
        assert_eq!(row["user_id"], un.id);
    });

    // Nothing of the other client, in any list.
    let machine = json!({ "equipement_id": pompe, "frequence": "mensuelle", "prochaine_date": "2025-07-15T08:00:00Z" });
    app.post(&boss, "/planning", machine).await.expect(201);
    app.upload(&boss, first, "conserverie.txt", b"secret".to_vec()).await;
    app.run_jobs().await;
    let of_theirs = json!({ "intervention_id": third });
    for (type_, filtres) in [
        ("interventions", json!({})),
        ("interventions", json!({ "client_id": one })),
        ("equipements", json!({})),
        ("techniciens", json!({})),
        ("plannings", json!({})),
        ("documents", of_theirs.clone()),
        ("notifications", json!({})),
        ("historique", of_theirs),
    ] {
        let asked = json!({ "type": type_, "format": "csv", "filtres": filtres, "langue": "en" });
        let rapport = made(&app, &deux, asked).await;
        let text = String::from_utf8(file(&app, &deux, &rapport).await).unwrap().to_lowercase();
        for theirs in ["conserverie", "pompe", "hyperlink", &un.email, &boss.email] {
            assert!(!text.contains(&theirs.to_lowercase()), "{type_}: {theirs} in {text}");
        }
    }
    for type_ in ["clients", "audit"] {
        let asked = json!({ "type": type_, "format": "csv" });
        app.post(&deux, "/rapports", asked).await.expect_error(403, "action_interdite");
    }
}

#[tokio::test]
async fn a_report_is_for_whoever_may_read_the_list_and_has_its_columns() {
    let app = App::new().await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    let (technicien, person) = app.technicien().await;
    let (of, client) = client(&app, &boss, "Conserverie").await;
    let equipement = machine(&app, &boss, "Pompe", of).await;
    let id = open(&app, &boss, "Fuite", equipement, false).await;
    let path = format!("/interventions/{id}/affectation");
    app.patch(&boss, &path, json!({ "technicien_id": person })).await.expect(200);
    app.upload(&technicien, id, "pompe.txt", b"garniture".to_vec()).await;
    let soon = app.ctx.clock.now() + TimeDelta::days(30);
    let planning =
        json!({ "frequence": "mensuelle", "equipement_id": equipement, "prochaine_date": soon });
    app.post(&boss, "/planning", planning).await.expect(201);
    app.run_jobs().await;

    let of_intervention = json!({ "intervention_id": id });
    let routes = [
        (TypeRapport::Interventions, "/interventions".to_owned(), json!({})),
        (TypeRapport::Equipements, "/equipements".to_owned(), json!({})),
        (TypeRapport::Techniciens, "/techniciens".to_owned(), json!({})),
        (TypeRapport::Clients, "/clients".to_owned(), json!({})),
        (TypeRapport::Plannings, "/planning".to_owned(), json!({})),
        (TypeRapport::Documents, format!("/documents/{id}"), of_intervention.clone()),
        (TypeRapport::Notifications, "/notifications/user/me".to_owned(), json!({})),
        (TypeRapport::Historique, format!("/interventions/{id}/historique"), of_intervention),
        (TypeRapport::Audit, "/admin/audit".to_owned(), json!({})),
    ];
    assert_eq!(routes.len(), TypeRapport::TEXTS.len());
    for (user, role) in [
        (&admin, UserRole::Admin),
        (&boss, UserRole::Responsable),
        (&technicien, UserRole::Technicien),
        (&client, UserRole::Client),
    ] {
        for (type_, path, filtres) in &routes {
            let status = app.get(user, path).await.status;
            let asked = json!({ "type": type_, "format": "csv", "filtres": filtres });
            let answer = app.post(user, "/rapports", asked).await;
            if status == 403 {
                answer.expect_error(403, "action_interdite");
                continue;
            }
            answer.expect(202);
            // Every column is a field of the route's answer: none is empty by a mistake.
            let rows = app.get(user, path).await.expect(200);
            let client_id = (role == UserRole::Client).then_some(of);
            let reader = Reader { user_id: user.id, role, client_id };
            let filtres = filtres.as_object().unwrap();
            let liste = Liste::open(&app.ctx.pool, *type_, filtres, reader).await.unwrap();
            let Some(row) = rows.as_array().unwrap().first() else {
                assert_eq!(
                    (*type_, role == UserRole::Technicien),
                    (TypeRapport::Notifications, false)
                );
                continue;
            };
            for colonne in liste.colonnes() {
                let (mut at, mut names) = (row, colonne.chemin.split('.'));
                let found = names.all(|name| {
                    let next = at.get(name);
                    at = next.unwrap_or(&Value::Null);
                    next.is_some()
                });
                assert!(found, "{type_}: {} is not in {row}", colonne.chemin);
            }
        }
    }
    let too_much = json!({ "type": "documents", "format": "csv" });
    app.post(&client, "/rapports", too_much).await.expect(422);

    // All faults of the filters are told, where they are; a filter that the list lacks would give more than was meant.
    let wrong = json!({ "type": "interventions", "format": "pdf", "filtres": { "statut": "finie", "limit": 3, "client": 1 } });
    let faults = app.post(&boss, "/rapports", wrong).await.expect(422);
    assert_eq!(faults["detail"][0]["loc"], json!(["body", "format"]), "{faults}");
    let wrong = json!({ "type": "interventions", "format": "csv", "filtres": { "statut": "finie", "limit": 3, "client": 1 } });
    let faults = app.post(&boss, "/rapports", wrong).await.expect(422);
    let places: BTreeSet<_> =
        faults["detail"].as_array().unwrap().iter().map(|fault| fault["loc"].to_string()).collect();
    let place = |name: &str| json!(["body", "filtres", name]).to_string();
    assert_eq!(places, ["client", "limit", "statut"].map(place).into());
    app.run_jobs().await;
    for row in app.get(&admin, "/rapports").await.expect(200).as_array().unwrap() {
        assert_eq!(row["statut"], "ready", "{row}");
    }
    let key = json!({ "nom": "relevés", "portees": ["interventions:lire"] });
    let key = app.post(&boss, "/auth/api-keys", key).await.expect(201);
    let path = "/api/v1/rapports";
    let with_key = app.request(Method::GET, path).bearer_auth(key["cle"].as_str().unwrap());
    assert_eq!(with_key.send().await.unwrap().status(), 403);
    app.run_jobs().await;
}

#[tokio::test]
async fn a_report_is_given_away_stopped_made_again_and_removed() {
    let app = App::at(Clock::stopped_at(Clock::default().now()), &[]).await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    let other = app.user(UserRole::Responsable).await;
    app.intervention(&boss).await;
    app.run_jobs().await;
    let asked = |titre: &str| json!({ "type": "interventions", "format": "xlsx", "titre": titre });
    let rapport = made(&app, &boss, asked("un")).await;
    let id = rapport["id"].as_str().unwrap().to_owned();
    let path = format!("/rapports/{id}");

    // An address opens the file so many times, and until its end.
    app.post(&other, &format!("{path}/lien"), json!({}))
        .await
        .expect_error(404, "rapport_introuvable");
    app.post(&boss, &format!("{path}/lien"), json!({ "jours": 8 })).await.expect(422);
    let lien = json!({ "jours": 1, "telechargements_max": 2 });
    let lien = app.post(&boss, &format!("{path}/lien"), lien).await.expect(201);
    let url = lien["url"].as_str().unwrap().to_owned();
    let head = app.request(Method::HEAD, &url).send().await.unwrap();
    assert_eq!(head.status(), 200, "looking counts as no download");
    for _ in 0..2 {
        assert_eq!(fetch(&app, None, &url).await.status(), 200);
    }
    assert_eq!(fetch(&app, None, &url).await.status(), 401, "used up");
    let lien = app.post(&boss, &format!("{path}/lien"), json!({ "jours": 1 })).await.expect(201);
    let url = lien["url"].as_str().unwrap().to_owned();
    let secret = url.split_once("lien=").unwrap().1;
    let wrong = made(&app, &boss, asked("deux")).await["id"].as_str().unwrap().to_owned();
    let elsewhere = format!("/api/v1/rapports/{wrong}/fichier?lien={secret}");
    assert_eq!(fetch(&app, None, &elsewhere).await.status(), 401, "of another report");
    assert_eq!(fetch(&app, None, &format!("/api/v1{path}/fichier")).await.status(), 401);
    let line = "/admin/audit?action=rapport_telecharge";
    let downloads = app.get(&admin, line).await.expect(200);
    assert_eq!(downloads.as_array().unwrap().len(), 2, "{downloads}");
    app.ctx.clock.set(app.ctx.clock.now() + TimeDelta::days(1));
    assert_eq!(fetch(&app, None, &url).await.status(), 401, "its day is over");

    // One that waits is stopped, and can be made again, of what there is then.
    let waiting = app.post(&boss, "/rapports", asked("trois")).await.expect(202);
    let waiting = format!("/rapports/{}", waiting["id"].as_str().unwrap());
    app.delete(&other, &waiting).await.expect_error(404, "rapport_introuvable");
    app.post(&boss, &format!("{waiting}/relancer"), json!({}))
        .await
        .expect_error(409, "rapport_en_cours");
    app.delete(&boss, &waiting).await.expect(204);
    app.run_jobs().await;
    let stopped = app.get(&boss, &waiting).await.expect(200);
    assert_eq!((&stopped["statut"], &stopped["size"]), (&json!("cancelled"), &Value::Null));
    app.intervention(&boss).await;
    app.post(&boss, &format!("{waiting}/relancer"), json!({})).await.expect(202);
    app.run_jobs().await;
    let again = app.get(&boss, &waiting).await.expect(200);
    assert_eq!((&again["statut"], &again["lignes"]), (&json!("ready"), &json!(2)));
    assert_eq!(stored(&app), 3);

    // One whose job an admin cancels says so; its owner tries again.
    let given_up = app.post(&boss, "/rapports", asked("quatre")).await.expect(202);
    let given_up = format!("/rapports/{}", given_up["id"].as_str().unwrap());
    let jobs = app.get(&admin, "/admin/jobs?type=rapports.generer&state=ready").await.expect(200);
    let job = format!("/admin/jobs/{}/cancel", jobs[0]["id"].as_str().unwrap());
    app.post(&admin, &job, json!({})).await.expect(200);
    assert_eq!(app.get(&boss, &given_up).await.expect(200)["statut"], "failed");
    app.delete(&admin, &given_up).await.expect(204);
    app.get(&boss, &given_up).await.expect_error(404, "rapport_introuvable");

    // The file goes after seven days, the row is kept; both go with the account.
    let orphan = format!("rapports/{}.csv", uuid::Uuid::new_v4());
    app.ctx.storage.put(&orphan, "rien".into()).await.unwrap();
    app.ctx.clock.set(app.ctx.clock.now() + TimeDelta::days(7));
    app.run_schedule(&admin, "maintenance.purge").await;
    assert_eq!(stored(&app), 0);
    let expired = app.get(&boss, &path).await.expect(200);
    assert_eq!((&expired["statut"], &expired["progression"]), (&json!("expired"), &json!(100)));
    app.post(&boss, &format!("{path}/lien"), json!({})).await.expect_error(409, "rapport_pas_pret");
    app.post(&boss, &format!("{path}/relancer"), json!({})).await.expect(202);
    app.run_jobs().await;
    assert_eq!(stored(&app), 1);
    app.delete(&admin, &format!("/users/{}", boss.id)).await.expect(204);
    app.run_jobs().await;
    assert_eq!(stored(&app), 0);
    let left = app.get(&admin, "/rapports").await.expect(200);
    assert_eq!(left, json!([]));

    // Not more than twenty wait for one user.
    for n in 0..20 {
        app.post(&admin, "/rapports", asked(&n.to_string())).await.expect(202);
    }
    app.post(&admin, "/rapports", asked("vingt et un")).await.expect_error(409, "trop_de_rapports");
    app.run_jobs().await;
}

#[tokio::test]
async fn an_address_and_a_report_end_with_the_rights_of_before() {
    let app = App::at(Clock::stopped_at(Clock::default().now()), &[]).await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    let other = app.user(UserRole::Responsable).await;
    let asked = |titre: &str| json!({ "type": "interventions", "format": "xlsx", "titre": titre });
    let mine = made(&app, &boss, asked("deux")).await["id"].as_str().unwrap().to_owned();

    // An address is for the file that it was made for, and ends with the access of its owner.
    let renewed = format!("/rapports/{mine}");
    let lien = app.post(&boss, &format!("{renewed}/lien"), json!({})).await.expect(201);
    app.post(&boss, &format!("{renewed}/relancer"), json!({})).await.expect(202);
    app.run_jobs().await;
    assert_eq!(app.get(&boss, &renewed).await.expect(200)["statut"], "ready");
    assert_eq!(fetch(&app, None, lien["url"].as_str().unwrap()).await.status(), 401);
    let (of, outside) = client(&app, &boss, "Conserverie").await;
    let theirs = made(&app, &outside, asked("chez nous")).await["id"].as_str().unwrap().to_owned();
    let theirs = format!("/rapports/{theirs}");
    let lien = app.post(&outside, &format!("{theirs}/lien"), json!({})).await.expect(201);
    let url = lien["url"].as_str().unwrap();
    assert_eq!(fetch(&app, None, url).await.status(), 200);
    let waiting = app.post(&outside, "/rapports", asked("suspendu")).await.expect(202);
    app.put(&boss, &format!("/clients/{of}"), json!({ "is_active": false })).await.expect(200);
    assert_eq!(fetch(&app, None, url).await.status(), 403, "their client is suspended");
    app.run_jobs().await;
    let waiting = format!("/rapports/{}", waiting["id"].as_str().unwrap());
    let waiting = app.get(&admin, &waiting).await.expect(200);
    assert_eq!(
        (&waiting["statut"], &waiting["size"]),
        (&json!("failed"), &Value::Null),
        "{waiting}"
    );
    // With another role nothing stays of what was made, or asked for, with the rights of before.
    let clients = made(&app, &other, json!({ "type": "clients", "format": "csv" })).await;
    let lost = app.post(&other, "/rapports", asked("perdu")).await.expect(202);
    app.put(&admin, &format!("/users/{}", other.id), json!({ "role": "technicien" }))
        .await
        .expect(200);
    app.run_jobs().await;
    for gone in [clients, lost] {
        let path = format!("/rapports/{}", gone["id"].as_str().unwrap());
        app.get(&admin, &path).await.expect_error(404, "rapport_introuvable");
    }
}
