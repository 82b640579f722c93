//! The parameters of a query, as described by its own parser. (Bodies do the same by [`erp_core::input::object_schema`].)
use erp_core::input::{Described, Input, Source, describe, typed};
use utoipa::{
    IntoParams,
    openapi::{
        Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

use crate::extract::Query;

impl<T: Input> IntoParams for Query<T> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        describe::<T>(Source::Query).into_iter().map(parameter).collect()
    }
}

fn parameter(field: Described) -> Parameter {
    let required = if field.required { Required::True } else { Required::False };
    ParameterBuilder::new()
        .name(field.name)
        .parameter_in(ParameterIn::Query)
        .required(required)
        .schema(Some(typed(field.schema)))
        .build()
}
