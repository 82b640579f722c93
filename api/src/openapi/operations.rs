//! Parts that many operations have in common: who may call them, how they fail, and their headers.
use axum::http::Method;
use erp_core::{Code, users::UserRole};
use serde_json::{Value, json};

use super::{headers, refusals};
use crate::rbac::{self, Access, ForKeys};

/// Adds the common parts to every operation of `document`.
pub fn complete(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let paths = document["paths"].as_object_mut();
    for (path, item) in paths.into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            let access = Method::from_bytes(method.to_uppercase().as_bytes())
                .ok()
                .and_then(|method| rbac::access(&method, path))
                .unwrap_or(Access::Roles(&[]));
            complete_one(path, method, operation, access);
            if method != "post" {
                headers::add_etag(operation, &schemas);
            }
        }
    }
}

fn complete_one(path: &str, method: &str, operation: &mut Value, access: Access) {
    let tag = operation["tags"][0].as_str().unwrap_or_default().to_owned();
    let name = operation["operationId"].as_str().unwrap_or_default();
    operation["operationId"] = json!(format!("{tag}_{name}"));
    let description =
        operation["description"].as_str().map(|text| format!("{text}\n\n")).unwrap_or_default();
    let who = who(access);
    let key = Method::from_bytes(method.to_uppercase().as_bytes())
        .map_or(ForKeys::Never, |method| rbac::for_keys(&method, path));
    let key = match (access, key) {
        (Access::Anyone, _) => String::new(),
        (_, ForKeys::Never) => "**API keys**: none.\n\n".to_owned(),
        (_, ForKeys::Always) => "**API keys**: any.\n\n".to_owned(),
        (_, ForKeys::With(portee)) => format!("**API keys**: with `{portee}`.\n\n"),
    };
    operation["description"] = json!(format!("{description}{key}**Who**: {who}."));
    operation["security"] = security(access);
    bound_ids(operation);
    spread_forms(operation);
    leave_out_null(operation);
    headers::add_idempotency(path, method, operation);
    headers::add_if_match(path, method, operation);
    add_errors(path, &tag, operation, access);
    add_headers(operation);
}

/// Who may call, as a phrase for the description.
fn who(access: Access) -> String {
    match access {
        Access::Anyone => "everybody, without a token".to_owned(),
        Access::SignedInOrLien => {
            "every signed-in user who may read it, or by the signature in the address; with \
             `PUBLIC_UPLOADS=true` everybody"
                .to_owned()
        }
        Access::SignedInOrPublicEquipements => {
            "every signed-in user; with `PUBLIC_EQUIPEMENTS=true` everybody".to_owned()
        }
        Access::SignedInOrSecret => {
            "every signed-in user, or by the secret in the address".to_owned()
        }
        Access::SignedIn => "every signed-in user".to_owned(),
        Access::Roles(roles) => {
            roles.iter().map(|role: &UserRole| role.as_str()).collect::<Vec<_>>().join(", ")
        }
    }
}

fn security(access: Access) -> Value {
    match access {
        Access::Anyone => json!([]),
        Access::SignedInOrLien | Access::SignedInOrSecret => json!([{}, { "jeton": [] }]),
        Access::SignedIn | Access::SignedInOrPublicEquipements | Access::Roles(_) => {
            json!([{ "motDePasse": [] }, { "jeton": [] }])
        }
    }
}

fn bound_ids(operation: &mut Value) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        if parameter["in"] == "path" && parameter["schema"]["type"] == "integer" {
            parameter["schema"]["minimum"] = json!(1);
            parameter["schema"]["maximum"] = json!(i64::MAX);
        }
    }
}

/// Documents a form in both of its encodings and as JSON, which is accepted as well.
fn spread_forms(operation: &mut Value) {
    const FORM: &str = "application/x-www-form-urlencoded";
    if let Some(content) =
        operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut)
        && let Some(form) = content.get(FORM).cloned()
    {
        content.insert("multipart/form-data".to_owned(), form.clone());
        content.insert("application/json".to_owned(), form);
    }
}

/// An optional JSON body may be absent, but not null: keeps the schema that is not null.
fn leave_out_null(operation: &mut Value) {
    let schema = operation.pointer_mut("/requestBody/content/application~1json/schema");
    if let Some(schema) = schema
        && let Some(real) =
            schema["oneOf"].as_array().and_then(|all| all.iter().find(|s| s["type"] != "null"))
    {
        *schema = real.clone();
    }
}

fn add_errors(path: &str, tag: &str, operation: &mut Value, access: Access) {
    let has_body = operation.get("requestBody").is_some();
    let has_input = has_body
        || operation.get("parameters").and_then(Value::as_array).is_some_and(|p| !p.is_empty());
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for response in responses.values_mut() {
        if response["description"].as_str().unwrap_or_default().is_empty() {
            response["description"] = json!("Done.");
        }
    }
    // Where a route says nothing itself.
    let mut add = |status: u16, codes: &[Code]| {
        let responses = &mut operation["responses"];
        if responses.get(status.to_string()).is_none() {
            refusals::add(responses, status, codes);
        }
    };
    if !matches!(access, Access::Anyone) {
        let mut codes = vec![
            Code::NonAuthentifie,
            Code::JetonInvalide,
            Code::JetonExpire,
            Code::SessionTerminee,
        ];
        if path.contains("{file}") {
            codes.extend([Code::LienInvalide, Code::LienExpire]);
        }
        add(401, &codes);
        if matches!(access, Access::Roles(_)) {
            add(403, &[Code::ActionInterdite, Code::CompteDesactive, Code::PorteeInsuffisante]);
        } else {
            add(403, &[Code::CompteDesactive, Code::PorteeInsuffisante]);
        }
    }
    if path.contains("{file}") {
        add(404, &[Code::FichierIntrouvable]);
    } else if has_input {
        add(422, &[Code::DonneesInvalides]);
    }
    if has_body {
        add(413, &[Code::CorpsTropGrand]);
        add(415, &[Code::TypeDeContenuRefuse]);
    }
    if tag == "service" {
        add(431, &[Code::EntetesTropGrands]);
    } else {
        if !path.contains("{file}") {
            add(429, &[Code::TropDeRequetes]);
        }
        add(503, &[Code::ServiceIndisponible]);
    }
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        refusals::write(status, response);
        if rbac::is_for_people(path) && response["content"]["application/json"].is_object() {
            response["content"] = json!({ "text/html": { "schema": { "type": "string" } } });
        }
    }
}

fn add_headers(operation: &mut Value) {
    let id = json!({ "description": "The id of this request.", "schema": { "type": "string", "format": "uuid" } });
    let total = json!({ "description": "Rows of the whole list, counted up to 10 000, in a search up to 1 000.", "schema": { "type": "integer", "minimum": 0 } });
    let exact = json!({
        "description": "`false` when there are more rows than were counted; else absent.",
        "schema": { "type": "boolean", "const": false },
    });
    let link = json!({ "description": "`first`, `prev`, `next` and `last` pages (RFC 8288); `next` by its cursor (`apres`), the others by `offset`.", "schema": { "type": "string" } });
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        response["headers"]["X-Request-ID"] = id.clone();
        if status == "200" && response["content"]["application/json"]["schema"]["type"] == "array" {
            response["headers"]["X-Total-Count"] = total.clone();
            response["headers"]["X-Total-Count-Exact"] = exact.clone();
            response["headers"]["Link"] = link.clone();
        }
    }
}
