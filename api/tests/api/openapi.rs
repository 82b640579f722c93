//! The OpenAPI document agrees with the code.
use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

fn operations(document: &Value) -> impl Iterator<Item = (String, String, &Value)> {
    document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation))
    })
}

#[test]
fn the_committed_document_is_the_one_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let committed: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(
        committed == erp_api::openapi_document(),
        "docs/openapi.json is not up to date: cargo run -p erp-api -- openapi > docs/openapi.json"
    );
}

#[test]
fn the_document_and_the_table_of_roles_have_the_same_routes() {
    let document = erp_api::openapi_document();
    let documented: HashSet<_> = operations(&document)
        .map(|(method, path, _)| (method, path.trim_start_matches("/api/v1").to_owned()))
        .collect();
    let allowed: HashSet<_> = erp_api::rbac::TABLE
        .iter()
        .map(|(method, path, _)| (method.to_string(), path.trim_end_matches('/').to_owned()))
        .collect();
    assert_eq!(documented, allowed);
}

#[test]
fn every_operation_can_be_learned_from_the_document_alone() {
    let document = erp_api::openapi_document();
    let mut ids = HashSet::new();
    for (method, path, operation) in operations(&document) {
        let what = format!("{method} {path}");
        let text = |name: &str| operation[name].as_str().unwrap_or_default();
        assert!(!text("summary").is_empty(), "{what} has no summary");
        assert!(text("description").contains("**Who**: "), "{what} does not say who");
        assert!(ids.insert(text("operationId").to_owned()), "{what} shares its id");
        for media in operation
            .pointer("/requestBody/content")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            assert!(
                media.0 == "multipart/form-data" || media.1.get("example").is_some(),
                "{what}: no example"
            );
        }
        let responses = operation["responses"].as_object().unwrap();
        for (status, response) in responses {
            let described = response["description"].as_str().unwrap_or_default();
            assert!(!described.is_empty(), "{what} {status} has no description");
            assert!(response["headers"].get("X-Request-ID").is_some(), "{what} {status}");
            for (_, media) in response["content"]
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(t, _)| *t == "application/json")
            {
                assert!(media.get("example").is_some(), "{what} {status} has no example");
            }
        }
        if operation["security"].as_array().is_some_and(|ways| !ways.is_empty()) {
            assert!(responses.contains_key("401") && responses.contains_key("403"), "{what}");
        }
    }
}

#[test]
fn the_table_of_routes_is_true() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/routes.md");
    let table = std::fs::read_to_string(root).unwrap();
    let document = erp_api::openapi_document();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), erp_api::rbac::TABLE.len());
    for ((method, path, _), row) in erp_api::rbac::TABLE.iter().zip(rows) {
        let [route, who, story] = row[..] else { panic!("{row:?}") };
        assert_eq!(route, format!("`{method} {path}`"));
        let documented = format!("/api/v1{}", path.trim_end_matches('/'));
        let operation = &document["paths"][documented][method.as_str().to_lowercase()];
        let described = operation["description"].as_str().unwrap_or_default();
        assert!(described.ends_with(&format!("**Who**: {who}.")), "{route}: {who} / {described}");
        let (module, test) = story.trim_matches('`').rsplit_once("::").unwrap();
        let file = module.replace("::", "/");
        let source = format!("{}/tests/api/{file}.rs", env!("CARGO_MANIFEST_DIR"));
        let source = std::fs::read_to_string(source).unwrap();
        assert!(source.contains(&format!("fn {test}()")), "{route}: there is no test {story}");
    }
}

#[test]
fn every_tag_is_in_the_list_of_tags_and_has_routes() {
    let document = erp_api::openapi_document();
    let listed: BTreeSet<_> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    let used: BTreeSet<_> = operations(&document)
        .flat_map(|(_, _, operation)| operation["tags"].as_array().unwrap())
        .map(|tag| tag.as_str().unwrap())
        .collect();
    assert_eq!(listed, used);
}
