//! The refusals of a route, as its `responses(…)` declare them.
use std::{collections::BTreeMap, marker::PhantomData};

use erp_core::{Code, error::Codes};
use serde_json::{Value, json};
use utoipa::{
    IntoResponses,
    openapi::{RefOr, Response, ResponseBuilder, extensions::Extensions},
};

use super::errors;

/// The response `STATUS` with one of these codes: `Refusals<404, codes::ClientIntrouvable>`, or a tuple of several. The first is the
/// one of the example.
pub struct Refusals<const STATUS: u16, C>(PhantomData<C>);

/// Where a response keeps its codes until it is written.
const CODES: &str = "x-codes";

impl<const STATUS: u16, C: Codes> IntoResponses for Refusals<STATUS, C> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let codes = Extensions::builder().add(CODES, json!(C::codes())).build();
        let response = ResponseBuilder::new().extensions(Some(codes)).build();
        BTreeMap::from([(STATUS.to_string(), RefOr::T(response))])
    }
}

/// Adds codes to the response `status` of an operation, which need not have one yet.
pub fn add(responses: &mut Value, status: u16, codes: &[Code]) {
    let kept = &mut responses[status.to_string()][CODES];
    let mut all: Vec<Code> = serde_json::from_value(kept.take()).unwrap_or_default();
    all.extend(codes);
    *kept = json!(all);
}

/// Writes what a response with codes says; another is left as it is.
pub fn write(status: &str, response: &mut Value) {
    let codes = response.as_object_mut().and_then(|response| response.remove(CODES));
    let codes = codes.and_then(|codes| serde_json::from_value::<Vec<Code>>(codes).ok());
    if let (Ok(status), Some(codes)) = (status.parse(), codes) {
        *response = errors::response(status, &codes);
    }
}
