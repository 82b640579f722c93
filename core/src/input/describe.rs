//! Describes what a type of input accepts by running the code that reads it, so that the documentation cannot differ from the
//! code.
use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};

use super::{Field, Fields, Input, Source};

/// One field that an [`Input`] reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    pub name: String,
    /// Whether it must be present.
    pub required: bool,
    /// Whether it may be null.
    pub nullable: bool,
    /// JSON schema of its values.
    pub schema: Value,
}

/// The fields that `T` reads from `source`, in the order in which it reads them.
#[must_use]
pub fn describe<T: Input>(source: Source) -> Vec<Described> {
    let mut fields = Fields::describing(source);
    T::read(&mut fields);
    fields.described()
}

impl Described {
    pub(super) fn new<T: Field>(name: &str, source: Source, required: bool) -> Self {
        let schema = match (source, required) {
            (Source::Body, _) => T::schema(),
            (_, true) => T::text_schema(),
            (_, false) => or_empty(T::text_schema()),
        };
        Self { name: name.to_owned(), required, nullable: !required, schema }
    }
}

/// The schema of the JSON object that `T` is read from.
#[must_use]
pub fn object_schema<T: Input>() -> RefOr<Schema> {
    let fields = describe::<T>(Source::Body);
    let required: Vec<_> =
        fields.iter().filter(|field| field.required).map(|field| field.name.clone()).collect();
    let properties: Map<_, _> = fields
        .into_iter()
        .map(|field| {
            (field.name, if field.nullable { or_null(field.schema) } else { field.schema })
        })
        .collect();
    let mut object = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    typed(object)
}

/// A JSON schema in the types of `utoipa`.
///
/// # Panics
/// If `schema` is no JSON schema: a fault of this program, which its first start shows.
#[must_use]
#[expect(clippy::expect_used, reason = "at start-up, on schemas that are part of this program")]
pub fn typed(schema: Value) -> RefOr<Schema> {
    RefOr::T(serde_json::from_value(schema).expect("a JSON schema"))
}

/// Adds the empty text to `schema`: an empty field of a form or a query counts as absent.
pub(super) fn or_empty(mut schema: Value) -> Value {
    let empty = json!({ "type": "string", "maxLength": 0 });
    if let Some(choices) = schema["anyOf"].as_array_mut() {
        choices.push(empty);
    } else if let Some(texts) = schema["enum"].as_array_mut() {
        texts.push(json!(""));
    } else if schema["type"] != "string"
        || !schema["format"].is_null()
        || !schema["minLength"].is_null()
    {
        schema = json!({ "anyOf": [schema, empty] });
    }
    schema
}

fn or_null(mut schema: Value) -> Value {
    if let Some(choices) = schema["anyOf"].as_array_mut() {
        choices.push(json!({ "type": "null" }));
        return schema;
    }
    schema["type"] = json!([schema["type"], "null"]);
    if let Some(texts) = schema["enum"].as_array_mut() {
        texts.push(Value::Null);
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Id, Patch, Trimmed};

    #[derive(Input)]
    #[expect(dead_code, reason = "only described")]
    struct Sample {
        nom: Trimmed<5>,
        id: Patch<Id>,
        #[input(or = false)]
        urgence: bool,
    }

    #[test]
    fn what_is_read_is_described() {
        let found = describe::<Sample>(Source::Body);
        let shown: Vec<_> = found
            .iter()
            .map(|f| (f.name.as_str(), f.required, f.schema["type"].as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                ("nom", true, Some("string")),
                ("id", false, Some("integer")),
                ("urgence", false, Some("boolean")),
            ]
        );
        assert_eq!(found[0].schema["maxLength"], 5);
    }
}
