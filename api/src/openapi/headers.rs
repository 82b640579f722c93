//! The request headers that many operations take.
use erp_core::Code;
use serde_json::{Value, json};

use super::refusals;

use crate::{if_match, once::EXCEPTIONS, rbac};

/// Documents `Idempotency-Key` at a POST that takes one.
pub fn add_idempotency(path: &str, method: &str, operation: &mut Value) {
    let path = rbac::at_root(path);
    if method != "post" || EXCEPTIONS.iter().any(|(excepted, _)| *excepted == path) {
        return;
    }
    let key = json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "A name of this request, new for each thing to be done (a UUID): sent again with it within 24 hours, \
                        it does nothing more and gets the answer of the first time.",
        "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
    });
    push(&mut operation["parameters"], key);
    refusals::add(
        &mut operation["responses"],
        409,
        &[Code::RequeteEnCours, Code::ReponseNonGardee],
    );
    let replayed = json!({
        "description": "`true` when this answer was given before; else absent.",
        "schema": { "type": "boolean", "const": true },
    });
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        if status.starts_with('2') {
            response["headers"]["Idempotency-Replayed"] = replayed.clone();
        }
    }
}

/// Documents `If-Match` at an edit (PUT, PATCH) that checks versions.
pub fn add_if_match(path: &str, method: &str, operation: &mut Value) {
    let path = rbac::at_root(path);
    if !["put", "patch"].contains(&method) || if_match::is_excepted(&method.to_uppercase(), path) {
        return;
    }
    let condition = json!({
        "name": "If-Match", "in": "header", "required": false,
        "description": "The `version` that this edit was made from, in quotes (the `ETag` of what was read), or several, or `*`. \
                        With `REQUIRE_IF_MATCH=true` it must be there.",
        "schema": { "type": "string", "pattern": TAGS },
        "example": "\"3\"",
    });
    push(&mut operation["parameters"], condition);
    refusals::add(&mut operation["responses"], 412, &[Code::VersionPerimee]);
    refusals::add(&mut operation["responses"], 428, &[Code::VersionRequise]);
}

/// `*`, or a list of entity tags.
const TAGS: &str = r#"^(\*|(W/)?"[!#-~]*"(, ?(W/)?"[!#-~]*")*)$"#;

/// Documents the `ETag` of an answer that is one row with a version.
pub fn add_etag(operation: &mut Value, schemas: &Value) {
    let tag = json!({
        "description": "The `version` of the row, in quotes: what `If-Match` takes.",
        "schema": { "type": "string" },
    });
    if let Some(response) = operation.pointer_mut("/responses/200")
        && has_version(&response["content"]["application/json"]["schema"], schemas)
    {
        response["headers"]["ETag"] = tag;
    }
}

/// Whether the objects of a schema have a version.
fn has_version(schema: &Value, schemas: &Value) -> bool {
    let name = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    let schema = name.map_or(schema, |name| &schemas[name]);
    let parts = schema["allOf"].as_array();
    schema["properties"]["version"]["type"] == "integer"
        || parts.is_some_and(|parts| parts.iter().any(|part| has_version(part, schemas)))
}

/// Adds an item to a list, which is created if it is absent.
fn push(list: &mut Value, item: Value) {
    match list.as_array_mut() {
        Some(list) => list.push(item),
        None => *list = json!([item]),
    }
}
