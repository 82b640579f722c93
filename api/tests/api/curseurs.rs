//! Pages that begin at a cursor of `Link`: of every list, in every order.
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use erp_core::users::UserRole;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::support::{Answer, App, User};

/// The path of the next page below `/api/v1`, by `Link`.
fn next(answer: &Answer) -> Option<String> {
    let mut links = answer.header("link").split(", ");
    let next = links.find_map(|link| link.strip_suffix("; rel=\"next\""))?;
    Some(next.trim_matches(['<', '>']).strip_prefix("/api/v1").unwrap().to_owned())
}

fn rows(answer: Answer) -> Vec<Value> {
    answer.expect(200).as_array().unwrap().clone()
}

fn ids(rows: &[Value]) -> Vec<&Value> {
    rows.iter().map(|row| &row["id"]).collect()
}

/// The rows of all pages from `first` on, each at the cursor of the one before.
async fn walk(app: &App, user: &User, first: String) -> Vec<Value> {
    let (mut path, mut all) = (Some(first), Vec::new());
    while let Some(here) = path {
        let answer = app.get(user, &here).await;
        path = next(&answer);
        assert!(path.as_ref().is_none_or(|path| path.contains("&apres=")), "{here}: {path:?}");
        all.extend(rows(answer));
    }
    all
}

/// The lists of the OpenAPI document, and what each can be sorted by.
async fn lists(app: &App) -> Vec<(String, Vec<String>)> {
    let document = app.send(app.request(Method::GET, "/openapi.json")).await.expect(200);
    let mut lists = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let parameters = operations["get"]["parameters"].as_array().cloned().unwrap_or_default();
        let named = |name: &str| parameters.iter().find(|parameter| parameter["name"] == name);
        let (Some(_), Some(sort)) = (named("apres"), named("sort")) else { continue };
        let sorts = sort["schema"]["enum"].as_array().unwrap().iter();
        let sorts = sorts.map(|sort| sort.as_str().unwrap().to_owned()).filter(|s| !s.is_empty());
        lists.push((path.strip_prefix("/api/v1").unwrap().to_owned(), sorts.collect()));
    }
    lists
}

/// The demo company: values that are missing, and values that many rows have.
#[tokio::test]
async fn every_list_can_be_walked_in_every_order() {
    let app = App::new().await;
    erp_dev::demo::load(&app.ctx, true).await.unwrap();
    let mails =
        "insert into envois (user_id, part_le) select id, now() from users order by id limit 7";
    sqlx::query(mails).execute(&app.ctx.pool).await.unwrap();
    let admin = app.user(UserRole::Admin).await;
    for role in [UserRole::Client, UserRole::Technicien, UserRole::Responsable] {
        app.user(role).await;
    }
    for name in ["nora", "omar", "rim"] {
        let new = json!({
            "username": name, "full_name": name, "email": format!("{name}@mif.example"), "role": "technicien",
        });
        app.post(&admin, "/users/invitations", new).await.expect(201);
    }
    let most = async |table: &str, column: &str| {
        let sql = format!(
            "select {column}::text from {table} group by 1 order by count(*) desc, 1 limit 1"
        );
        sqlx::query_scalar::<_, String>(AssertSqlSafe(sql)).fetch_one(&app.ctx.pool).await.unwrap()
    };
    let busy = [
        ("/documents/{id}", most("documents", "intervention_id").await),
        ("/interventions/{id}/historique", most("historique", "intervention_id").await),
        ("/notifications/user/{user_id}", most("notifications", "user_id").await),
    ];
    let documents = busy[0].1.parse().unwrap();
    for name in ["a.txt", "c.txt", "b.txt"] {
        app.upload(&admin, documents, name, b"Joint neuf".to_vec()).await.expect(201);
        let rapport = json!({ "type": "clients", "format": "csv", "titre": name });
        app.post(&admin, "/rapports", rapport).await.expect(202);
    }
    let lists = lists(&app).await;
    assert!(lists.len() >= 16, "{lists:?}");
    let mut short = Vec::new();
    for (list, sorts) in lists {
        let of = busy.iter().find(|(path, _)| *path == list);
        let list =
            of.map_or(list.clone(), |(_, id)| list.replace("{id}", id).replace("{user_id}", id));
        for sort in sorts {
            let whole = rows(app.get(&admin, &format!("{list}?sort={sort}")).await);
            short.extend((whole.len() < 3).then(|| list.clone()));
            let limit = whole.len() / 3 + 1;
            let walked = walk(&app, &admin, format!("{list}?sort={sort}&limit={limit}")).await;
            assert_eq!(ids(&walked), ids(&whole), "{list}, {sort}");
        }
    }
    short.dedup();
    assert_eq!(
        short,
        ["/notifications/user/me"],
        "lists that show nothing, but for one that is shown of another user"
    );
}

/// Pages that begin among rows without a value, or just before them, with a filter.
#[tokio::test]
async fn rows_without_a_value_are_walked_too() {
    let app = App::new().await;
    erp_dev::demo::load(&app.ctx, true).await.unwrap();
    let admin = app.user(UserRole::Admin).await;
    let half = "update interventions set date_limite = case when id % 2 = 0 then date_limite end,
        technicien_id = case when id % 3 = 0 then technicien_id end";
    sqlx::query(half).execute(&app.ctx.pool).await.unwrap();
    for sort in ["date_limite", "-date_limite", "technicien_id", "-technicien_id"] {
        let list = format!("/interventions?type=preventive&sort={sort}");
        let whole = rows(app.get(&admin, &list).await);
        let without =
            whole.iter().filter(|row| row[sort.trim_start_matches('-')].is_null()).count();
        assert!(without > 5 && whole.len() > without + 5, "{sort}: {without} of {}", whole.len());
        for limit in [without, without - 1, whole.len() - without, 7] {
            let walked = walk(&app, &admin, format!("{list}&limit={limit}")).await;
            assert_eq!(ids(&walked), ids(&whole), "{sort}, {limit} at a time");
        }
    }
}

/// A cursor shows nothing that its row does not.
#[tokio::test]
async fn a_cursor_tells_a_client_nothing_new() {
    let app = App::new().await;
    erp_dev::demo::load(&app.ctx, true).await.unwrap();
    let busy = "select e.client_id, d.intervention_id from documents d join interventions i on i.id = d.intervention_id
        join equipements e on e.id = i.equipement_id where e.client_id is not null
        group by 1, 2 order by count(*) desc, 2 limit 1";
    let (owner, busy): (i64, i64) = sqlx::query_as(busy).fetch_one(&app.ctx.pool).await.unwrap();
    let client = app.user_with(UserRole::Client, json!({"client_id": owner})).await;
    let (responsable, mut seen) = (app.user(UserRole::Responsable).await, 0);
    for (list, sorts) in lists(&app).await {
        let list =
            list.replace("{id}", &busy.to_string()).replace("{user_id}", &client.id.to_string());
        for (user, sort) in [&client, &responsable]
            .into_iter()
            .flat_map(|user| sorts.iter().map(move |sort| (user, sort)))
        {
            let mut path = format!("{list}?sort={sort}&limit=2");
            for _ in 0..4 {
                let answer = app.get(user, &path).await;
                let Some(next) = next(&answer) else { break };
                let cursor = URL_SAFE_NO_PAD.decode(next.split_once("&apres=").unwrap().1).unwrap();
                let (_, value, id): (String, Value, Value) =
                    serde_json::from_slice(&cursor).unwrap();
                let row = rows(answer).pop().unwrap();
                assert_eq!(row["id"], id);
                // A hidden field sorts by the id; a frequency and an instant are written otherwise.
                let shown = row.get(sort.trim_start_matches('-')).unwrap_or(&Value::Null);
                let same = match (&value, shown) {
                    (Value::String(value), Value::String(shown)) if value != shown => {
                        sort.ends_with("frequence") || instant(value) == instant(shown)
                    }
                    (value, Value::Null) => *value == id || value.is_null(),
                    (value, shown) => value == shown,
                };
                assert!(same, "{list}, {sort}: {value} and {row}");
                (path, seen) = (next, seen + 1);
            }
        }
    }
    assert!(seen > 300, "{seen}");
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// What is added and removed before the place of a cursor moves nothing after it.
#[tokio::test]
async fn a_walk_meets_every_row_once_while_others_come_and_go() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let mut machines = Vec::new();
    for _ in 0..6 {
        machines.push(app.equipement(&boss).await);
    }
    let first = app.get(&boss, "/equipements?limit=2").await;
    let path = next(&first).unwrap();
    let seen: Vec<_> = rows(first).iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert_eq!(seen, [machines[5], machines[4]]);
    app.equipement(&boss).await;
    app.delete(&boss, &format!("/equipements/{}", machines[5])).await.expect(200);
    // The row of the place itself is removed, too.
    app.delete(&boss, &format!("/equipements/{}", machines[4])).await.expect(200);
    let rest = walk(&app, &boss, path).await;
    let rest: Vec<_> = rest.iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert_eq!(rest, [machines[3], machines[2], machines[1], machines[0]]);
}

#[tokio::test]
async fn a_cursor_that_no_page_gave_is_refused() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    for _ in 0..3 {
        app.intervention(&boss).await;
    }
    let cursor = |of: Value| URL_SAFE_NO_PAD.encode(of.to_string());
    let made = |sort: &str, value: Value, id: Value| {
        format!("sort={sort}&apres={}", cursor(json!([sort, value, id])))
    };
    for bad in [
        "apres=%20".to_owned(),
        "apres=@".to_owned(),
        "apres=W10".to_owned(),
        format!("apres={}", "A".repeat(5000)),
        format!("apres={}", cursor(json!(["id", 1, 1]))),
        format!("sort=-titre&apres={}", cursor(json!(["titre", "a", 1]))),
        format!("offset=2&apres={}", cursor(json!(["-id", 1, 1]))),
        made("id", json!(1), json!("un")),
        made("id", json!(1), json!(1e300)),
        made("-date_limite", json!("demain"), json!(1)),
        made("date_limite", json!("demain"), json!(1)),
        made("urgence", json!({"$gt": ""}), json!(1)),
        made("titre", json!("a\u{0}"), json!(1)),
        made("technicien_id", json!([1, 2]), json!(1)),
    ] {
        let answer = app.get(&boss, &format!("/interventions?{bad}")).await;
        let said = answer.body["detail"][0]["loc"].clone();
        assert_eq!((answer.status.as_u16(), said), (422, json!(["query", "apres"])), "{bad}");
    }
    // A place that no row has is a place.
    for odd in [
        made("id", json!(1), json!(-5)),
        made("-titre", json!("'; drop table users; --"), json!(1)),
        made("titre", Value::Null, json!(1)),
        made("id", json!(1), Value::Null),
    ] {
        app.get(&boss, &format!("/interventions?{odd}")).await.expect(200);
    }
    assert_eq!(
        rows(app.get(&boss, "/interventions?apres=").await).len(),
        3,
        "an empty one is none"
    );
}
