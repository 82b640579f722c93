//! The request headers that many operations take.
use serde_json::{Value, json};

use crate::once::EXCEPTIONS;

/// Tells of `Idempotency-Key` at a POST that takes one.
pub fn add_idempotency(path: &str, method: &str, operation: &mut Value) {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
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
    add_code(&mut operation["responses"], "409", "requete_en_cours, reponse_non_gardee");
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

/// Adds to a list that need not be there.
fn push(list: &mut Value, item: Value) {
    match list.as_array_mut() {
        Some(list) => list.push(item),
        None => *list = json!([item]),
    }
}

/// Adds codes to those that the handler names of `status`.
fn add_code(responses: &mut Value, status: &str, codes: &str) {
    let named = responses[status]["description"].as_str().map(|named| format!("{named}, {codes}"));
    responses[status] = json!({ "description": named.unwrap_or_else(|| codes.to_owned()) });
}
