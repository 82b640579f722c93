//! The conventions of all routes: addresses, the envelope of errors, languages, lists.
use erp_core::users::UserRole;
use reqwest::Method;
use serde_json::json;

use crate::support::App;

#[tokio::test]
async fn every_address_works_at_the_root_and_below_api_v1_with_and_without_a_slash() {
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    for prefix in ["", "/api/v1"] {
        for slash in ["", "/"] {
            let get = app.request(Method::GET, &format!("{prefix}/users{slash}"));
            app.send(get.bearer_auth(&admin.token)).await.expect(200);
            let post =
                app.request(Method::POST, &format!("{prefix}/techniciens/competences{slash}"));
            let nom = format!("Soudure{prefix}{slash}");
            app.send(post.bearer_auth(&admin.token).json(&json!({"nom": nom}))).await.expect(200);
        }
    }
    app.send(app.request(Method::GET, "/")).await.expect(200);
    app.send(app.request(Method::GET, "/health")).await.expect(200);
    app.send(app.request(Method::GET, "/ready")).await.expect(200);
}

#[tokio::test]
async fn errors_of_the_router_have_the_envelope_too() {
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    app.get(&admin, "/nulle-part").await.expect_error(404, "route_introuvable");
    let answer = app.call(&admin, Method::PUT, "/users", Some(json!({}))).await;
    assert!(answer.header("allow").contains("GET"), "{:?}", answer.headers);
    answer.expect_error(405, "methode_interdite");
    app.get(&admin, "/users/987654").await.expect_error(404, "utilisateur_introuvable");
    app.get(&admin, "/users/zero").await.expect_error(422, "donnees_invalides");
    app.get(&admin, "/users/0").await.expect_error(422, "donnees_invalides");
}

#[tokio::test]
async fn a_request_id_is_taken_over_when_it_is_a_uuid_and_travels_to_the_jobs() {
    let app = App::new().await;
    let (boss, id) =
        (app.user(UserRole::Responsable).await, "0199c000-0000-7000-8000-00000000abcd");
    let (_, technicien_id) = app.technicien().await;
    let intervention = app.intervention(&boss).await;
    let path = format!("/api/v1/interventions/{intervention}/affectation");
    let request =
        app.request(Method::PATCH, &path).bearer_auth(&boss.token).header("x-request-id", id);
    let answer = app.send(request.json(&json!({"technicien_id": technicien_id}))).await;
    assert_eq!(answer.header("x-request-id"), id);
    answer.expect(200);
    let of_job = sqlx::query_scalar!("select metadata ->> 'request_id' from queue.jobs")
        .fetch_one(&app.ctx.pool)
        .await
        .unwrap();
    assert_eq!(of_job.as_deref(), Some(id));

    let answer =
        app.send(app.request(Method::GET, "/health").header("x-request-id", "un deux")).await;
    assert_ne!(answer.header("x-request-id"), "un deux");
}

#[tokio::test]
async fn all_faults_of_a_body_are_listed_together_in_the_readers_language() {
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    let body =
        json!({"username": "ab", "email": "pas une adresse", "role": "chef", "password": 12});
    let faults = app.post(&admin, "/users", body.clone()).await;
    let found: Vec<_> = faults.body["detail"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["loc"][1].as_str().unwrap(), f["type"].as_str().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            ("username", "string_too_short"),
            ("full_name", "missing"),
            ("email", "value_error"),
            ("role", "enum"),
            ("password", "string_type"),
        ]
    );
    let english = app.request(Method::POST, "/api/v1/users").bearer_auth(&admin.token).json(&body);
    let answer = app.send(english.header("accept-language", "en")).await;
    assert_eq!(answer.body["detail"][1]["msg"], "Field required");
    faults.expect_error(422, "donnees_invalides");
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_a_422_or_a_415() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let send = async |content_type: &str, body: &str| {
        let request = app.request(Method::POST, "/api/v1/equipements").bearer_auth(&boss.token);
        app.send(request.header("content-type", content_type).body(body.to_owned())).await
    };
    send("application/json", "{").await.expect_error(422, "donnees_invalides");
    send("application/json", "[1]").await.expect_error(422, "donnees_invalides");
    send("application/json", "").await.expect_error(422, "donnees_invalides");
    send("application/json", &"[".repeat(100_000)).await.expect_error(422, "donnees_invalides");
    send("application/json", r#"{"nom":"a\u0000b","type":"t","localisation":"l"}"#)
        .await
        .expect_error(422, "donnees_invalides");
    for ambiguous in [r#"{"nom":"a","nom":"b"}"#, r#"{"nom":"a","x":{"y":1,"y":2}}"#] {
        let answer = send("application/json", ambiguous).await;
        assert_eq!(answer.body["detail"][0]["type"], "json_invalid", "{ambiguous}");
        answer.expect_error(422, "donnees_invalides");
    }
    for unreadable in [r#"{"nom":"\ud800"}"#, r#"{"nom":1e999}"#, "{\"nom\":\"\u{7f}\"", "nul"] {
        send("application/json", unreadable).await.expect_error(422, "donnees_invalides");
    }
    send("text/plain", "nom=a").await.expect_error(415, "type_de_contenu_refuse");
    let huge = format!(r#"{{"nom":"{}"}}"#, "x".repeat(1024 * 1024));
    send("application/json", &huge).await.expect_error(413, "corps_trop_grand");
}

#[tokio::test]
async fn lists_are_bounded_sorted_and_know_their_size_and_neighbours() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    for _ in 0..5 {
        app.equipement(&boss).await;
    }
    let answer = app.get(&boss, "/equipements?limit=2&offset=2&sort=-id").await;
    assert_eq!(answer.header("x-total-count"), "5");
    let link = answer.header("link").to_owned();
    assert!(link.contains("</api/v1/equipements?sort=-id&limit=2&apres="), "{link}");
    assert!(link.contains(r#"offset=4>; rel="last""#), "{link}");
    assert!(link.contains(r#"offset=0>; rel="prev""#), "{link}");
    let ids: Vec<_> =
        answer.expect(200).as_array().unwrap().iter().map(|e| e["id"].as_i64().unwrap()).collect();
    assert!(ids.len() == 2 && ids[0] > ids[1], "{ids:?}");
    for bad in
        ["limit=0", "limit=1001", "offset=-1", "sort=password_hash", "limit=x", "statut=cassé"]
    {
        app.get(&boss, &format!("/equipements?{bad}")).await.expect_error(422, "donnees_invalides");
    }
}

#[tokio::test]
async fn the_frontend_of_another_origin_may_call() {
    let app = App::new().await;
    let preflight = app
        .request(Method::OPTIONS, "/api/v1/auth/login")
        .header("origin", "http://localhost:5173")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type");
    let answer = app.send(preflight).await;
    assert_eq!(answer.header("access-control-allow-origin"), "http://localhost:5173");
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    let other = app.request(Method::GET, "/health").header("origin", "http://evil.example");
    assert_eq!(app.send(other).await.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn without_a_limit_a_list_is_long_and_begins_with_the_newest() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let fill = "insert into equipements (nom, type, localisation)
        select 'Machine ' || n, 'Pompe', 'Safi' from generate_series(1, 1003) n";
    sqlx::query(fill).execute(&app.ctx.pool).await.unwrap();
    for (query, rows) in [("", 1000), ("?limit=1000", 1000), ("?limit=3", 3), ("?offset=1000", 3)] {
        let answer = app.get(&boss, &format!("/equipements{query}")).await;
        assert_eq!(answer.header("x-total-count"), "1003", "{query}");
        let list = answer.expect(200);
        let ids: Vec<_> = list.as_array().unwrap().iter().map(|row| row["id"].as_i64()).collect();
        assert_eq!(ids.len(), rows, "{query}");
        assert!(ids.is_sorted_by(|one, next| one > next), "{query}");
    }
}

#[tokio::test]
async fn a_base_address_that_ends_in_a_slash_is_no_other_address() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    for path in ["//api/v1/users/me", "//users/me/", "///users/me"] {
        app.send(app.request(Method::GET, path).bearer_auth(&boss.token)).await.expect(200);
    }
    app.send(app.request(Method::GET, "//api/v1/nulle-part"))
        .await
        .expect_error(404, "route_introuvable");
}

#[tokio::test]
async fn integers_are_digits_alone() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let id = app.intervention(&boss).await;
    app.get(&boss, &format!("/interventions/{id}")).await.expect(200);
    for wrong in ["1e3", "%2B5", "5.0", "0x1", "-", "1_000", "%D9%A1", "99999999999999999999"] {
        app.get(&boss, &format!("/interventions/{wrong}")).await.expect(422);
        app.get(&boss, &format!("/interventions?limit={wrong}")).await.expect(422);
    }
    app.get(&boss, "/interventions?limit=007").await.expect(200);
}

#[tokio::test]
async fn the_documentation_is_served_from_here() {
    let app = App::new().await;
    let document = app.send(app.request(Method::GET, "/openapi.json")).await.expect(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let generated = app.send(app.request(Method::GET, "/openapi.generated.json")).await.expect(200);
    assert_eq!(generated, document);
    for (method, path, _) in erp_api::rbac::TABLE {
        let path = format!("/api/v1{}", if *path == "/" { "" } else { path });
        let known = document["paths"].as_object().unwrap().iter().any(|(p, item)| {
            p.trim_end_matches('/') == path && !item[method.as_str().to_lowercase()].is_null()
        });
        assert!(known, "{method} {path} is not documented");
    }
    for (page, script) in [("/docs", "swagger-ui-bundle.js"), ("/redoc", "redoc.standalone.js")] {
        for slash in ["", "/"] {
            let answer = app.request(Method::GET, &format!("{page}{slash}")).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{page}{slash}");
            let html = answer.text().await.unwrap();
            assert!(html.contains(script) && !html.contains("//cdn"), "{html}");
        }
        let script = app.request(Method::GET, &format!("{page}/{script}")).send().await.unwrap();
        assert_eq!(script.status(), 200);
        assert!(script.headers()["content-type"].to_str().unwrap().starts_with("text/javascript"));
    }
    app.send(app.request(Method::GET, "/docs/nothing.js"))
        .await
        .expect_error(404, "route_introuvable");
}
