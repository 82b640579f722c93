//! What pages and forms send: as [`crate::extract`], but that an empty field of a form is no field.
use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, Request},
    http::request::Parts,
};
use erp_core::input::{Fields, Input, Source};

use crate::{ApiError, extract::whole};

/// The rows of a page.
const ROWS: &str = "50";

/// The fields of the query, without those that were left empty; a list has fifty rows unless it says otherwise.
#[derive(Debug)]
pub struct Filled<T> {
    pub fields: T,
    pub pairs: Pairs,
}

impl<S: Send + Sync, T: Input> FromRequestParts<S> for Filled<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let pairs = Pairs::of(parts.uri.query().unwrap_or_default().as_bytes());
        let fields = pairs.parse()?;
        Ok(Self { fields, pairs })
    }
}

/// The fields of a query or a form, as they were sent, without those that were left empty.
#[derive(Debug, Clone, Default)]
pub struct Pairs(pub Vec<(String, String)>);

impl Pairs {
    /// Those of a query or a form in its encoding.
    pub fn of(text: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(text).into_owned();
        Self(pairs.filter(|(_, value)| !value.trim().is_empty()).collect())
    }

    /// The first value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of `name`.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }

    /// The fields but those of `names`.
    pub fn without(&self, names: &[&str]) -> Vec<(String, String)> {
        self.0.iter().filter(|(name, _)| !names.contains(&name.as_str())).cloned().collect()
    }

    /// As a `T`.
    pub fn parse<T: Input>(&self) -> Result<T, ApiError> {
        let mut pairs = self.0.clone();
        if self.get("limit").is_none() {
            pairs.push(("limit".to_owned(), ROWS.to_owned()));
        }
        Ok(Fields::pairs(Source::Query, pairs).parse()?)
    }
}

impl<S: Send + Sync> FromRequest<S> for Pairs {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes: Bytes = whole(Body::new(request.into_body())).await?;
        Ok(Self::of(&bytes))
    }
}

/// `path` with these fields as its query.
pub fn address<'a>(path: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut pairs = pairs.into_iter().peekable();
    if pairs.peek().is_none() {
        return path.to_owned();
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{path}?{query}")
}

/// The same, of fields as they were sent.
pub fn address_of(path: &str, pairs: &[(String, String)]) -> String {
    address(path, pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// `path` with these fields as its query, and one more.
pub fn address_with(path: &str, pairs: &[(String, String)], more: (&str, &str)) -> String {
    let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    address(path, pairs.chain([more]))
}
